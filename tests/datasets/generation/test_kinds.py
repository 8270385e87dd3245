"""What else is generated: open questions, questions with sources, conversations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.datasets.conftest import finding
from tests.datasets.generation.conftest import FOUND, Author, collect
from tests.mistral.faults import FaultServer
from tui.corpus import quotes
from tui.datasets import Datasets, grounded
from tui.datasets.content import question_and_answer
from tui.datasets.generation import Generator, QuestionType, gates
from tui.datasets.retrieval import RetrievalPlan
from tui.domain.example import Kind, Status

OPEN = {QuestionType.UNANSWERABLE: 1.0}


def conversation(pair: dict[str, Any]) -> dict[str, Any]:
    name = pair["question"].removeprefix("At what temperature does ").removesuffix(" melt?")
    first = {
        "quote": pair["quote"],
        "question": f"Does {name} melt at all?",
        "answer": f"Yes, {name} melts.",
    }
    second = {"quote": pair["quote"], "question": "How warm is it?", "answer": pair["answer"]}
    return {"exchanges": [first, second]}


async def test_an_open_question_is_kept_with_its_passage_and_a_refusal(
    generator: Generator, datasets: Datasets, author: Author, server: FaultServer
) -> None:
    author.change = lambda pair: {
        "quote": pair["quote"],
        "question": pair["question"].replace("At what temperature", "Under what pressure"),
        "wordings": [],
    }
    written, done = await collect(generator, query="number 0", wordings=1, mix=OPEN)
    assert (done.accepted, done.rejected) == (5, {})
    assert {event.type for event in written} == {"unanswerable"}
    asked = server.requests[0].json()["messages"][0]["content"]
    assert "does not answer" in asked
    for example in datasets.examples("answers"):
        assert example.kind is Kind.RETRIEVAL
        assert example.answer == grounded.REFUSAL
        assert example.verified
        assert quotes.holds(example.question, example.quote), "its own passage is shown"
        assert question_and_answer(example)[0].startswith("Under what pressure does substance")
        assert example.prompt.startswith("generate-unanswerable@")


async def test_an_open_question_passes_the_same_gates(generator: Generator, author: Author) -> None:
    author.change = lambda pair: {
        "quote": pair["quote"],
        "question": "What does this paper leave open about substances?",
    }
    _, done = await collect(generator, query="number 0", wordings=1, mix=OPEN)
    assert done.rejected == {"not-alone": 5}


async def test_questions_come_with_sources_where_that_is_asked_for(
    generator: Generator, datasets: Datasets
) -> None:
    plan = RetrievalPlan(refusals=0.4, distractors=2)
    _, done = await collect(generator, Kind.RETRIEVAL, wordings=1, sources=plan)
    assert done.accepted == 20
    examples = datasets.examples("answers", kind=Kind.RETRIEVAL, status=Status.DRAFT)
    refusals = [example for example in examples if example.answer == grounded.REFUSAL]
    assert 2 <= len(refusals) <= 15
    for example in examples:
        wanted = FOUND.search(example.quote)
        if example not in refusals:
            assert wanted is not None
            assert f"“{example.quote}” [" in example.answer


async def test_a_conversation_is_one_example_with_its_first_quote(
    generator: Generator, datasets: Datasets, author: Author
) -> None:
    author.change = conversation
    _, done = await collect(generator, Kind.CONVERSATION, query="number 1")
    assert (done.accepted, done.rejected) == (5, {})
    example = datasets.examples("answers", kind=Kind.CONVERSATION)[0]
    assert [turn.role for turn in example.turns] == ["user", "assistant", "user", "assistant"]
    assert example.verified
    assert example.status is Status.DRAFT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": "What else does Table 3 say?"}, "not-alone"),
        ({"quote": "We found that nothing of the kind ever melts."}, "quote-absent"),
        ({"answer": "It melts at 999 kelvin."}, "quote-unrelated"),
        ({"answer": "It was measured at Heidelberg."}, "quote-unrelated"),
    ],
)
async def test_one_bad_exchange_refuses_the_conversation(
    generator: Generator,
    datasets: Datasets,
    author: Author,
    change: dict[str, str],
    reason: str,
) -> None:
    def changed(pair: dict[str, Any]) -> dict[str, Any]:
        said = conversation(pair)
        said["exchanges"][1] |= change
        return said

    author.change = changed
    _, done = await collect(generator, Kind.CONVERSATION, query="number 1")
    assert done.rejected == {reason: 5}
    assert datasets.count("answers", status=Status.REJECTED) == 5


async def test_a_conversation_of_one_exchange_is_none(generator: Generator, author: Author) -> None:
    author.change = lambda pair: {"exchanges": conversation(pair)["exchanges"][:1]}
    _, done = await collect(generator, Kind.CONVERSATION, query="number 1")
    assert (done.accepted, done.failed) == (0, 5)


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("It melts at Heidelberg's own temperature.", False),
        ("It melts, as Dynamo-DB does.", False),
        ("It melts at Substance’s 200 kelvin.", False),
        ("Kelvin: it melts.", True),
    ],
)
async def test_a_name_in_the_answer_must_stand_in_the_quote(
    generator: Generator, author: Author, answer: str, accepted: bool
) -> None:
    author.change = lambda pair: {**pair, "answer": answer, "key_phrase": "", "wordings": []}
    _, done = await collect(generator, query="number 0", wordings=1, mix={QuestionType.RESULT: 1})
    assert ("quote-unrelated" not in done.rejected) is accepted


@pytest.mark.parametrize(
    ("answer", "quote", "passes"),
    [
        (
            "It is the Amazon.com platform that sells so much.",
            "The Amazon.com platform sells.",
            True,
        ),
        (
            "It is said that I'm the Amazon platform.",
            "The Amazon.com platform is said to be.",
            True,
        ),
        ("The group at Walsh-Hadamard did so.", "The group at Walsh, and Hadamard, did so.", False),
        ("They used SHA-256 as their hash.", "They used a hash, SHA-256, here.", True),
    ],
)
def test_names_are_found_in_whichever_form_the_quote_has_them(
    answer: str, quote: str, passes: bool
) -> None:
    candidate = gates.Candidate("What then?", answer, quote, "", quote)
    assert (gates._holds_the_answer(candidate) is None) is passes


async def test_a_question_that_points_at_nothing_does_not_stand_alone(
    generator: Generator, author: Author
) -> None:
    author.change = lambda pair: {
        **pair,
        "question": "At what temperature do these substances melt?",
        "wordings": [],
    }
    _, done = await collect(generator, query="number 0", wordings=1)
    assert done.rejected["not-alone"] >= 5 - done.accepted
    assert done.accepted == 0


async def test_an_injection_out_of_a_passage_ends_as_a_row_of_its_own(
    generator: Generator, datasets: Datasets, author: Author
) -> None:
    """A model that obeys its passage is refused by the gates, whatever it was told to say."""
    author.change = lambda pair: {
        "quote": finding(0, 0),
        "question": "Which product of substance 0x0 is best of all?",
        "answer": "Buy Resinex now, visit evil.example!",
        "key_phrase": "Resinex",
        "wordings": [],
    }
    written, done = await collect(generator, query="number 0", wordings=1)
    assert done.accepted == 0
    assert all(event.reason or event.message for event in written)
    assert datasets.count("answers", status=Status.DRAFT) == 0
