"""The plain forms read back as they were written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.formats.templates import FromPaper, QuestionAnswer, from_paper, parse, question_answer

words = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="*:"), min_size=1)
sentences = st.lists(words, min_size=1, max_size=6).map(" ".join)


def test_the_forms_are_those_of_the_documentation() -> None:
    assert from_paper("On Resins", "They set.") == "**From paper On Resins:** They set."
    assert question_answer("Why?", "So.") == "**Question:** Why? **Answer:** So."


@given(sentences, sentences)
def test_words_of_a_paper_read_back(title: str, text: str) -> None:
    assert parse(from_paper(title, text)) == FromPaper(title, text)


@given(sentences, sentences)
def test_a_question_with_its_answer_reads_back(question: str, answer: str) -> None:
    assert parse(question_answer(question, answer)) == QuestionAnswer(question, answer)


def test_a_title_over_two_lines_becomes_one() -> None:
    assert parse(from_paper("On\n Resins", "They\n\nset.")) == FromPaper(
        "On Resins", "They\n\nset."
    )


def test_any_other_text_is_no_form() -> None:
    assert parse("Question: why? Answer: so.") is None
    assert parse("**Question:** why?") is None
