"""How long a job will still take, by its own steps and evaluations so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tui.domain.job import LossPoint

# The engine measures validation so often, on at most so many rows of each file.
_TIMES = ((300, 5), (1000, 10))
_MOST_TIMES = 20
EVALUATED_ROWS = 64
# Reading a row costs about a third of learning from it: one pass forward instead of one forward,
# and one back at twice the price.
_READING = 1 / 3
_RECENT = 200
_FEWEST = 3


def evaluations(steps: int) -> int:
    """How often a job of so many steps measures validation."""
    return min(steps, next((times for most, times in _TIMES if steps <= most), _MOST_TIMES))


class TimeLeft:
    """Takes a job's points in step order; each is looked at once, however long the job.

    A step's time is the mean of the last 200, so that a machine that others use more or less tells.
    An evaluation is taken to cost what those before did; before the first, what reading its rows
    costs. `rows` are those measured at each evaluation, `batch` those of a step.
    """

    def __init__(self, steps: int, *, rows: int = 0, batch: int = 1) -> None:
        self._steps, self._reading = steps, _READING * rows / max(1, batch)
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._sum = 0.0
        self._measured = self._told = 0
        self._after: list[float] = []
        self._last: LossPoint | None = None

    def take(self, points: Iterable[LossPoint]) -> None:
        """Read more points."""
        for point in points:
            before, self._last = self._last, point
            self._measured += bool(point.validation)
            if before is None or point.at <= before.at or point.step != before.step + 1:
                continue  # a restart, or a clock that was set
            took = point.at - before.at
            if before.validation:  # a point is stamped before its evaluation
                self._after.append(took)
                continue
            if len(self._recent) == _RECENT:
                self._sum -= self._recent[0]
            self._recent.append(took)
            self._sum += took

    def seconds(self) -> float | None:
        """Seconds from the last point on; None before a few steps were timed."""
        if self._last is None or len(self._recent) < _FEWEST or self._last.step >= self._steps:
            return None
        step = self._sum / len(self._recent)
        once = self._reading * step
        if self._after:
            once = max(0.0, sum(self._after) / len(self._after) - step)
        ahead = max(0, evaluations(self._steps) - self._measured) if self._expects else 0
        return (self._steps - self._last.step) * step + ahead * once

    @property
    def _expects(self) -> bool:
        return bool(self._reading or self._measured)
