"""Cutting a section into passages of 200 to 400 tokens that never split an equation or table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 4
LEAST = 200 * CHARACTERS_PER_TOKEN
WISHED = 300 * CHARACTERS_PER_TOKEN
MOST = 400 * CHARACTERS_PER_TOKEN
# A table larger than this is no table: hostile or mistaken input must not make one passage of
# megabytes.
LARGEST_WHOLE = 10 * MOST

_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-Þ])")
_ABBREVIATIONS = frozenset({"al", "cf", "vs", "fig", "figs", "eq", "eqs", "no", "dr", "e.g", "i.e"})


@dataclass(frozen=True, slots=True)
class Unit:
    """A paragraph, or something whole (equation, table, code), by its offsets in the text."""

    start: int
    end: int
    whole: bool = False


def sentence_ends(text: str) -> list[int]:
    """Offsets just after each sentence's following space; the last one is `len(text)`."""
    ends = [
        match.end()
        for match in _SENTENCE_END.finditer(text)
        if not _abbreviated(text, match.start())
    ]
    if not ends or ends[-1] != len(text):
        ends.append(len(text))
    return ends


def _abbreviated(text: str, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to an initial or an abbreviation."""
    word = text[max(0, stop - 12) : stop].rsplit(None, 1)
    last = word[-1].lstrip("([") if word else ""
    return (len(last) == 1 and last.isupper()) or last.lower() in _ABBREVIATIONS


def cut(text: str, units: Sequence[Unit]) -> list[tuple[int, int]]:
    """The passages of one section as (start, end), in order, without overlap.

    Together they hold every character of the units except white space. Each is at most `MOST`
    characters long unless it is one whole equation or table; a sentence is split only when it is
    longer than that by itself.
    """
    passages: list[tuple[int, int]] = []
    start = end = -1
    for unit_start, unit_end, opens in _pieces(text, units):
        if start >= 0 and (
            unit_end - start > MOST or (opens and end - start >= WISHED - LEAST // 4)
        ):
            passages.append((start, end))
            start = -1
        if start < 0:
            start = unit_start
        end = unit_end
    if start >= 0:
        passages.append((start, end))
    return _join_small_tail(passages)


def _join_small_tail(passages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(passages) >= 2:
        (start, _), (tail, end) = passages[-2:]
        if end - tail < LEAST // 2 and end - start <= MOST:
            passages[-2:] = [(start, end)]
    return passages


def _pieces(text: str, units: Iterable[Unit]) -> Iterator[tuple[int, int, bool]]:
    """Sentences and whole units as (start, end, opens a paragraph), trimmed of white space."""
    for unit in units:
        if unit.whole and unit.end - unit.start <= LARGEST_WHOLE:
            trimmed = _trim(text, unit.start, unit.end)
            if trimmed:
                yield (*trimmed, True)
            continue
        first = True
        begin = unit.start
        for offset in sentence_ends(text[unit.start : unit.end]):
            for start, end in _split_long(text, begin, unit.start + offset):
                yield start, end, first
                first = False
            begin = unit.start + offset


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _split_long(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, cut at spaces where it is longer than a passage may be."""
    while True:
        trimmed = _trim(text, start, end)
        if trimmed is None:
            return
        start, end = trimmed
        if end - start <= MOST:
            yield start, end
            return
        space = max(
            text.rfind(" ", start + LEAST, start + MOST),
            text.rfind("\n", start + LEAST, start + MOST),
        )
        stop = space if space > start else start + MOST
        piece = _trim(text, start, stop)
        if piece:
            yield piece
        start = stop
