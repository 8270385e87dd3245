"""A job's points as curves over one axis, kept up to date point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from tui.domain.job import LossPoint
from widgets.braille import Curve

Axis = Literal["step", "tokens", "time"]
Quantity = Literal["loss", "rate", "gradient"]
AXES: tuple[Axis, ...] = ("step", "tokens", "time")
QUANTITIES: tuple[Quantity, ...] = ("loss", "rate", "gradient")
UNITS: Mapping[Axis, str] = {"step": "step", "tokens": "token", "time": "second"}
TRAIN = "train"
_ORDER = {"memory": 0, TRAIN: 1}  # memory decides, so it lies on top
_LONGEST = 13  # of a file's id: enough to tell it from others
_Line = list[tuple[float, float]]


class Traces:
    """Curves whose point lists grow in place, so that a plot need not read them again."""

    def __init__(self, axis: Axis = "step", quantity: Quantity = "loss") -> None:
        self.axis, self.quantity = axis, quantity
        self._points: tuple[LossPoint, ...] = ()
        self._lines: dict[str, _Line] = {}

    def choose(self, axis: Axis, quantity: Quantity) -> None:
        """Another axis, or another quantity."""
        if (axis, quantity) != (self.axis, self.quantity):
            self.axis, self.quantity = axis, quantity
            self._points, self._lines = (), {}

    def curves(self, points: tuple[LossPoint, ...], names: Mapping[str, str]) -> list[Curve]:
        """The curves of these points; memory first, then train, then the others."""
        known = len(self._points)
        grown = len(points) >= known and (not known or points[known - 1] == self._points[-1])
        if not grown or (known and points[0] != self._points[0]):
            self._lines, known = {}, 0
        self._take(points[known:], points[0].at if points else 0.0)
        self._points = points
        losses = self.quantity == "loss"
        found = [
            Curve(names.get(name, name[:_LONGEST]), line, marks=name != TRAIN and losses)
            for name, line in self._lines.items()
        ]
        return sorted(found, key=lambda curve: _ORDER.get(curve.name, 2))

    def x(self, point: LossPoint, began: float) -> float:
        """Where a point lies on the axis."""
        return {"step": float(point.step), "tokens": float(point.tokens)}.get(
            self.axis, point.at - began
        )

    def _take(self, fresh: Sequence[LossPoint], began: float) -> None:
        for point in fresh:
            x = self.x(point, began)
            for name, value in self._values(point):
                self._lines.setdefault(name, []).append((x, value))

    def _values(self, point: LossPoint) -> list[tuple[str, float]]:
        if self.quantity != "loss":
            value = point.learning_rate if self.quantity == "rate" else point.grad_norm
            label = "learning rate" if self.quantity == "rate" else "gradient norm"
            return [] if value is None else [(label, value)]
        found = [] if point.train_loss is None else [(TRAIN, point.train_loss)]
        return [*found, *point.validation.items()]


def curves(points: Sequence[LossPoint], names: Mapping[str, str]) -> list[Curve]:
    """Train loss as a line, each validation file as a line with its measured points."""
    return Traces().curves(tuple(points), names)
