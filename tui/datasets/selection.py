"""Examples from words that a person selected in a paper: as they stand, or with what they wrote."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui.corpus.quotes import holds, normalise
from tui.datasets.content import ask
from tui.datasets.library import Library
from tui.domain.errors import UsageError
from tui.domain.example import Example, Form, Kind, Status
from tui.formats import templates


@dataclass(frozen=True, slots=True)
class Selection:
    """A stretch of a paper's normalised text, as offsets into it."""

    paper: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote beside a passage; `quote` and `key_phrase` may be empty."""

    question: str
    answer: str
    quote: str = ""
    key_phrase: str = ""


def full_text(library: Library, selection: Selection) -> Example:
    """The words themselves, in the paper's name. Raises UsageError when there are none."""
    words = _words(library, selection)
    paper = library.paper(selection.paper)
    blank = _blank(library, selection, Kind.FULL_TEXT)
    return replace(blank, form=Form.TEXT, text=templates.from_paper(paper.title, words))


def summary(library: Library, selection: Selection, text: str) -> Example:
    """A summary that a person wrote of the stretch. Raises UsageError when it is empty."""
    if not text.strip():
        raise UsageError("The summary is empty.", "Write one, or leave with escape.")
    title = library.paper(selection.paper).title
    blank = _blank(library, selection, Kind.SUMMARY)
    return ask(blank, f"Summarise the paper “{title}”.", text.strip())


def pair(library: Library, selection: Selection, written: Written) -> Example:
    """A question with its answer about the stretch.

    Raises UsageError when one is missing, the key phrase is not of the answer, or the quote does
    not stand in the paper.
    """
    question, answer = written.question.strip(), written.answer.strip()
    phrase = written.key_phrase.strip()
    if not question or not answer:
        missing = "question" if not question else "answer"
        raise UsageError(f"The {missing} is missing.", "Type it, or leave with escape.")
    if normalise(phrase) not in normalise(answer):
        raise UsageError(
            "The key phrase does not stand in the answer.",
            "It is the word or number that makes an answer right; leave it empty if there is none.",
        )
    if written.quote.strip() and not holds(library.text(selection.paper), written.quote):
        raise UsageError(
            "The quote does not stand in the paper.",
            "Copy its words as they are; spaces, case and kinds of dashes do not matter.",
        )
    blank = replace(
        _blank(library, selection, Kind.QA), quote=written.quote.strip(), key_phrase=phrase
    )
    return ask(blank, question, answer)


def _words(library: Library, selection: Selection) -> str:
    words = library.text(selection.paper)[selection.start : selection.end].strip()
    if not words:
        raise UsageError("Nothing is selected.", "Select paragraphs in the reader first.")
    return words


def _blank(library: Library, selection: Selection, kind: Kind) -> Example:
    """An accepted example of the passages that the stretch touches."""
    touched = tuple(
        passage.id
        for passage in library.passages(selection.paper)
        if passage.start < selection.end and passage.end > selection.start
    )
    return Example("", "", kind, status=Status.ACCEPTED, paper=selection.paper, passages=touched)
