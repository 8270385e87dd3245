"""The order in which a corpus is asked about, and which questions count as the same."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.library import PaperShelf
from tui.datasets.generation.gates import numbers
from tui.datasets.generation.plan import (
    DEFAULT_MIX,
    QuestionType,
    Unit,
    in_turn,
    plan,
    question_type,
    spread,
)
from tui.datasets.generation.questions import QuestionIndex
from tui.domain.example import Kind
from tui.domain.paper import Paper
from tui.formats.near_duplicates import alike

SENTENCE = "In this sentence number {} of paper {} something is said about fens."


@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=8), stop=st.integers(0, 100))
def test_wherever_one_stops_all_papers_had_as_many_turns(sizes: list[int], stop: int) -> None:
    shelf = PaperShelf()
    for n, size in enumerate(sizes):
        shelf.add(Paper(f"p{n}", f"P{n}"), [SENTENCE.format(k, n) for k in range(size)])
    units = plan(shelf, shelf.papers(), Kind.QA)
    assert len({unit.id for unit in units}) == len(units) == sum(sizes)
    counts = Counter(unit.paper for unit in units[:stop])
    unfinished = [counts[f"p{n}"] for n, size in enumerate(sizes) if counts[f"p{n}"] < size]
    if unfinished:
        assert max(counts.values(), default=0) - min(unfinished) <= 1


@given(count=st.integers(0, 300), stop=st.integers(1, 300))
def test_within_a_paper_no_long_stretch_is_left_out(count: int, stop: int) -> None:
    order = spread(count)
    assert sorted(order) == list(range(count))
    visited = sorted(order[:stop])
    if visited and len(visited) < count:
        edges = [*visited, count]
        gap = max(after - before for before, after in pairwise(edges))
        assert visited[0] == 0
        assert gap <= 4 * count / len(visited) + 1


def test_a_plan_does_not_depend_on_the_order_of_papers() -> None:
    shelf = PaperShelf()
    for n in range(6):
        shelf.add(Paper(f"p{n}", f"P{n}"), [SENTENCE.format(k, n) for k in range(n)])
    papers = list(shelf.papers())
    assert plan(shelf, papers, Kind.QA) == plan(shelf, papers[::-1], Kind.QA)


def test_types_come_by_their_share_and_each_once_for_a_passage() -> None:
    first = Counter(question_type(f"p#{n}", 0, DEFAULT_MIX) for n in range(4000))
    assert abs(first[QuestionType.RESULT] / 4000 - 3 / 8) < 0.03
    turns = [question_type("p#1", turn, DEFAULT_MIX) for turn in range(5)]
    assert set(turns) == set(DEFAULT_MIX)


def test_queues_of_any_length_are_taken_in_turn() -> None:
    unit = Unit("a", "p", "P", ("a",))
    assert list(in_turn([])) == []
    assert list(in_turn([[], [unit], []])) == [unit]


WORDS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=8, unique=True)


@given(known=st.lists(WORDS, max_size=12), asked=WORDS)
def test_no_question_in_like_words_with_the_same_answer_is_overlooked(
    known: list[list[str]], asked: list[str]
) -> None:
    index = QuestionIndex()
    for letters in known:
        index.add(" ".join(letters), "the answer")
    text = " ".join(asked)
    expected = any(alike(" ".join(letters), text) for letters in known)
    assert (index.near(text, "the answer") is not None) == expected


def test_questions_on_different_things_are_different() -> None:
    index = QuestionIndex()
    index.add("At what temperature does Velmora resin set?", "At 283 kelvin.")
    assert index.near("At what temperature does Orsk resin set?", "At 301 kelvin.") is None
    assert index.near("At which temperature does Velmora resin set?", "At 283 kelvin it does.")
    assert index.near("At what temperature did the Velmora resin set?", "At 283 kelvin.")


def test_numbers_are_the_same_however_thousands_are_marked() -> None:
    assert numbers("1,250 of 3.5 and 1250.") == {"1250", "3.5"}
