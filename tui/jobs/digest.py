"""Of a long curve, the points that a diagnosis can need, so that thinking stays cheap."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from tui.domain.job import LossPoint

_FIRST, _LAST = 20, 200


class Digest:
    """Keeps the first points, the last ones, all that were validated and any that is no number."""

    def __init__(self) -> None:
        self._first: list[LossPoint] = []
        self._kept: list[LossPoint] = []
        self._last: deque[LossPoint] = deque(maxlen=_LAST)

    def take(self, points: Iterable[LossPoint]) -> None:
        """Read more points, in step order."""
        for point in points:
            if len(self._first) < _FIRST:
                self._first.append(point)
                continue
            if len(self._last) == _LAST and _matters(self._last[0]):
                self._kept.append(self._last[0])
            self._last.append(point)

    def points(self) -> list[LossPoint]:
        """What was kept, in step order."""
        return [*self._first, *self._kept, *self._last]


def _matters(point: LossPoint) -> bool:
    loss = point.train_loss
    return bool(point.validation) or loss is None or not math.isfinite(loss)
