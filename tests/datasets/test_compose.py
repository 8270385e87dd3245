"""Composing: every line is kept or refused with its reason; every quote is in its passage."""

from __future__ import annotations

import pytest

from tests.datasets.conftest import WriteLines, pair
from tests.datasets.library import PaperShelf
from tui.corpus.quotes import normalise
from tui.datasets import Datasets
from tui.datasets.compose import pieces
from tui.domain.errors import ConflictError, NotFoundError, UsageError
from tui.domain.example import Example, Form, Kind, Role, Status, Turn
from tui.domain.paper import Paper
from tui.formats.templates import FromPaper, QuestionAnswer, parse


def test_a_dataset_is_made_once_and_listed(datasets: Datasets) -> None:
    with pytest.raises(ConflictError, match="exists"):
        datasets.create("answers")
    datasets.create("more")
    assert [summary.name for summary in datasets.list()] == ["answers", "more"]
    datasets.remove("more")
    assert [summary.name for summary in datasets.list()] == ["answers"]
    with pytest.raises(NotFoundError):
        datasets.show("more")
    with pytest.raises(UsageError):
        datasets.create("../outside")


def test_a_pair_is_walked_back_to_its_passage(datasets: Datasets, write_lines: WriteLines) -> None:
    report = datasets.add_pairs("answers", write_lines(pair(2, 3)))
    assert (report.added, report.skipped, report.failed) == (1, 0, 0)
    example = datasets.examples("answers")[0]
    assert example.status is Status.ACCEPTED
    assert (example.author, example.paper, example.passages) == ("Ada", "p2", ("p2#4",))
    assert example.verified
    assert example.finding == "2x3"
    assert datasets.example(example.id[:8]) == example


def test_a_file_added_again_adds_nothing(datasets: Datasets, write_lines: WriteLines) -> None:
    path = write_lines(pair(0, 0), pair(0, 1))
    datasets.add_pairs("answers", path)
    report = datasets.add_pairs("answers", path)
    assert (report.added, report.skipped, report.failed) == (0, 2, 0)
    assert datasets.count("answers") == 2


REFUSED = {
    "no JSON": (b"question: why?", "JSON"),
    "a list": (["question"], "object"),
    "a duplicate key": (b'{"question": "a", "question": "b", "answer": "c"}', "twice"),
    "no question": ({"answer": "x"}, "question"),
    "an empty answer": ({"question": "x", "answer": "  "}, "answer"),
    "an answer that is a number": ({"question": "x", "answer": 283}, "string"),
    "an unknown role": (pair(0, 0, role="dev"), "role"),
    "an unknown paper": (pair(0, 0, paper="10.1/none"), "no paper"),
    "a quote that is nowhere": (pair(0, 0, quote="We found nothing of the kind."), "quote"),
    "a quote of another paper": (pair(0, 0, paper="p1"), "quote"),
    "a key phrase that is not in the answer": (pair(0, 0, key_phrase="9 kelvin"), "key phrase"),
    "a transfer test without its paper": (
        {"question": "x", "answer": "y", "role": "test-transfer"},
        "paper",
    ),
    "a tool that is not defined": (
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls":'
        b' [{"id": "abcdefghi", "function": {"name": "f", "arguments": "{}"}}]}], "tools": []}',
        "lacks",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_line_is_refused_with_its_reason_and_the_rest_is_kept(
    name: str, datasets: Datasets, write_lines: WriteLines
) -> None:
    bad, reason = REFUSED[name]
    report = datasets.add_pairs("answers", write_lines(pair(3, 0), bad, pair(3, 1)))
    assert (report.added, report.failed) == (2, 1)
    assert report.failures[0].line == 2
    assert reason in report.failures[0].reason


def test_a_paper_is_trained_on_or_kept_for_transfer_never_both(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    report = datasets.add_pairs(
        "answers",
        write_lines(
            pair(1, 0, role="test-transfer"),
            pair(1, 1, role="train"),
            pair(2, 0, role="train"),
            pair(2, 1, role="validation-transfer"),
        ),
    )
    assert [failure.line for failure in report.failures] == [2, 4]
    later = datasets.add_pairs("answers", write_lines(pair(1, 2, role="test-memory")))
    assert later.failed == 1
    assert "kept for transfer" in later.failures[0].reason


def test_control_characters_never_enter(datasets: Datasets, write_lines: WriteLines) -> None:
    datasets.add_pairs(
        "answers", write_lines({"question": "Why\x1b[2J?", "answer": "So\u202e it is.\u0007"})
    )
    example = datasets.examples("answers")[0]
    assert (example.question, example.answer) == ("Why?", "So it is.")


def test_pairs_in_the_plain_form_read_back(datasets: Datasets, write_lines: WriteLines) -> None:
    datasets.add_pairs("answers", write_lines(pair(0, 0)), form=Form.TEXT)
    example = datasets.examples("answers")[0]
    assert example.text.startswith("**Question:** At what")
    assert parse(example.text) == QuestionAnswer(pair(0, 0)["question"], pair(0, 0)["answer"])


def test_lines_of_training_files_are_examples_too(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    turns = [("user", "A"), ("assistant", "B"), ("user", "C"), ("assistant", "D")]
    messages = [{"role": role, "content": content} for role, content in turns]
    report = datasets.add_pairs(
        "answers",
        write_lines(
            {"messages": messages},
            {"messages": messages[:2]},
            {"text": "**Question:** Q? **Answer:** A."},
            {"text": "**From paper X:** words"},
        ),
    )
    assert report.added == 4
    kinds = [example.kind for example in datasets.examples("answers")]
    assert kinds == [Kind.CONVERSATION, Kind.QA, Kind.QA, Kind.FULL_TEXT]


def test_abstracts_become_summaries(datasets: Datasets, library: PaperShelf) -> None:
    library.add(
        Paper("bare", "A paper without an abstract"), ["Only words of the body stand here."]
    )
    report = datasets.add_from_corpus("answers", Kind.SUMMARY)
    assert (report.added, report.failed) == (7, 1)
    assert "no abstract" in report.failures[0].reason
    example = datasets.examples("answers", paper="p4")[0]
    assert "Paper number 4" in example.question
    assert example.answer == library.paper("p4").abstract
    assert example.passages == ("p4#0",)
    again = datasets.add_from_corpus("answers", Kind.SUMMARY, query="number 4")
    assert (again.added, again.skipped) == (0, 1)


def test_full_text_comes_by_section_without_the_references(
    datasets: Datasets, library: PaperShelf
) -> None:
    datasets.add_from_corpus("answers", Kind.FULL_TEXT, query="number 5")
    examples = datasets.examples("answers")
    assert len(examples) == 6
    assert all(example.form is Form.TEXT for example in examples)
    plain = parse(examples[1].text)
    assert plain == FromPaper("Paper number 5", library.passages("p5")[1].text)
    assert examples[1].passages == ("p5#1",)
    assert not any("Somebody" in example.text for example in examples)


def test_long_sections_are_cut_to_the_context_and_lose_nothing(
    datasets: Datasets, library: PaperShelf
) -> None:
    long = " ".join(f"Sentence number {n} says something." for n in range(400))
    library.add(Paper("long", "Long"), [long])
    datasets.add_from_corpus("answers", Kind.FULL_TEXT, query="long", context=128)
    texts = [parse(example.text) for example in datasets.examples("answers")]
    words = [text.text for text in texts if isinstance(text, FromPaper)]
    assert len(words) > 10
    assert all(len(example.text) <= 4 * 128 for example in datasets.examples("answers"))
    assert " ".join(words) == long


def test_pieces_prefer_the_end_of_a_paragraph_then_of_a_sentence() -> None:
    text = "One two. Three four.\n\nFive six seven. Eight nine ten eleven twelve"
    cuts = [text[start:end] for start, end in pieces(text, 0, len(text), 30)]
    assert "".join(cuts) == text
    assert cuts[0].endswith("\n\n")
    assert cuts[1].endswith("seven. ")


def test_full_text_may_be_asked_for_as_messages(datasets: Datasets) -> None:
    datasets.add_from_corpus("answers", Kind.FULL_TEXT, query="number 1", form=Form.MESSAGES)
    assert all(example.question for example in datasets.examples("answers"))


def test_what_has_to_be_written_cannot_be_cut_from_papers(datasets: Datasets) -> None:
    with pytest.raises(UsageError, match="cannot be cut"):
        datasets.add_from_corpus("answers", Kind.QA)


def test_ready_examples_keep_their_status_but_not_a_quote_that_is_nowhere(
    datasets: Datasets,
) -> None:
    turns = (Turn("user", "Why?"), Turn("assistant", "So."))
    report = datasets.add_examples(
        "answers",
        [
            Example("", "", Kind.QA, turns=turns, paper="p1", quote="nowhere to be read"),
            Example("", "", Kind.QA, turns=turns[:1]),
            Example("", "", Kind.QA, turns=turns, paper="p2", role=Role.TEST_TRANSFER),
        ],
    )
    assert (report.added, report.skipped, report.failed) == (1, 1, 1)
    example = datasets.examples("answers")[0]
    assert (example.status, example.quote, example.verified) == (Status.DRAFT, "", False)


def test_verified_quotes_stand_in_their_passage(
    datasets: Datasets, library: PaperShelf, write_lines: WriteLines
) -> None:
    pairs = [pair(n, k) for n in range(7) for k in range(5)]
    shouted = [{**item, "quote": item["quote"].upper().replace(" ", "  ")} for item in pairs]
    datasets.add_pairs("answers", write_lines(*shouted))
    for example in datasets.examples("answers", status=Status.ACCEPTED):
        passage = library.passage(example.passages[0])
        assert normalise(example.quote) in normalise(passage.text)
        assert passage.paper == example.paper
