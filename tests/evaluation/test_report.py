from __future__ import annotations

from tui.domain.chat import Arm
from tui.domain.evaluation import ItemResult, TestReport
from tui.evaluation.report import report_test, verdict


def results(right: dict[Arm, int], n: int = 20) -> list[ItemResult]:
    """`n` items of two papers on each arm, of which `right[arm]` were answered right."""
    return [
        ItemResult(
            example=f"e{item}",
            question="?",
            expected="yes",
            key_phrase="yes",
            paper=f"p{item % 2}",
            arm=arm.value,
            answer="",
            scores=dict.fromkeys(("key_phrase", "exact_match", "f1"), float(item < count)),
            retrieved=item < 19 if arm.sources else None,
        )
        for arm, count in right.items()
        for item in range(n)
    ]


def report_of(right: dict[Arm, int], n: int = 20) -> TestReport:
    report = report_test(results(right, n), list(right), 0)
    assert report is not None
    return report


ALL = {Arm.BASE: 0, Arm.BASE_SOURCES: 15, Arm.TUNED: 18, Arm.TUNED_SOURCES: 17}


def test_every_arm_is_reported_on_the_same_items() -> None:
    report = report_of(ALL)
    assert report.n == 20
    assert report.papers == 2
    assert {arm: scores.key_phrase.value for arm, scores in report.arms.items()} == {
        "base": 0.0,
        "base+sources": 0.75,
        "tuned": 0.9,
        "tuned+sources": 0.85,
    }
    assert report.retrieval == {"recall@5": 0.95}


def test_tuned_is_compared_with_base_and_with_retrieval() -> None:
    pairs = {(c.a, c.b): c for c in report_of(ALL).comparisons}
    assert pairs["tuned", "base"].difference == 0.9
    assert pairs["tuned", "base"].p < 0.001
    assert ("tuned", "base+sources") in pairs


def test_no_items_give_no_report() -> None:
    assert report_test([], list(Arm), 3) is None


def test_the_verdict_says_when_tuning_taught() -> None:
    text = verdict(report_of(ALL), None)
    assert "taught the model" in text
    assert "no paper was kept out" in text


def test_the_verdict_says_not_to_tune_when_retrieval_wins() -> None:
    worse = report_of({**ALL, Arm.TUNED: 3, Arm.BASE_SOURCES: 19})
    text = verdict(worse, worse)
    assert "Do not fine-tune" in text
    assert "retrieval wins by 80" in text


def test_the_verdict_does_not_claim_what_chance_explains() -> None:
    assert "did not help measurably" in verdict(report_of({**ALL, Arm.TUNED: 2}), None)


def test_few_items_get_no_verdict() -> None:
    assert "too few" in verdict(report_of(dict.fromkeys(Arm, 1), n=5), None)


def test_without_questions_the_verdict_says_why() -> None:
    assert "no test questions" in verdict(None, None)
