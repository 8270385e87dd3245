"""A plot of losses that repaints only the lines that changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from widgets.braille import Cell, Curve, Frame, Track, frame, joined, track
from widgets.thin import Thinned

_AXIS = 8
_WEIGHTS = (0.0, 0.6, 0.9)
_ZOOM = 2.0
_DEEPEST = 64.0
MOST_CURVES = 6


class LossPlot(Widget):
    """Curves with axes and a legend; linear or logarithmic, smoothed or raw, with cursor and zoom.

    The first curve lies on top. Curves without marks are smoothed: few measured points are what
    they are. A curve whose points are a list that grows is drawn without reading it all again.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"loss-plot--curve-{number}" for number in range(MOST_CURVES)),
        "loss-plot--axis",
        "loss-plot--cursor",
    }
    DEFAULT_CSS = """
    LossPlot { height: 1fr; background: $background; }
    LossPlot > .loss-plot--axis { color: $muted; }
    LossPlot > .loss-plot--cursor { color: $foreground; }
    LossPlot > .loss-plot--curve-0 { color: $primary; }
    LossPlot > .loss-plot--curve-1 { color: $muted; }
    LossPlot > .loss-plot--curve-2 { color: $accent; }
    LossPlot > .loss-plot--curve-3 { color: $success; }
    LossPlot > .loss-plot--curve-4 { color: $warning; }
    LossPlot > .loss-plot--curve-5 { color: $error; }
    """

    def __init__(self, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._curves: tuple[Curve, ...] = ()
        self._right: float | None = None
        self._unit = "step"
        self._lines: list[Strip] = []
        # By the identity of a curve's points, which are held so that it stays theirs.
        self._thin: dict[tuple[int, float, float, int, float], Thinned] = {}
        self._extent: dict[int, tuple[int, float, float]] = {}
        self._held: dict[int, Sequence[tuple[float, float]]] = {}
        self._body: dict[int, tuple[str, list[Cell | None], int | None, Strip]] = {}
        self._palette: list[Style] = []
        self._drawn: tuple[list[Track], int, int, list[list[Cell | None]]] | None = None
        self.log_scale = False
        self.cursor: float | None = None
        self._zoom, self._middle = 1.0, 0.5
        self._smoothing = 0

    @property
    def smoothing(self) -> float:
        """The weight of the moving average, 0 for none."""
        return _WEIGHTS[self._smoothing]

    def show(
        self, curves: Sequence[Curve], *, right: float | None = None, unit: str = "step"
    ) -> None:
        """Draw other curves; only lines that differ from what is on the screen are sent."""
        self._curves, self._right = tuple(curves[:MOST_CURVES]), right
        self._held = {id(curve.points): curve.points for curve in self._curves}
        self._extent = {key: value for key, value in self._extent.items() if key in self._held}
        self._thin = {key: value for key, value in self._thin.items() if key[0] in self._held}
        if unit != self._unit:
            self._unit, self.cursor = unit, None
        self._draw()

    def toggle_log(self) -> None:
        """Linear or logarithmic losses."""
        self.log_scale = not self.log_scale
        self._draw()

    def next_smoothing(self) -> None:
        """None, some, much."""
        self._smoothing = (self._smoothing + 1) % len(_WEIGHTS)
        self._draw()

    def move_cursor(self, cells: int) -> None:
        """Move the cursor, which shows its values in the legend; it begins at the last point."""
        window = self._window()
        if window is None:
            return
        left, right = window
        cell = (right - left) / max(1, self._width - 1)
        ends = [curve.points[-1][0] for curve in self._curves if curve.points]
        at = max(ends, default=right) if self.cursor is None else self.cursor + cells * cell
        self.cursor = min(right, max(left, at))
        self._draw()

    @property
    def pointed(self) -> bool:
        """Whether there is a cursor, or a zoom."""
        return self.cursor is not None or self._zoom > 1.0

    def hide_cursor(self) -> bool:
        """Take the cursor and the zoom away; whether there was one."""
        there = self.pointed
        self.cursor, self._zoom, self._middle = None, 1.0, 0.5
        if there:
            self._draw()
        return there

    def zoom(self, closer: bool) -> None:
        """Half or twice the width of x, around the cursor where there is one."""
        whole = self._whole()
        if whole is None:
            return
        self._zoom = min(_DEEPEST, max(1.0, self._zoom * (_ZOOM if closer else 1 / _ZOOM)))
        width = (whole[1] - whole[0]) or 1.0
        at = whole[1] if self.cursor is None else self.cursor
        self._middle = (at - whole[0]) / width
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._lines, self._body = [], {}
        self._draw()

    def notify_style_update(self) -> None:
        """Draw with the new theme's colours."""
        super().notify_style_update()
        self._lines, self._body, self._palette = [], {}, []
        if self.is_mounted:
            self._draw()

    def render_line(self, y: int) -> Strip:
        """A line as it was drawn last."""
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.rich_style)

    @property
    def _width(self) -> int:
        return self.size.width - _AXIS - 1

    def _draw(self) -> None:
        width, height = self.size
        if not width or not height:
            return
        base = self._styles()[-1]
        blank = Strip.blank(width, base)
        lines = [line.adjust_cell_length(width, base) for line in self._strips()]
        lines = [*lines, *[blank] * (height - len(lines))][:height]
        old, self._lines = self._lines, lines
        if len(old) != len(lines):
            self.refresh()
            return
        changed = [y for y, (one, other) in enumerate(zip(old, lines, strict=True)) if one != other]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _strips(self) -> list[Strip]:
        width, height = self._width, self.size.height - 2
        muted = self._styles()[-2]
        window = self._window()
        if window is None or width < 8 or height < 3:
            return [Strip([Segment(f" {self._empty}", muted)])]
        curves = [self._thinned(curve, window, width) for curve in self._curves]
        view = frame(curves, log=self.log_scale, window=window)
        if view is None:
            return [Strip([Segment(f" {self._empty}", muted)])]
        rows = self._rows(curves, view, width, height)
        at = None if self.cursor is None else round(view.width(self.cursor) * (width - 1))
        kept, self._body = self._body, {}
        styles = self._styles()
        for y, (label, row) in enumerate(zip(_y_labels(view, height), rows, strict=True)):
            before = kept.get(y)
            same = before is not None and (before[1] is row or before[1] == row)
            if before is None or not same or (before[0], before[2]) != (label, at):
                head = Segment(f"{label:>{_AXIS - 2}} ┤", muted)
                before = (label, row, at, Strip([head, *_segments(row, at, styles)]))
            self._body[y] = before
        body = [self._body[y][3] for y in range(height)]
        axis = Strip([Segment(_x_axis(view, width, self._unit, self._zoom > 1.0), muted)])
        return [self._legend(muted), *body, axis]

    def _rows(
        self, curves: Sequence[Curve], view: Frame, width: int, height: int
    ) -> list[list[Cell | None]]:
        """The cells; most new points of a long curve fall where dots are, and nothing is drawn."""
        tracks = [track(curve, view, width, height) for curve in curves]
        if self._drawn is None or self._drawn[:3] != (tracks, width, height):
            self._drawn = (tracks, width, height, joined(tracks, width, height))
        return self._drawn[3]

    def _whole(self) -> tuple[float, float] | None:
        """All of x that is measured or planned; what grows is read on from where it ended."""
        low, high = math.inf, -math.inf
        for curve in self._curves:
            count, left, right = self._extent.get(id(curve.points), (0, math.inf, -math.inf))
            if count > len(curve.points):
                count, left, right = 0, math.inf, -math.inf
            for number in range(count, len(curve.points)):
                x, y = curve.points[number]
                if math.isfinite(y):
                    left, right = min(left, x), max(right, x)
            self._extent[id(curve.points)] = (len(curve.points), left, right)
            low, high = min(low, left), max(high, right)
        if high < low:
            return None
        return low, max(high, self._right or 0.0)

    def _window(self) -> tuple[float, float] | None:
        whole = self._whole()
        if whole is None or self._zoom <= 1.0:
            return whole
        width = (whole[1] - whole[0]) / self._zoom
        middle = whole[0] + self._middle * (whole[1] - whole[0])
        left = min(whole[1] - width, max(whole[0], middle - width / 2))
        return left, left + width

    def _thinned(self, curve: Curve, window: tuple[float, float], width: int) -> Curve:
        if curve.marks and len(curve.points) <= 2 * width:
            return curve
        weight = 0.0 if curve.marks else self.smoothing
        key = (id(curve.points), *window, width, weight)
        kept = self._thin.pop(key, None)
        if kept is None or kept.count > len(curve.points):
            kept = Thinned(*window, columns=width, weight=weight)
        kept.take(curve.points)
        self._thin[key] = kept  # the newest last
        while len(self._thin) > 2 * MOST_CURVES:
            self._thin.pop(next(iter(self._thin)))
        return Curve(curve.name, kept.points(), curve.marks)

    def _legend(self, muted: Style) -> Strip:
        segments = [Segment(" " * _AXIS, muted)]
        for number, curve in enumerate(self._curves):
            style = self._styles()[number]
            value = _value_at(curve.points, self.cursor)
            said = f" {_figure(value)}" if value is not None else ""
            segments.append(Segment(f"━ {curve.name}{said}   ", style))
        notes = [word for word, on in (("log", self.log_scale), ("smoothed", self.smoothing)) if on]
        if self.cursor is not None:
            notes.append(f"at {self._unit} {_told(self.cursor)}")
        segments.append(Segment(", ".join(notes), muted))
        return Strip(segments)

    def _styles(self) -> list[Style]:
        """The styles of the curves, the cursor, the axis and of nothing, in this order."""
        if not self._palette:
            names = [*(f"curve-{number}" for number in range(MOST_CURVES)), "cursor", "axis"]
            found = [self.get_component_rich_style(f"loss-plot--{name}") for name in names]
            self._palette = [*found, self.rich_style]
        return self._palette


def _segments(
    row: Sequence[Cell | None], cursor: int | None, styles: Sequence[Style]
) -> list[Segment]:
    """The row's cells, neighbours of one curve joined; the cursor where there is nothing."""
    segments: list[Segment] = []
    text, owner = "", -1
    for place, cell in enumerate(row):
        number, sign = (-1, " ") if cell is None else (cell.curve, cell.character)
        if cell is None and place == cursor:
            number, sign = MOST_CURVES, "│"
        if number != owner and text:
            segments.append(Segment(text, styles[owner]))
            text = ""
        owner = number
        text += sign
    return [*segments, Segment(text, styles[owner])]


def _value_at(points: Sequence[tuple[float, float]], x: float | None) -> float | None:
    """The last value, or the one that is measured nearest to the cursor."""
    if not points:
        return None
    if x is None:
        return points[-1][1]
    return min(points, key=lambda point: abs(point[0] - x))[1]


def _figure(value: float) -> str:
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 or not value else f"{value:.3g}"


def _told(x: float) -> str:
    return f"{x:,.0f}"


def _y_labels(view: Frame, height: int) -> list[str]:
    """The values at the top, the bottom and, with room, between; blanks elsewhere."""
    labels = [""] * height
    low, high = view.y
    places = {0: high, height - 1: low}
    if height >= 7:
        between = (low * high) ** 0.5 if view.log else (low + high) / 2
        places[(height - 1) // 2] = between
    for row, value in places.items():
        labels[row] = f"{value:.3g}"[: _AXIS - 2]
    return labels


def _x_axis(view: Frame, width: int, unit: str, zoomed: bool) -> str:
    left, right = _told(view.x[0]), f"{unit} {_told(view.x[1])}"
    middle = "zoomed" if zoomed else ""
    room = max(1, width - len(left) - len(right))
    return " " * _AXIS + left + middle.center(room) + right
