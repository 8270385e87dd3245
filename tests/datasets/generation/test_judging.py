"""A judge by its own words, and measured against people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.conftest import WriteLines, pair
from tests.datasets.generation.conftest import Author
from tests.datasets.library import PaperShelf
from tests.mistral.faults import answer
from tui.datasets import Datasets
from tui.datasets.judging import Judge, Judged, JudgingFinished
from tui.datasets.judging.agreement import agreement
from tui.datasets.retrieval import RetrievalPlan
from tui.datasets.sourcing import Sourcing
from tui.domain.example import Kind, Status
from tui.domain.usage import Amount
from tui.storage.workspace import Workspace


async def judged(judge: Judge, **options: Any) -> tuple[list[Judged], JudgingFinished]:
    found: list[Judged] = []
    async for event in judge.run("answers", "judge", **options):
        if isinstance(event, JudgingFinished):
            return found, event
        found.append(event)
    raise AssertionError("no end")


@pytest.fixture
def ids(datasets: Datasets, write_lines: WriteLines) -> list[str]:
    """Twelve accepted pairs, of which a person rejects three and accepts five by hand."""
    lines = [pair(p, k, paper=f"p{p}") for p in range(4) for k in range(3)]
    datasets.add_pairs("answers", write_lines(*lines))
    found = [example.id for example in datasets.examples("answers")]
    datasets.decide("answers", found[:3], Status.REJECTED)
    datasets.decide("answers", found[3:8], Status.ACCEPTED)
    return found


def wrong_about(*names: str) -> Any:
    def verdict(body: dict[str, Any]) -> dict[str, str]:
        asked = body["messages"][0]["content"]
        wrong = any(f"{name} melts" in asked.partition("</passage")[0] for name in names)
        return {"reason": "I looked.", "verdict": "contradicted" if wrong else "supported"}

    return verdict


async def test_the_judge_is_measured_on_what_people_decided(
    judge: Judge, datasets: Datasets, author: Author, ids: list[str]
) -> None:
    author.verdict = wrong_about("0x0", "0x1", "1x0")
    found, done = await judged(judge)
    assert (done.judged, done.entailed, done.failed) == (12, 9, 0)
    assert {event.id for event in found[:8]} == set(ids[:8]), "decided ones come first"
    [ada] = done.agreement
    assert (ada.person, ada.n) == ("Ada", 8)
    assert (ada.both_right, ada.both_wrong, ada.judge_only, ada.person_only) == (4, 2, 1, 1)
    assert ada.agreement == 0.75
    assert ada.kappa == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64), abs=1e-4)
    assert ada.kappa_low is not None
    assert ada.kappa_high is not None
    assert ada.kappa is not None
    assert ada.kappa_low < ada.kappa < ada.kappa_high
    assert {e.status for e in datasets.examples("answers")} == {Status.ACCEPTED, Status.REJECTED}


async def test_what_was_judged_is_asked_again_only_when_it_changed_or_on_purpose(
    judge: Judge, datasets: Datasets, author: Author, ids: list[str]
) -> None:
    await judged(judge)
    _, done = await judged(judge)
    assert (done.judged, done.skipped, len(author.judged)) == (0, 12, 12)
    datasets.edit("answers", ids[0], answer="It melts at 200 kelvin, so it does.")
    _, done = await judged(judge)
    assert (done.judged, done.skipped) == (1, 11)
    _, done = await judged(judge, again=True)
    assert done.judged == 12


async def test_a_person_undone_or_new_changes_the_measure_and_judges_are_no_people(
    judge: Judge, datasets: Datasets, author: Author, ids: list[str]
) -> None:
    await judged(judge)
    datasets.undo("answers")
    [ada] = judge.agreement("answers", "judge")
    assert ada.n == 3
    datasets.person = "Ben"
    datasets.decide("answers", ids[:1], Status.ACCEPTED)
    assert [(a.person, a.n) for a in judge.agreement("answers", "judge")] == [
        ("Ada", 3),
        ("Ben", 1),
    ]


async def test_drafts_are_rejected_in_the_judges_name_and_a_person_overrules_it(
    judge: Judge, datasets: Datasets, author: Author, ids: list[str]
) -> None:
    datasets.decide("answers", ids, Status.DRAFT)
    author.verdict = wrong_about("0x0")
    _, done = await judged(judge, reject=True)
    assert done.rejected == 1
    rejected = datasets.example(ids[0])
    assert rejected.status is Status.REJECTED
    assert rejected.reason.startswith("not-entailed: contradicted")
    assert "judge judge" not in {a.person for a in done.agreement}
    datasets.decide("answers", ids[:1], Status.ACCEPTED)
    _, done = await judged(judge, reject=True, again=True)
    assert datasets.example(ids[0]).status is Status.ACCEPTED


async def test_a_refusal_is_right_where_the_sources_hold_no_answer(
    judge: Judge,
    datasets: Datasets,
    author: Author,
    ids: list[str],
    library: PaperShelf,
    workspace: Workspace,
) -> None:
    Sourcing(workspace, library, datasets).add("answers", RetrievalPlan(refusals=1.0))
    author.verdict = lambda body: {
        "reason": "Nothing on it.",
        "verdict": body["response_format"]["json_schema"]["schema"]["properties"]["verdict"][
            "enum"
        ][-1],
    }
    found, _ = await judged(judge, statuses=[Status.ACCEPTED])
    refusals = {e.id for e in datasets.examples("answers", kind=Kind.RETRIEVAL)}
    assert {event.id for event in found if event.entailed} == refusals


async def test_prose_an_end_and_a_budget_are_rows_and_reasons(
    judge: Judge, author: Author, ids: list[str]
) -> None:
    said: list[Any] = ["I think so.", "I still think so."]
    supported = {"reason": "Yes.", "verdict": "supported"}
    author.verdict = lambda _: said.pop(0) if said else supported
    found, done = await judged(judge, concurrency=1, count=4)
    assert (done.judged, done.failed) == (3, 1)
    assert found[0].event == "failed"
    assert "no verdict" in found[0].reason
    author.verdict = lambda _: answer({"message": "gone"}, 500)
    _, done = await judged(judge)
    assert (done.stopped, done.judged) == ("endpoint", 0)
    author.verdict = lambda _: supported
    _, done = await judged(judge, budget=Amount(0.001, "usd"))
    assert done.stopped == "budget"
    assert (done.cost or 0) <= 0.001


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_kappa_and_its_bounds_are_what_the_table_says(verdicts: list[tuple[bool, bool]]) -> None:
    found = agreement("Ada", verdicts)
    assert found.n == len(verdicts)
    if not verdicts:
        assert found.agreement is None
        return
    person, judge = np.array(verdicts).T
    same = float(np.mean(person == judge))
    chance = person.mean() * judge.mean() + (1 - person.mean()) * (1 - judge.mean())
    assert found.agreement == pytest.approx(same, abs=1e-4)
    assert found.agreement_low is not None
    assert found.agreement_high is not None
    assert found.agreement_low <= same + 1e-4
    assert found.agreement_high >= same - 1e-4
    if chance < 1:
        assert found.kappa == pytest.approx((same - chance) / (1 - chance), abs=1e-4)
    else:
        assert found.kappa is None
