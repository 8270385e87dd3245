"""Lines that pdfium ran together across the gap between two columns, taken apart again.

It happens where a producer wrote both columns row by row: then the two halves stand on one base
line, with nothing but a wide gap in the middle of the page between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tui.corpus.layout import Line

# A justified line's spaces stay under this share of the font size; gutters are wider than it.
_GAP = 0.9
_SAMPLE = 8


def split(
    lines: Sequence[tuple[Line, int]], width: float, edges: Callable[[int], tuple[float, float]]
) -> list[Line]:
    """The lines of a page, halved where most of the wide ones have a gap at the page's middle.

    Each line comes with the offset of its first character; `edges` gives a character's left and
    right edge by its offset.
    """
    centre = width / 2
    wide = [(line, begin) for line, begin in lines if _cuttable(line, begin, centre)]
    if len(wide) < 4:
        return [line for line, _ in lines]
    # Nearly every page has no such line: a few of them tell.
    few = [wide[len(wide) * share // 6] for share in (1, 3, 5)]
    if not any(_gap(line, begin, centre, edges) for line, begin in few):
        return [line for line, _ in lines]
    step = max(1, len(wide) // _SAMPLE)
    sample = wide[::step][:_SAMPLE]
    gaps = sum(1 for line, begin in sample if _gap(line, begin, centre, edges))
    if gaps < max(3, len(sample) * 0.6):
        return [line for line, _ in lines]
    found: list[Line] = []
    for line, begin in lines:
        gap = _gap(line, begin, centre, edges) if _cuttable(line, begin, centre) else None
        if gap is None:
            found.append(line)
            continue
        cut, left_end, right_start = gap
        found.append(replace(line, text=line.text[:cut].rstrip(), x1=left_end))
        found.append(replace(line, text=line.text[cut:].lstrip(), x0=right_start))
    return found


def _cuttable(line: Line, begin: int, centre: float) -> bool:
    return (
        begin >= 0
        and len(line.text) > 20
        and line.x0 < centre - 40
        and line.x1 > centre + 40
        and (abs(line.y0 - line.y1) < line.size * 0.5)
    )


def _gap(
    line: Line, begin: int, centre: float, edges: Callable[[int], tuple[float, float]]
) -> tuple[int, float, float] | None:
    """Where the line is cut at the middle, and the edges of the gap; None without a gap."""
    low, high = 0, len(line.text) - 1
    while low < high:
        middle = (low + high) // 2
        if edges(begin + middle)[0] < centre:
            low = middle + 1
        else:
            high = middle
    # Spaces may have boxes of no width at all: go to the letters on both sides.
    right = low
    while right < len(line.text) - 1 and line.text[right].isspace():
        right += 1
    left = right - 1
    while left > 0 and line.text[left].isspace():
        left -= 1
    left_end, right_start = edges(begin + left)[1], edges(begin + right)[0]
    if right - left < 2 or right_start - left_end < line.size * _GAP:
        return None
    return right, left_end, right_start
