"""Breaking a long text into screen lines by offsets, without copying it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, get_character_cell_size

_MOST_HITS = 10_000


def wrap(text: str, width: int) -> list[tuple[int, int]]:
    """Lines of at most `width` cells as (start, end) offsets; every newline ends one.

    Breaks at spaces, inside a word only where it is longer than a line.
    """
    lines: list[tuple[int, int]] = []
    start = 0
    width = max(8, width)
    while start <= len(text):
        end = text.find("\n", start)
        if end < 0:
            end = len(text)
        if end - start <= width and text[start:end].isascii():
            lines.append((start, end))
        else:
            lines.extend(_wrap_line(text, start, end, width))
        start = end + 1
    return lines


def _wrap_line(text: str, start: int, end: int, width: int) -> Iterator[tuple[int, int]]:
    narrow = cell_len(text[start:end]) == end - start
    while True:
        limit = min(end, start + width) if narrow else _reach(text, start, end, width)
        if limit >= end:
            yield start, end
            return
        space = text.rfind(" ", start, limit + 1)
        cut = space if space > start else limit
        yield start, cut
        start = cut
        while start < end and text[start] == " ":
            start += 1


def _reach(text: str, start: int, end: int, width: int) -> int:
    """The offset up to which wide characters and all fit in `width` cells."""
    cells = 0
    for offset in range(start, end):
        cells += get_character_cell_size(text[offset])
        if cells > width:
            return max(offset, start + 1)
    return end


def line_at(lines: Sequence[tuple[int, int]], offset: int) -> int:
    """The number of the line that holds a text offset."""
    return max(0, bisect_right(lines, (offset, float("inf"))) - 1)


def find(text: str, query: str) -> list[tuple[int, int]]:
    """Where `query` stands in `text`: any case, any white space between words, in order."""
    words = query.split()
    if not words:
        return []
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    found: list[tuple[int, int]] = []
    for match in pattern.finditer(text):
        found.append(match.span())
        if len(found) == _MOST_HITS:
            break
    return found


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Where the paragraphs of a text are, as offsets without the blank lines around them."""
    found = []
    for match in re.finditer(r"\S(?:.|\n(?![^\S\n]*\n))*", text):
        found.append((match.start(), match.start() + len(match.group().rstrip())))
    return found
