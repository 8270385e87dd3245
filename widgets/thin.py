"""Curves of any length as a few points for each column, kept up to date point by point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Bucket:
    """What of a column is drawn: where the line enters and leaves it, how high and low it goes."""

    first: tuple[float, float]
    low: tuple[float, float]
    high: tuple[float, float]
    last: tuple[float, float]


@dataclass(slots=True)
class Thinned:
    """A curve in columns of equal width between `left` and `right`, smoothed on the way.

    The curve may grow: `take` reads only what is new. What is drawn is what all points would draw,
    because of each column the first, lowest, highest and last point are kept.
    """

    left: float
    right: float
    columns: int
    weight: float = 0.0
    _buckets: dict[int, _Bucket | None] = field(default_factory=dict)
    _taken: int = 0
    _total: float = 0.0
    _norm: float = 0.0

    def take(self, points: Sequence[tuple[float, float]]) -> None:
        """Read the points that were not there at the last call."""
        scale = self.columns / ((self.right - self.left) or 1.0)
        for number in range(self._taken, len(points)):
            x, y = points[number]
            if self.weight and math.isfinite(y):
                self._total = self.weight * self._total + (1 - self.weight) * y
                self._norm = self.weight * self._norm + (1 - self.weight)
                y = self._total / self._norm
            if not self.left <= x <= self.right:
                continue
            self._put(min(self.columns - 1, int((x - self.left) * scale)), (x, y))
        self._taken = len(points)

    @property
    def count(self) -> int:
        """How many points have been read."""
        return self._taken

    def points(self) -> list[tuple[float, float]]:
        """At most four points a column, in x order; what is not finite breaks the line."""
        found: list[tuple[float, float]] = []
        for column in sorted(self._buckets):
            bucket = self._buckets[column]
            if bucket is None:
                found.append((self.left, math.nan))
                continue
            found += sorted({bucket.first, bucket.low, bucket.high, bucket.last})
        return found

    def _put(self, column: int, point: tuple[float, float]) -> None:
        bucket = self._buckets.get(column)
        if not math.isfinite(point[1]):
            self._buckets.setdefault(column, None)
        elif bucket is None:
            self._buckets[column] = _Bucket(point, point, point, point)
        else:
            bucket.last = point
            if point[1] < bucket.low[1]:
                bucket.low = point
            if point[1] > bucket.high[1]:
                bucket.high = point
