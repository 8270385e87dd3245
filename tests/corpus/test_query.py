from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.corpus.query import Query, Term, parse
from tui.corpus.snippet import snippet


@given(st.text())
def test_no_query_ever_raises(text: str) -> None:
    assert isinstance(parse(text), Query)


@given(st.text(alphabet='ab"-:*.()[]{}^~+\\/ year19in', max_size=60))
def test_no_query_of_signs_ever_raises(text: str) -> None:
    for term in parse(text).terms:
        assert term.words
        assert not (term.phrase and term.prefix)


@given(st.text(max_size=400), st.sets(st.text(alphabet="abc", min_size=1, max_size=3)))
def test_marks_lie_on_the_words_that_were_looked_for(text: str, words: set[str]) -> None:
    cut, marks, _ = snippet(text, words)
    for start, end in marks:
        assert 0 <= start < end <= len(cut)


def test_fields_phrases_prefixes_and_exclusions_are_told_apart() -> None:
    found = parse('author:Keller "grey pebble" -sand title:river* wei')
    assert found.terms == (
        Term(("keller",), "author"),
        Term(("grey", "pebble"), phrase=True),
        Term(("sand",), negative=True),
        Term(("river",), "title", prefix=True),
        Term(("wei",), prefix=True),
    )
    assert not found.notes


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("year:2019", (2019, 2019)),
        ("year:2019..2022", (2019, 2022)),
        ("year:2019..", (2019, None)),
        ("year:..2022", (None, 2022)),
        ("year:2022..2019", (2019, 2022)),
        ("year:old", None),
    ],
)
def test_years_are_ranges(text: str, years: tuple[int | None, int | None] | None) -> None:
    assert parse(text).years == years


@pytest.mark.parametrize("text", ["colour:red", '"never closed', "year:soon", "-only"])
def test_what_cannot_be_meant_is_explained(text: str) -> None:
    assert parse(text).notes


def test_a_question_is_looked_for_by_its_telling_words() -> None:
    found = parse("At what temperature does Velmora resin set?")
    assert found.question
    assert [term.words[0] for term in found.terms] == ["temperature", "velmora", "resin", "set"]
    assert not any(term.prefix for term in found.terms)


def test_stop_words_alone_are_still_looked_for() -> None:
    assert [term.words[0] for term in parse("what is it").terms] == ["what", "is", "it"]
