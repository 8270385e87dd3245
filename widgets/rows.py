"""The values a list shows: columns, rows, where rows come from, and how a row becomes a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.cells import cell_len, set_cell_size


@dataclass(frozen=True, slots=True)
class Column:
    """A column: at least `width` cells, `share` of what is left over; dropped when rank is high.

    Columns of rank 0 are always shown; of the others the highest rank goes first when the list is
    narrow. `right` aligns numbers.
    """

    title: str
    width: int
    share: int = 0
    rank: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its key, one text per column, and the tone it is drawn in (`""`, `dim`, `warning`)."""

    key: str
    cells: tuple[str, ...]
    tone: str = ""


class RowSource(Protocol):
    """Where rows come from; called in a thread, so it may take its time."""

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        """At most `limit` rows from `offset` on."""


class Held:
    """A source of rows that are in memory already."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        """A slice."""
        return self._rows[offset : offset + limit]


def line(columns: Sequence[Column], texts: Sequence[str], width: int, marked: bool) -> str:
    """A row as one line of `width` cells, a dot before it when it is selected."""
    parts = []
    for position, cells in widths(columns, width):
        text = texts[position] if position < len(texts) else ""
        size = cell_len(text)
        if size > cells:
            text = set_cell_size(text, cells - 1) + "…"
        elif columns[position].right:
            text = " " * (cells - size) + text
        else:
            text += " " * (cells - size)
        parts.append(text)
    return set_cell_size(f"{'●' if marked else ' '} " + "  ".join(parts), width)


def widths(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Which columns fit in `width` cells, by position, and how wide each is."""
    shown = list(enumerate(columns))
    room = width - 3  # the mark before, a space behind

    def needed() -> int:
        return sum(column.width for _, column in shown) + 2 * (len(shown) - 1)

    while needed() > room and any(column.rank for _, column in shown):
        shown.remove(max(shown, key=lambda item: item[1].rank))
    spare = max(0, room - needed())
    shares = sum(column.share for _, column in shown) or 1
    return [(place, column.width + spare * column.share // shares) for place, column in shown]
