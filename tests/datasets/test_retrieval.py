"""Questions with sources: the right one among its likes, a refusal without it, no paper astray."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.datasets.conftest import WriteLines, finding, pair
from tests.datasets.library import PaperShelf
from tui.chat import prompt as chat
from tui.corpus import quotes
from tui.corpus.passages import sentence_ends
from tui.datasets import Datasets, grounded
from tui.datasets.content import question_and_answer
from tui.datasets.retrieval import RetrievalPlan, excerpt
from tui.datasets.sides import paper_of
from tui.datasets.sourcing import Sourcing
from tui.domain.errors import PapertuneError, UsageError
from tui.domain.example import Example, Kind, Role, Status
from tui.storage.workspace import Workspace

SOURCE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


@pytest.fixture
def pairs(datasets: Datasets, write_lines: WriteLines) -> list[Example]:
    """Seven papers with five findings, two wordings each."""
    lines = [pair(p, k, w) for p in range(7) for k in range(5) for w in (0, 1)]
    assert datasets.add_pairs("answers", write_lines(*lines)).added == 70
    return datasets.examples("answers")


@pytest.fixture
def sourcing(workspace: Workspace, library: PaperShelf, datasets: Datasets) -> Sourcing:
    return Sourcing(workspace, library, datasets)


def sourced(datasets: Datasets) -> list[Example]:
    return datasets.examples("answers", kind=Kind.RETRIEVAL, status=Status.ACCEPTED)


def test_the_right_source_is_quoted_and_cited_among_others(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    report = sourcing.add("answers", RetrievalPlan(refusals=0.0))
    assert (report.added, report.failed) == (70, 0)
    places = set()
    for example in sourced(datasets):
        question, answer = question_and_answer(example)
        assert question in {question_and_answer(p)[0] for p in pairs}
        found = {int(n): text for n, text in SOURCE.findall(example.question)}
        assert len(found) == 4
        cited = re.match(r"“(.+)” \[(\d)\] .+ \[\2\]$", answer)
        assert cited is not None
        assert quotes.holds(found[int(cited[2])], cited[1])
        others = [text for n, text in found.items() if n != int(cited[2])]
        assert not any(quotes.holds(text, example.key_phrase) for text in others)
        assert example.verified
        assert example.finding
        places.add(int(cited[2]))
    assert places == {1, 2, 3, 4}


def test_a_refusal_lacks_the_right_source_and_says_just_that(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    sourcing.add("answers", RetrievalPlan(refusals=1.0))
    found = sourced(datasets)
    assert len(found) == 70
    for example in found:
        assert example.answer == "I cannot answer from these sources."
        assert example.question_type == "unanswerable"
        wanted = next(p for p in pairs if p.question == question_and_answer(example)[0])
        assert not quotes.holds(example.question.rpartition("Question:")[0], wanted.quote)
        assert wanted.passages[0] not in example.passages


def test_it_is_asked_as_the_chat_asks(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    assert grounded.REFUSAL == chat.REFUSAL
    sourcing.add("answers", RetrievalPlan(share=0.2))
    example = sourced(datasets)[0]
    built_in = chat.Prompts().template("ask")
    before, _, rest = built_in.partition("{sources}")
    assert example.question.startswith(before)
    assert example.question.endswith(
        rest.replace("{question}", question_and_answer(example)[0]).rstrip()
    )


def test_shares_are_kept_and_the_same_seed_gives_the_same(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    plan = RetrievalPlan(share=0.5, refusals=0.5, seed=3)
    first = sourcing.add("answers", plan)
    assert 20 <= first.added <= 50
    refusals = sum(e.answer == grounded.REFUSAL for e in sourced(datasets))
    assert 0.25 < refusals / first.added < 0.75
    again = sourcing.add("answers", plan)
    assert (again.added, again.skipped) == (0, first.added)
    other = sourcing.add("answers", RetrievalPlan(share=0.5, refusals=0.5, seed=4))
    assert other.added > 0


def test_an_edit_changes_the_question_and_keeps_the_sources(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    sourcing.add("answers", RetrievalPlan(share=0.2))
    example = sourced(datasets)[0]
    edited = datasets.edit("answers", example.id, question="Another question?")
    assert question_and_answer(edited)[0] == "Another question?"
    assert SOURCE.findall(edited.question) == SOURCE.findall(example.question)


def test_distractors_come_from_their_own_paper_until_a_split_has_set_papers_apart(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    report = sourcing.add("answers")
    assert "split" in report.notes[0]
    assert all({paper_of(p) for p in e.passages} == {e.paper} for e in sourced(datasets))


def test_what_a_split_tears_apart_is_withdrawn_and_comes_back_with_it(
    datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    datasets.split("answers", transfer=0.3, seed=0)
    sourcing.add("answers")
    before = {example.id for example in sourced(datasets)}
    seed = 1
    datasets.split("answers", transfer=0.3, seed=seed)
    while not sourcing.withdraw("answers"):
        seed += 1
        datasets.split("answers", transfer=0.3, seed=seed)
    assert {example.id for example in sourced(datasets)} < before
    datasets.split("answers", transfer=0.3, seed=seed)
    datasets.freeze("answers")
    datasets.split("answers", transfer=0.3, seed=0)
    assert sourcing.withdraw("answers") == 0
    assert {example.id for example in sourced(datasets)} == before


def test_a_question_that_cannot_have_sources_is_told_with_its_reason(
    datasets: Datasets, sourcing: Sourcing, write_lines: WriteLines
) -> None:
    with pytest.raises(UsageError, match="no accepted"):
        sourcing.add("answers")
    datasets.add_pairs("answers", write_lines(pair(0, 0, quote=None), pair(0, 1)))
    report = sourcing.add("answers", RetrievalPlan(refusals=0.0, context=64))
    assert report.added == 0
    assert sorted(f.reason.split(": ")[1].split(" ")[0] for f in report.failures) == ["it", "its"]


def test_a_prompt_that_hides_the_question_is_refused(
    workspace: Workspace, datasets: Datasets, pairs: list[Example], sourcing: Sourcing
) -> None:
    folder = workspace.root / "prompts"
    folder.mkdir()
    (folder / "ask.md").write_text("{question} by {sources}")
    with pytest.raises(UsageError, match=r"ask\.md"):
        sourcing.add("answers")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    transfer=st.sampled_from([0.15, 0.3, 0.6, 0.9]),
    seeds=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    first=st.booleans(),
    refusals=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_transfer_paper_is_in_training_not_even_as_a_distractor(
    tmp_path_factory: pytest.TempPathFactory,
    library: PaperShelf,
    transfer: float,
    seeds: list[int],
    first: bool,
    refusals: float,
) -> None:
    """Whatever is split, composed and split again: what freezes keeps transfer papers out."""
    folder = tmp_path_factory.mktemp("workspace")
    workspace = Workspace.open(folder)
    datasets = Datasets(workspace, library, "Ada")
    datasets.create("answers")
    lines = folder / "pairs.jsonl"
    found = [pair(p, k, w) for p in range(7) for k in range(2) for w in range(4)]
    lines.write_text("\n".join(map(json.dumps, found)))
    datasets.add_pairs("answers", lines)
    sourcing = Sourcing(workspace, library, datasets)
    if first:
        sourcing.add("answers", RetrievalPlan(refusals=refusals))
    for seed in seeds:
        datasets.split("answers", transfer=transfer, seed=seed)
        sourcing.add("answers", RetrievalPlan(refusals=refusals, seed=seed))
    try:
        version = datasets.freeze("answers")
    except PapertuneError as error:
        raise AssertionError(error) from None
    kept = {e.paper for e in datasets.frozen(version, *(r for r in Role if r.is_transfer))}
    assert kept
    trained = datasets.frozen(version, Role.TRAIN)
    assert not kept & {e.paper for e in trained}
    assert not kept & {paper_of(p) for e in trained for p in e.passages}
    text = datasets.file(version, "train.messages").read_text()
    for paper in kept:
        for k in range(5):
            assert finding(int(paper[1:]), k) not in text
    held = {
        question_and_answer(e)[0]
        for e in datasets.frozen(version, Role.TEST_MEMORY, Role.VALIDATION)
        if e.kind is Kind.QA
    }
    assert not held & {question_and_answer(e)[0] for e in trained}
    workspace.close()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab .", min_size=1, max_size=30), min_size=1, max_size=12), st.data())
def test_an_excerpt_holds_its_quote_and_keeps_its_size(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(f"{part.strip() or 'a'}{n}. " for n, part in enumerate(parts)).strip()
    ends = [0, *sentence_ends(text), len(text)]
    at = data.draw(st.integers(0, len(ends) - 2))
    quote = text[ends[at] : ends[at + 1]].strip()
    size = data.draw(st.integers(len(quote) + 2, len(text) + 2))
    cut = excerpt(text, quote, size)
    assert cut in text
    assert len(cut) <= max(size, len(quote))
    assert not quote or quotes.holds(cut, quote)


def test_templates_stay_one_pass(tmp_path: Path) -> None:
    turn = grounded.written(grounded.template(), "Is {sources} here?", ["{question}\n[9] posed"])
    assert "[1] {question} [9] posed" in turn
    assert grounded.asked(turn) == "Is {sources} here?"
    assert grounded.asked("no template") == "no template"
