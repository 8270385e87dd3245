"""Checking a dataset: every planted fault is named, a clean one raises no alarm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.datasets.conftest import WriteLines, finding, pair
from tests.datasets.library import PaperShelf
from tui.datasets import Datasets
from tui.datasets.leaks import Learnt, find_leaks
from tui.domain.errors import NotFoundError
from tui.domain.example import CheckReport, Example, Form, Kind, Role, Status, Turn
from tui.storage.workspace import Workspace


def learnt(name: str, role: Role, **values: object) -> Learnt:
    fields: dict[str, object] = {
        "kind": Kind.QA,
        "papers": frozenset({"p1"}),
        "fact": name,
        "question": "",
        "answer": "",
        "text": "",
        **values,
    }
    return Learnt(id=name, role=role, **fields)  # type: ignore[arg-type]


def codes(*examples: Learnt) -> list[tuple[str, str, bool]]:
    return [(leak.code, leak.example, leak.fatal) for leak in find_leaks(examples)]


def test_a_transfer_paper_in_training_is_a_leak_also_through_a_passage() -> None:
    test = learnt("test", Role.TEST_TRANSFER, papers=frozenset({"kept"}))
    assert codes(test, learnt("a", Role.TRAIN)) == []
    for role in (Role.TRAIN, Role.VALIDATION, Role.TEST_MEMORY):
        cites = learnt("b", role, papers=frozenset({"p1", "kept"}))
        fatal = role is not Role.VALIDATION  # which only watches
        assert codes(test, cites) == [("leak-transfer-paper", "test", fatal)]


def test_the_same_question_is_a_leak_and_another_wording_or_fact_is_none() -> None:
    asked = "At what temperature does Velmora resin set?"
    trained = learnt("a", Role.TRAIN, fact="velmora", question=asked)
    near = "At what temperature does Velmora resin finally set?"
    far = "How warm must Velmora be before it hardens?"
    for question, fact, leaks in (
        (asked.upper(), "another", True),
        (near, "velmora", True),
        (near, "another", False),
        (far, "velmora", False),
    ):
        test = learnt("test", Role.TEST_MEMORY, fact=fact, question=question)
        assert codes(trained, test) == ([("leak-question", "test", True)] if leaks else []), (
            question
        )


def test_a_wording_that_watches_training_may_be_nearer() -> None:
    asked = "At what temperature does Velmora resin set?"
    trained = learnt("a", Role.TRAIN, fact="velmora", question=asked)
    swapped = "At what temperature does Velmora resin harden?"
    more = "At what temperature does Velmora resin finally set?"
    watch = learnt("w", Role.VALIDATION, fact="velmora", question=swapped)
    assert codes(trained, watch) == []
    nearer = learnt("w", Role.VALIDATION, fact="velmora", question=more)
    assert codes(trained, nearer) == [("leak-question", "w", False)]


def test_thirteen_words_in_a_row_are_told_twelve_are_not() -> None:
    run = [f"word{n}" for n in range(13)]
    test = learnt("test", Role.TEST_TRANSFER, papers=frozenset({"kept"}), answer=" ".join(run))
    whole = learnt("a", Role.TRAIN, text="before " + ", ".join(run).upper() + " after")
    part = learnt("b", Role.TRAIN, text=" ".join(run[:12]) + " and " + run[12])
    assert codes(test, whole) == [("leak-overlap", "test", False)]
    assert codes(test, part) == []


def warned(report: CheckReport) -> set[str]:
    return {warning.split(":")[0] for warning in report.warnings}


def test_a_clean_dataset_raises_no_alarm(datasets: Datasets, write_lines: WriteLines) -> None:
    pairs = [pair(n, k, w) for n in range(7) for k in range(5) for w in range(6)]
    datasets.add_pairs("answers", write_lines(*pairs))
    datasets.split("answers")
    report = datasets.check("answers")
    assert (report.lines, report.valid, report.invalid) == (210, 210, 0)
    assert (report.duplicates, report.near_duplicates, report.leaks) == (0, 0, 0)
    assert report.errors == ()
    assert warned(report) <= {"hosted"}
    assert report.tokens > 210 * 10


def test_planted_faults_of_a_dataset_are_named(datasets: Datasets, write_lines: WriteLines) -> None:
    overlong = {"question": "Why so long?", "answer": "word " * 500}
    tell = {"question": "Is it 9 kelvin?", "answer": "It is 9 kelvin.", "key_phrase": "9 kelvin"}
    edited = {**pair(2, 2, 3), "question": pair(2, 2, 3)["question"].replace("drops", "beads")}
    datasets.add_pairs(
        "answers",
        write_lines(
            *[pair(2, k, w, role="train") for k in range(5) for w in range(6)],
            *[pair(n, 0, role="train") for n in (3, 4)],
            {**pair(2, 0), "question": pair(2, 0)["question"].lower(), "role": "train"},
            {**edited, "role": "train"},
            {
                **pair(2, 1, 1),
                "question": pair(2, 1, 1)["question"] + " Now?",
                "role": "test-memory",
            },
            {**overlong, "role": "train"},
            {**tell, "role": "train"},
            {"question": "No role here?", "answer": "None at all."},
        ),
    )
    turns = (Turn("user", "A draft?"), Turn("assistant", "Yes."))
    datasets.add_examples("answers", [Example("", "", Kind.QA, turns=turns)])
    report = datasets.check("answers", seq_len=200)
    assert report.over_length == 1
    assert report.duplicates == 1
    assert report.near_duplicates >= 1
    assert report.leaks == 1
    assert [error.code for error in report.errors] == ["leak-question"]
    assert report.invalid == 0
    assert {
        "over-length",
        "duplicate",
        "near-duplicate-across",
        "key-phrase-in-question",
        "unsplit",
        "drafts",
        "balance",
    } <= warned(report)


def test_what_the_hosted_service_would_mind_is_said(datasets: Datasets) -> None:
    datasets.add_from_corpus("answers", Kind.FULL_TEXT)
    datasets.split("answers", transfer=0.5)
    report = datasets.check("answers")
    assert len([warning for warning in report.warnings if warning.startswith("hosted")]) == 2


def test_an_empty_dataset_says_so(datasets: Datasets) -> None:
    report = datasets.check("answers")
    assert (report.lines, report.invalid) == (0, 0)
    assert warned(report) == {"empty"}


def test_any_file_can_be_checked(datasets: Datasets, write_lines: WriteLines) -> None:
    path = write_lines({"text": "good"}, {"text": "good"}, b"bad")
    for target in (path, str(path)):
        report = datasets.check(target)
        assert (report.valid, report.invalid, report.duplicates) == (2, 1, 1)
        assert report.errors[0].line == 3
    with pytest.raises(NotFoundError):
        datasets.check(Path("missing.jsonl"))
    with pytest.raises(NotFoundError):
        datasets.check("no-such-dataset")


class Words:
    """Counts words, as a stand-in for a model's tokenizer."""

    def count(self, text: str) -> int:
        return len(text.split())

    def count_messages(self, turns: object, tools: object = ()) -> int:
        return 7


def test_tokens_are_the_models_own_where_it_is_given(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    datasets.add_pairs("answers", write_lines(pair(0, 0, role="train")))
    datasets.add_pairs("answers", write_lines(pair(1, 0, role="train")), form=Form.TEXT)
    words = len(datasets.examples("answers")[1].text.split())
    assert datasets.check("answers", tokenizer=Words()).tokens == 7 + words
    version = datasets.freeze("answers", tokenizer=Words())
    assert {key: entry.tokens for key, entry in version.files.items()} == {
        "train.messages": 7,
        "train.text": words,
    }


def test_a_paper_through_a_passage_blocks_freezing(
    workspace: Workspace, library: PaperShelf, datasets: Datasets, write_lines: WriteLines
) -> None:
    datasets.add_pairs(
        "answers", write_lines(pair(0, 0, role="train"), pair(1, 0, role="test-transfer"))
    )
    turns = (Turn("user", f"Sources: {finding(1, 2)} Which?"), Turn("assistant", "The second."))
    mixed = Example(
        "", "", Kind.RETRIEVAL, turns=turns, role=Role.TRAIN, paper="p0", passages=("p0#1", "p1#3")
    )
    accepted = replace(mixed, status=Status.ACCEPTED)
    datasets.add_examples("answers", [accepted])
    codes = [error.code for error in datasets.check("answers").errors]
    assert codes == ["leak-transfer-paper"]
