"""From answered items to a report: four arms side by side, compared, and a verdict in words."""

from __future__ import annotations

from collections.abc import Sequence

from tui.domain.chat import Arm
from tui.domain.evaluation import ArmScores, Comparison, ItemResult, TestReport
from tui.evaluation.intervals import mean, paired_difference, share

# What a reader asks: did tuning help, did sources, and which of the two is better?
_PAIRS = (
    (Arm.TUNED, Arm.BASE),
    (Arm.BASE_SOURCES, Arm.BASE),
    (Arm.TUNED, Arm.BASE_SOURCES),
    (Arm.TUNED_SOURCES, Arm.TUNED),
    (Arm.TUNED_SOURCES, Arm.BASE_SOURCES),
)
_HEADLINE = "key_phrase"
# Fewer items than this say too little for a verdict.
MINIMUM_ITEMS = 10
_SIGNIFICANT = 0.05


def report_test(
    results: Sequence[ItemResult], arms: Sequence[Arm], unusable: int
) -> TestReport | None:
    """One test's report; None where no item was answered by every arm.

    Items that some arm failed to answer must already be left out (`unusable` counts them), so that
    all arms are measured on the same items.
    """
    by_arm = {arm: [r for r in results if r.arm == arm.value] for arm in arms}
    first = by_arm[arms[0]] if arms else []
    if not first:
        return None
    retrieved = {r.example: r.retrieved for r in results if r.retrieved is not None}
    return TestReport(
        n=len(first),
        papers=len({result.paper for result in first if result.paper}),
        arms={arm.value: _scores(items) for arm, items in by_arm.items()},
        comparisons=tuple(
            _compare(a, b, by_arm[a], by_arm[b]) for a, b in _PAIRS if a in by_arm and b in by_arm
        ),
        retrieval=(
            {"recall@5": sum(map(bool, retrieved.values())) / len(retrieved)} if retrieved else {}
        ),
        unusable=unusable,
    )


def verdict(memory: TestReport | None, transfer: TestReport | None) -> str:
    """What the figures mean for the person who paid for the training."""
    parts = [_memory_verdict(memory), _transfer_verdict(transfer)]
    return " ".join(part for part in parts if part)


def _memory_verdict(test: TestReport | None) -> str:
    if test is None:
        return (
            "Memory was not measured: the dataset holds no test questions on trained papers. Add "
            "question-answer pairs in several wordings and split again."
        )
    found = _find(test, Arm.TUNED, Arm.BASE)
    if found is None:
        return ""
    if test.n < MINIMUM_ITEMS:
        return f"Memory: {test.n} items are too few for a verdict."
    if found.p >= _SIGNIFICANT or found.difference <= 0:
        text = f"Memory: tuning did not help measurably ({_points(found)})."
    else:
        text = f"Memory: tuning taught the model the trained findings ({_points(found)})."
    return text + _against_retrieval(test)


def _transfer_verdict(test: TestReport | None) -> str:
    if test is None:
        return "Transfer was not measured: no paper was kept out of training."
    if test.n < MINIMUM_ITEMS:
        return f"Transfer: {test.n} items are too few for a verdict."
    found = _find(test, Arm.TUNED, Arm.BASE_SOURCES)
    if found is None:
        return ""
    if found.difference < 0 and found.p < _SIGNIFICANT:
        return (
            f"Transfer: on papers it was not trained on, retrieval wins by "
            f"{_size(found)} points; ask with sources there."
        )
    if found.difference > 0 and found.p < _SIGNIFICANT:
        return f"Transfer: the tuned model beats retrieval by {_size(found)} points."
    return f"Transfer: tuned and retrieval do not differ measurably ({_points(found)})."


def _against_retrieval(test: TestReport) -> str:
    found = _find(test, Arm.TUNED, Arm.BASE_SOURCES)
    if found is None or found.p >= _SIGNIFICANT:
        return ""
    if found.difference < 0:
        return f" Do not fine-tune for these alone: retrieval wins by {_size(found)} points."
    return f" It beats the base model with sources by {_size(found)} points."


def _find(test: TestReport, a: Arm, b: Arm) -> Comparison | None:
    wanted = (a.value, b.value, _HEADLINE)
    return next((c for c in test.comparisons if (c.a, c.b, c.metric) == wanted), None)


def _points(comparison: Comparison) -> str:
    return f"{comparison.a} − {comparison.b}: {_size(comparison, signed=True)} points"


def _size(comparison: Comparison, *, signed: bool = False) -> str:
    half = (comparison.high - comparison.low) / 2 * 100
    value = comparison.difference * 100
    return f"{value:+.0f} ± {half:.0f}" if signed else f"{abs(value):.0f} ± {half:.0f}"


def _scores(results: Sequence[ItemResult]) -> ArmScores:
    def column(name: str) -> list[float]:
        return [result.scores[name] for result in results]

    return ArmScores(
        key_phrase=share(column("key_phrase")),
        exact_match=share(column("exact_match")),
        f1=mean(column("f1")),
    )


def _compare(a: Arm, b: Arm, left: Sequence[ItemResult], right: Sequence[ItemResult]) -> Comparison:
    other = {result.example: result.scores[_HEADLINE] for result in right}
    ours = [result.scores[_HEADLINE] for result in left]
    theirs = [other[result.example] for result in left]
    return Comparison(a.value, b.value, _HEADLINE, *paired_difference(ours, theirs))
