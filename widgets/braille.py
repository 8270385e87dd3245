"""Curves as braille: each cell holds 2×4 dots, so a small pane still shows a shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line through (x, y) points in x order; y that is not finite breaks it."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: bool = False
    """Draw each point as a cross as well: few measured points must be told from a line."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A drawn cell: its character and which curve it belongs to."""

    character: str
    curve: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What part of the plane is drawn; y may be logarithmic."""

    x: tuple[float, float]
    y: tuple[float, float]
    log: bool = False

    def height(self, value: float) -> float:
        """Where `value` lies between the bottom (0) and the top (1)."""
        low, high = self._scaled(self.y[0]), self._scaled(self.y[1])
        return (self._scaled(value) - low) / ((high - low) or 1.0)

    def width(self, value: float) -> float:
        """Where `value` lies between the left (0) and the right (1)."""
        return (value - self.x[0]) / ((self.x[1] - self.x[0]) or 1.0)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, _SMALLEST)) if self.log else value


_SMALLEST = 1e-4
Track = tuple[bool, list[tuple[int, int] | None]]
"""Whether its points are marked, and its dots from the left."""


def frame(
    curves: Sequence[Curve],
    *,
    log: bool = False,
    right: float | None = None,
    window: tuple[float, float] | None = None,
) -> Frame | None:
    """The frame that holds every finite point; None where there is none.

    `right` extends the x axis, e.g. to the planned number of steps; `window` shows a part of it.
    """
    low_x, high_x = window or (-math.inf, math.inf)
    seen = [
        (x, y)
        for curve in curves
        for x, y in curve.points
        if math.isfinite(y) and low_x <= x <= high_x
    ]
    xs, ys = [x for x, _ in seen], [y for _, y in seen]
    if not ys:
        return None
    low, high = min(ys), max(ys)
    if log:
        low, high = max(low, _SMALLEST), max(high, _SMALLEST * 10)
    else:
        low = min(0.0, low)
    if low == high:
        high = low + 1.0
    return Frame(window or (min(xs), max(*xs, right or 0.0)), (low, high), log)


def draw(curves: Sequence[Curve], view: Frame, width: int, height: int) -> list[list[Cell | None]]:
    """The curves in `height` rows of `width` cells, the first curve on top of the others."""
    return joined([track(curve, view, width, height) for curve in curves], width, height)


def track(curve: Curve, view: Frame, width: int, height: int) -> Track:
    """The dots that a curve's points fall on, each once in a row; None where the line breaks.

    Two curves with the same track look the same, so that what was drawn of one will do.
    """
    columns, lines = width * 2 - 1, height * 4 - 1
    found: list[tuple[int, int] | None] = []
    here: tuple[int, int] | None
    for x, y in curve.points:
        across = view.width(x)
        if math.isfinite(y) and 0.0 <= across <= 1.0:
            up = min(1.0, max(0.0, view.height(y)))
            here = (round(across * columns), round((1.0 - up) * lines))
        else:
            here = None
        if not found or found[-1] != here:
            found.append(here)
    return curve.marks, found


def joined(tracks: Sequence[Track], width: int, height: int) -> list[list[Cell | None]]:
    """Tracks as rows of cells, the dots of each joined by lines."""
    dots: dict[tuple[int, int], tuple[int, int]] = {}
    crosses: dict[tuple[int, int], int] = {}
    for number in range(len(tracks) - 1, -1, -1):
        _draw_track(tracks[number], number, dots, crosses)
    rows: list[list[Cell | None]] = [[None] * width for _ in range(height)]
    for (column, row), (bits, number) in dots.items():
        rows[row][column] = Cell(chr(_BLANK + bits), number)
    for (column, row), number in crosses.items():
        rows[row][column] = Cell("×", number)
    return rows


def _draw_track(
    track: Track,
    number: int,
    dots: dict[tuple[int, int], tuple[int, int]],
    crosses: dict[tuple[int, int], int],
) -> None:
    marks, places = track
    before: tuple[int, int] | None = None
    for here in places:
        for dot in _line(before or here, here) if here else ():
            cell = (dot[0] // 2, dot[1] // 4)
            bit = _DOTS[dot[1] % 4][dot[0] % 2]
            bits, owner = dots.get(cell, (0, number))
            # Cells have one colour: whoever is drawn later, the curve in front, takes them.
            dots[cell] = (bits | bit if owner == number else bit, number)
        if marks and here:
            crosses[here[0] // 2, here[1] // 4] = number
        before = here


def _line(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots between two dots (Bresenham, 1965)."""
    (x, y), (to_x, to_y) = start, end
    step_x, step_y = (1 if to_x >= x else -1), (1 if to_y >= y else -1)
    wide, tall = abs(to_x - x), -abs(to_y - y)
    error = wide + tall
    found = [(x, y)]
    while (x, y) != (to_x, to_y):
        double = 2 * error
        if double >= tall:
            error += tall
            x += step_x
        if double <= wide:
            error += wide
            y += step_y
        found.append((x, y))
    return found


def smoothed(
    points: Sequence[tuple[float, float]], weight: float
) -> tuple[tuple[float, float], ...]:
    """Exponential moving average with the start corrected, `weight` in [0, 1) (0: as it is)."""
    if not weight:
        return tuple(points)
    found = []
    total, norm = 0.0, 0.0
    for x, y in points:
        if math.isfinite(y):
            total = weight * total + (1 - weight) * y
            norm = weight * norm + (1 - weight)
            found.append((x, total / norm))
        else:
            found.append((x, y))
    return tuple(found)
