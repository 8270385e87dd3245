"""What floats on a page: captions, tables' cells, pictures' labels, and how they belong together.

A caption may stand above its table or under its picture, and text may be written between the two:
they are joined by their places on the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tui.corpus.document import Block, BlockKind
from tui.corpus.layout import Line

CAPTION = re.compile(
    r"(?:(?:extended data|supplementary|supplemental|suppl?\.)\s+)?"
    r"(?:fig(?:ure|\.)?|table|tab\.|algorithm|listing|scheme|box|plate|chart)\s*"
    r"(?:[A-Z]?\d{1,3}|[IVX]{1,5}|[A-Z])"
    r"(?:\s*[.:|—–-]|\s*$|\s+(?=[A-Z(]))",
    re.IGNORECASE,
)
CAPTION_INITIALS = frozenset("FfTtAaLlSsBbPpEeCc")
_NUMERIC = re.compile(r"[-+±.,%\d/()*<>=x×–]+$")
_NUMBERS = re.compile(r"\d\S*\s(?:.*\s)?\S*[\d%)]")
_FURTHEST = 260.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands on a page."""

    page: int
    left: float
    right: float
    top: float
    bottom: float


def place_of(lines: Sequence[Line]) -> Place:
    """The box around lines of one page."""
    first = lines[0]
    here = [line for line in lines if line.page == first.page]
    return Place(
        first.page,
        min(line.x0 for line in here),
        max(line.x1 for line in here),
        max(line.y0 + line.size for line in here),
        min(line.y1 if line.y1 < line.y0 else line.y0 for line in here),
    )


def tabular(text: str) -> bool:
    """Whether a line is a row of numbers."""
    if _NUMBERS.search(text) is None:
        return False
    tokens = text.split()
    numbers = sum(1 for token in tokens if _NUMERIC.match(token))
    return numbers >= 2 and numbers * 2 >= len(tokens)


def together(blocks: Sequence[Block], places: dict[int, Place]) -> list[Block]:
    """Each caption with the cells or labels nearest to it on its page, in the caption's place.

    `places` are by the position of a block among `blocks`.
    """
    captions = [i for i in places if blocks[i].kind is BlockKind.CAPTION]
    by_page: dict[int, list[int]] = {}
    for i in captions:
        by_page.setdefault(places[i].page, []).append(i)
    taken: dict[int, list[int]] = {}
    for i, place in places.items():
        if blocks[i].kind is not BlockKind.TABLE:
            continue
        near = [(_distance(places[c], place), c) for c in by_page.get(place.page, ())]
        if near and min(near)[0] < _FURTHEST:
            taken.setdefault(min(near)[1], []).append(i)
    gone = {i for tables in taken.values() for i in tables}
    found = []
    for i, block in enumerate(blocks):
        if i in gone:
            continue
        if i in taken:
            parts = [block.text.rstrip(), *(blocks[table].text for table in sorted(taken[i]))]
            found.append(replace(block, text="\n".join(parts)))
        else:
            found.append(block)
    return found


def _distance(caption: Place, cells: Place) -> float:
    """The room between two blocks; far where neither is above the other."""
    if caption.right < cells.left or cells.right < caption.left:
        return _FURTHEST
    return max(0.0, caption.bottom - cells.top, cells.bottom - caption.top)
