"""From lines on pages to lines in reading order: columns, running heads, page numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

# Where running heads and page numbers stand: this share of the height from either edge.
_EDGE = 0.10
_PAGE_NUMBER = re.compile(
    r"[-–—\s\[(]*(?:page\s+|p\.\s*)?(?:\d{1,5}|[ivxlc]{1,7}|[a-z]{1,2}[.-]?\d{1,4})"
    r"(?:\s*(?:of|/)\s*\d{1,5})?[-–—\s\])]*",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Line:
    """A line of text: x from the left, y from the bottom, in points.

    `y0` is the base of its first character, `y1` of its last: they differ where pdfium joined two
    lines at a hyphen.
    """

    text: str
    x0: float
    x1: float
    y0: float
    y1: float
    top: float
    size: float
    bold: bool = False
    italic: bool = False
    turned: bool = False
    # A number for its font's name, the same throughout a document.
    font: int = 0
    # Whether text of another font follows on the same line: a heading run into its paragraph.
    run_in: bool = False
    page: int = 0
    column: int = 0
    # The edges of its column, and the distance from the line above (negative at a column's top).
    right: float = 0.0
    left: float = 0.0
    gap: float = 0.0


@dataclass(slots=True)
class Page:
    """A page's lines as extracted."""

    number: int
    width: float
    height: float
    lines: list[Line]
    characters: int = 0
    turned: list[Line] = field(default_factory=list)


def body_size(pages: Iterable[Page]) -> float:
    """The font size that most characters have."""
    weights: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            weights[round(line.size * 2) / 2] += len(line.text)
    return weights.most_common(1)[0][0] if weights else 10.0


def strip_furniture(pages: Sequence[Page]) -> list[Line]:
    """Take running heads, footers, page numbers, margin numbers and turned text off the pages.

    A head is what stands near an edge on several pages with the same words, digits aside. Returns
    what was taken off, for the record's sake (an arXiv stamp, a journal's line with its year).
    """
    taken: list[Line] = []
    seen: dict[str, set[int]] = defaultdict(set)
    for page in pages:
        for line in _edges(page):
            seen[_key(line.text)].add(page.number)
    wanted = 3 if len(pages) > 4 else 2
    repeated = {key for key, numbers in seen.items() if len(numbers) >= wanted and key}
    for page in pages:
        edge = {id(line) for line in _edges(page)}
        outer = {id(line) for line in _outermost(page)}
        margin = _margin_numbers(page)
        kept: list[Line] = []
        for line in page.lines:
            off = (
                line.turned
                or id(line) in margin
                or (id(line) in edge and len(pages) > 1 and _key(line.text) in repeated)
                or (id(line) in outer and _PAGE_NUMBER.fullmatch(line.text) is not None)
            )
            (taken if off else kept).append(line)
            line.page = page.number
        page.lines = kept
    return taken


def _key(text: str) -> str:
    """Words of a head without numbers; a line of digits alone has none."""
    return re.sub(r"[\W\d_]+", " ", text).strip().lower()[:80]


def _edges(page: Page) -> list[Line]:
    low, high = page.height * _EDGE, page.height * (1 - _EDGE)
    near = [line for line in page.lines if line.y0 < low or line.y0 > high]
    # Margins may be wide: what is outermost counts wherever it stands.
    return list({id(line): line for line in [*near, *_outermost(page)]}.values())


def _outermost(page: Page) -> list[Line]:
    if not page.lines:
        return []
    upright = [line for line in page.lines if not line.turned] or page.lines
    top = max(line.y0 for line in upright)
    bottom = min(line.y0 for line in upright)
    return [
        line
        for line in upright
        if line.y0 > top - line.size * 0.8 or line.y0 < bottom + line.size * 0.8
    ]


def _margin_numbers(page: Page) -> set[int]:
    """Line numbers of manuscripts under review: many short numbers in one column at the margin."""
    numbers = [line for line in page.lines if line.text.isdecimal() and len(line.text) <= 4]
    by_edge: dict[int, list[Line]] = defaultdict(list)
    for line in numbers:
        by_edge[round(line.x1 / 6)].append(line)
    found: set[int] = set()
    for lines in by_edge.values():
        values = [int(line.text) for line in lines]
        rising = sum(1 for a, b in pairwise(values) if 0 < b - a <= 5)
        outside = lines[0].x1 < page.width * 0.15 or lines[0].x0 > page.width * 0.85
        if len(lines) >= 10 and rising >= len(lines) * 0.8 and outside:
            found.update(id(line) for line in lines)
    return found


def in_reading_order(page: Page) -> list[Line]:
    """A page's lines, column by column.

    A producer nearly always writes in reading order, so its order stands unless it jumps about:
    then lines are ordered by their places, between those that span the columns.
    """
    lines = page.lines
    if len(lines) < 2:
        _measure(lines, page)
        return lines
    centre, two = _columns(page)
    for line in lines:
        line.column = _column(line, centre) if two else 0
    if two and _jumps(lines) > 4:
        lines = _by_bands(lines)
    elif not two and _upward(lines) > max(3, len(lines) * 0.15):
        lines = sorted(lines, key=lambda line: (-round(line.y0 / 3), line.x0))
    _measure(lines, page)
    return lines


def _columns(page: Page) -> tuple[float, bool]:
    """The middle between two columns, and whether there are two."""
    lines = [line for line in page.lines if len(line.text) > 12]
    if len(lines) < 8:
        return page.width / 2, False
    low, high = min(line.x0 for line in lines), max(line.x1 for line in lines)
    centre = (low + high) / 2
    slack = page.width * 0.02
    left = sum(len(line.text) for line in lines if line.x1 <= centre + slack)
    right = sum(len(line.text) for line in lines if line.x0 >= centre - slack)
    total = sum(len(line.text) for line in lines)
    return centre, left + right > 0.55 * total and min(left, right) > 0.08 * total


def _column(line: Line, centre: float) -> int:
    """1 left, 2 right, 0 across both."""
    if line.x0 >= centre - 12:
        return 2
    if line.x1 <= centre + 12 or (line.y1 < line.y0 - line.size * 0.5 and line.x0 < centre - 40):
        return 1
    # A hyphen at the foot of the left column joins its last line to the first of the right one.
    return 1 if line.y1 > line.y0 + line.size else 0


def _jumps(lines: Sequence[Line]) -> int:
    """How often the order goes from the right column back to the left one."""
    sides = [line.column for line in lines if line.column]
    return sum(1 for a, b in pairwise(sides) if a == 2 and b == 1)


def _upward(lines: Sequence[Line]) -> int:
    return sum(1 for a, b in pairwise(lines) if b.y0 > a.y0 + max(a.size, b.size))


def _by_bands(lines: Sequence[Line]) -> list[Line]:
    """Between lines that span the columns: the left column from the top, then the right one."""
    ordered: list[Line] = []
    band: list[Line] = []

    def close() -> None:
        ordered.extend(sorted(band, key=lambda line: (line.column, -line.y0, line.x0)))
        band.clear()

    for line in sorted(lines, key=lambda line: (-line.y0, line.x0)):
        if line.column == 0:
            close()
            ordered.append(line)
        else:
            band.append(line)
    close()
    return ordered


def _measure(lines: Sequence[Line], page: Page) -> None:
    """Note each line's column edges and the distance from the line above it."""
    edges: dict[int, tuple[float, float]] = {}
    for column in {line.column for line in lines}:
        own = [line for line in lines if line.column == column and len(line.text) > 20]
        own = own or [line for line in lines if line.column == column]
        edges[column] = (
            _mode([line.x0 for line in own]),
            sorted(line.x1 for line in own)[int(len(own) * 0.8)],
        )
    before: Line | None = None
    for line in lines:
        line.left, line.right = edges[line.column]
        line.page = page.number
        same = before is not None and before.column == line.column and line.y0 < before.y1 + 1
        line.gap = before.y1 - line.y0 if same and before is not None else -1.0
        before = line


def _mode(values: Sequence[float]) -> float:
    counts = Counter(round(value / 2) * 2 for value in values)
    return float(counts.most_common(1)[0][0]) if counts else 0.0


def pitch(lines: Sequence[Line], size: float) -> float:
    """The usual distance between two lines of body text."""
    gaps = [
        line.gap for line in lines if 0.5 * size < line.gap < 3 * size and abs(line.size - size) < 1
    ]
    return median(gaps) if gaps else size * 1.2


def usual_size(lines: Sequence[Line]) -> float:
    """The font size that most characters of the body have."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    return weights.most_common(1)[0][0] if weights else 10.0


def mostly_bold(lines: Sequence[Line], size: float) -> bool:
    """Whether the body itself is set bold, so that bold tells no heading."""
    body = [line for line in lines if abs(line.size - size) < 0.5]
    return sum(line.bold for line in body) > len(body) * 0.5
