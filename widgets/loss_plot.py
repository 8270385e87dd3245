"""A plot of losses that repaints only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from widgets.braille import Cell, Curve, Frame, draw, frame, smoothed

_AXIS = 8
_WEIGHTS = (0.0, 0.6, 0.9)
MOST_CURVES = 4


class LossPlot(Widget):
    """Curves over steps with axes and a legend; linear or logarithmic, smoothed or raw.

    The first curve lies on top. Curves without marks are smoothed: few measured points are what
    they are.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"loss-plot--curve-{number}" for number in range(MOST_CURVES)),
        "loss-plot--axis",
    }
    DEFAULT_CSS = """
    LossPlot { height: 1fr; background: $background; }
    LossPlot > .loss-plot--axis { color: $muted; }
    LossPlot > .loss-plot--curve-0 { color: $primary; }
    LossPlot > .loss-plot--curve-1 { color: $muted; }
    LossPlot > .loss-plot--curve-2 { color: $accent; }
    LossPlot > .loss-plot--curve-3 { color: $success; }
    """

    def __init__(self, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._curves: tuple[Curve, ...] = ()
        self._right: float | None = None
        self._lines: list[Strip] = []
        self.log_scale = False
        self._smoothing = 0

    @property
    def smoothing(self) -> float:
        """The weight of the moving average, 0 for none."""
        return _WEIGHTS[self._smoothing]

    def show(self, curves: Sequence[Curve], *, right: float | None = None) -> None:
        """Draw other curves; only lines that differ from what is on the screen are sent."""
        self._curves, self._right = tuple(curves[:MOST_CURVES]), right
        self._draw()

    def toggle_log(self) -> None:
        """Linear or logarithmic losses."""
        self.log_scale = not self.log_scale
        self._draw()

    def next_smoothing(self) -> None:
        """None, some, much."""
        self._smoothing = (self._smoothing + 1) % len(_WEIGHTS)
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._lines = []
        self._draw()

    def notify_style_update(self) -> None:
        """Draw with the new theme's colours."""
        super().notify_style_update()
        self._lines = []
        if self.is_mounted:
            self._draw()

    def render_line(self, y: int) -> Strip:
        """A line as it was drawn last."""
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _draw(self) -> None:
        width, height = self.size
        if not width or not height:
            return
        lines = [line.adjust_cell_length(width, self.rich_style) for line in self._strips()]
        lines = [*lines, *[Strip.blank(width, self.rich_style)] * (height - len(lines))][:height]
        old, self._lines = self._lines, lines
        if len(old) != len(lines):
            self.refresh()
            return
        changed = [y for y, (one, other) in enumerate(zip(old, lines, strict=True)) if one != other]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _strips(self) -> list[Strip]:
        curves = [
            Curve(c.name, c.points if c.marks else smoothed(c.points, self.smoothing), c.marks)
            for c in self._curves
        ]
        view = frame(curves, log=self.log_scale, right=self._right)
        width, height = self.size.width - _AXIS - 1, self.size.height - 2
        muted = self.get_component_rich_style("loss-plot--axis")
        if view is None or width < 8 or height < 3:
            return [Strip([Segment(f" {self._empty}", muted)])]
        rows = draw(curves, view, width, height)
        body = [
            Strip([Segment(f"{label:>{_AXIS - 2}} ┤", muted), *self._segments(row)])
            for label, row in zip(_y_labels(view, height), rows, strict=True)
        ]
        return [self._legend(muted), *body, Strip([Segment(_x_axis(view, width), muted)])]

    def _legend(self, muted: Style) -> Strip:
        segments = [Segment(" " * _AXIS, muted)]
        for number, curve in enumerate(self._curves):
            style = self.get_component_rich_style(f"loss-plot--curve-{number}")
            last = next((y for _, y in reversed(curve.points)), None)
            value = f" {last:.3f}" if last is not None else ""
            segments.append(Segment(f"━ {curve.name}{value}   ", style))
        notes = [word for word, on in (("log", self.log_scale), ("smoothed", self.smoothing)) if on]
        segments.append(Segment(", ".join(notes), muted))
        return Strip(segments)

    def _segments(self, row: Sequence[Cell | None]) -> list[Segment]:
        """The row's cells, neighbours of one curve joined."""
        segments: list[Segment] = []
        text, owner = "", -1
        for cell in [*row, None]:
            number = -1 if cell is None else cell.curve
            if number != owner and text:
                segments.append(Segment(text, self._style(owner)))
                text = ""
            owner = number
            text += " " if cell is None else cell.character
        return [*segments, Segment(text, self._style(owner))]

    def _style(self, curve: int) -> Style:
        if curve < 0:
            return self.rich_style
        return self.get_component_rich_style(f"loss-plot--curve-{curve}")


def _y_labels(view: Frame, height: int) -> list[str]:
    """The values at the top, the bottom and, with room, between; blanks elsewhere."""
    labels = [""] * height
    low, high = view.y
    places = {0: high, height - 1: low}
    if height >= 7:
        between = (low * high) ** 0.5 if view.log else (low + high) / 2
        places[(height - 1) // 2] = between
    for row, value in places.items():
        labels[row] = f"{value:.3g}"
    return labels


def _x_axis(view: Frame, width: int) -> str:
    left, right = f"{view.x[0]:.0f}", f"step {view.x[1]:.0f}"
    return " " * _AXIS + left + " " * max(1, width - len(left) - len(right)) + right
