"""The plain forms of a `text` example: what a paper says, and a question with its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PAPER = re.compile(r"\*\*From paper (?P<title>[^\n]*?):\*\*\s?(?P<text>.*)", re.DOTALL)
_QUESTION = re.compile(
    r"\*\*Question:\*\*\s?(?P<question>.*?)\s\*\*Answer:\*\*\s?(?P<answer>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class FromPaper:
    """`**From paper X:** …`: words of a paper under its title."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """`**Question:** … **Answer:** …`: one question with its answer."""

    question: str
    answer: str


def from_paper(title: str, text: str) -> str:
    """`text` as words of the paper `title`, which is put on one line."""
    return f"**From paper {' '.join(title.split())}:** {text.strip()}"


def question_answer(question: str, answer: str) -> str:
    """A question and its answer as one text."""
    return f"**Question:** {question.strip()} **Answer:** {answer.strip()}"


def parse(text: str) -> FromPaper | QuestionAnswer | None:
    """What a text in one of the plain forms holds; None for any other text."""
    text = text.strip()
    if match := _PAPER.fullmatch(text):
        return FromPaper(match["title"], match["text"])
    if match := _QUESTION.fullmatch(text):
        return QuestionAnswer(match["question"], match["answer"])
    return None
