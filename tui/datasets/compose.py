"""Examples cut from the corpus itself: abstracts as summaries, and full text by section."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tui.datasets.content import ask, cleaned
from tui.datasets.library import Library
from tui.domain.errors import UsageError
from tui.domain.example import Example, Form, Kind, Status
from tui.domain.paper import Paper, Passage, SectionKind
from tui.formats import templates

# Characters a token, for sizing; the check counts exactly.
_CHARACTERS_PER_TOKEN = 4
# Shorter pieces (a stray heading, a page number) teach nothing.
_LEAST = 40
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"(?<=[.!?])\s+"), re.compile(r"\s+"))


class NothingToTakeError(Exception):
    """A paper has nothing of the kind asked for; the message says what is missing."""


def compose(library: Library, paper: Paper, kind: Kind, form: Form, context: int) -> list[Example]:
    """The examples of one kind that a paper gives, accepted, since they are its own words.

    `context` is the longest example in tokens. Raises NothingToTakeError when the paper has none,
    UsageError for a kind that cannot be cut from a paper.
    """
    if kind is Kind.SUMMARY:
        found = [_summary(library, paper, form)]
    elif kind is Kind.FULL_TEXT:
        found = list(_full_text(library, paper, form, context))
    else:
        raise UsageError(
            f"Examples of the kind {kind.value} cannot be cut from papers.",
            "Bring them in a file: papertune dataset add NAME --kind qa --file PAIRS.jsonl",
        )
    if not found:
        raise NothingToTakeError("no text could be read from it")
    return [cleaned(example) for example in found]


def _summary(library: Library, paper: Paper, form: Form) -> Example:
    if not paper.abstract.strip():
        raise NothingToTakeError("it has no abstract")
    passages = library.passages(paper.id)
    blank = Example(
        "",
        "",
        Kind.SUMMARY,
        form,
        status=Status.ACCEPTED,
        paper=paper.id,
        passages=tuple(p.id for p in passages if p.kind is SectionKind.ABSTRACT),
    )
    return ask(blank, f"Summarise the paper “{paper.title}”.", paper.abstract.strip())


def _full_text(library: Library, paper: Paper, form: Form, context: int) -> Iterator[Example]:
    text = library.text(paper.id)
    passages = library.passages(paper.id)
    sections = sorted(paper.sections, key=lambda section: (section.start, -section.end))
    preamble = len(templates.from_paper(paper.title, "")) + 1
    size = max(10 * _LEAST, context * _CHARACTERS_PER_TOKEN - preamble)
    for position, section in enumerate(sections):
        if section.kind is SectionKind.REFERENCES:
            continue
        # A section that holds others ends where the first of them begins.
        following = sections[position + 1].start if position + 1 < len(sections) else section.end
        end = min(section.end, max(following, section.start))
        for start, stop in pieces(text, section.start, end, size):
            words = text[start:stop].strip()
            if len(words) < _LEAST:
                continue
            blank = Example(
                "",
                "",
                Kind.FULL_TEXT,
                form,
                status=Status.ACCEPTED,
                paper=paper.id,
                passages=_overlapping(passages, start, stop),
            )
            if form is Form.TEXT:
                yield replace(blank, text=templates.from_paper(paper.title, words))
            else:
                question = f"What does the paper “{paper.title}” say under “{section.title}”?"
                yield ask(blank, question, words)


def _overlapping(passages: Sequence[Passage], start: int, end: int) -> tuple[str, ...]:
    return tuple(p.id for p in passages if p.start < end and start < p.end)


def pieces(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """`text[start:end]` in pieces of at most `size` characters that lose nothing.

    Cut after a paragraph where one ends in the second half of a piece, else after a sentence, else
    between words, else within one.
    """
    while end - start > size:
        cut = start + size
        for pattern in _BREAKS:
            ends = [m.end() for m in pattern.finditer(text, start + size // 2, start + size)]
            if ends:
                cut = ends[-1]
                break
        yield start, cut
        start = cut
    if start < end:
        yield start, end
