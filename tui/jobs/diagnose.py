"""What a loss curve says, in words, each with its evidence.

Transfer loss never raises an alarm: on papers that were never trained on it rises while a model
learns facts, and choosing by it would choose the model that has learnt least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from tui.domain.job import JobStatus, LossPoint

_RISES = 2  # evaluations in a row above the best one before it counts as overfitting
_RISE_SHARE = 0.02  # smaller rises are noise of a small validation file
_RISE_NATS = 0.005
_ENOUGH_POINTS = 10
_ENOUGH_SHARE = 0.2
_LEARNT = 0.95  # of the loss at the start; above it nothing was learnt
_UNBOUND = 0.3  # nats per token: below about 0.1 facts sit, at 0.4 entities are mixed up
_DIVERGED = 1.5
_STALL_SECONDS = 180.0
_STALL_INTERVALS = 10


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Something to know about a job: `code` names the rule, `severity` is note, warning or error.

    `step` is where it shows; `best_step` the checkpoint worth keeping, where there is one.
    """

    code: str
    severity: str
    message: str
    step: int
    best_step: int | None = None


def diagnose(
    points: Sequence[LossPoint],
    *,
    memory: str | None,
    status: JobStatus | str,
    steps: int | None = None,
    now: float | None = None,
) -> list[Diagnosis]:
    """All that holds of a curve in step order, the gravest first.

    `memory` is the validation file with new wordings of trained findings; `steps` the planned
    number; `now` the time by the clock that stamped the points, for stalls.
    """
    if not points:
        return []
    found = [
        _not_a_number(points),
        _diverging(points),
        _overfitting(points, memory),
        _not_learning(points, steps),
        _too_few_steps(points, status),
        _stalled(points, status, now),
    ]
    if found[0] is not None:
        found[1] = None  # the same trouble, said once
    grave = {"error": 0, "warning": 1, "note": 2}
    return sorted((item for item in found if item), key=lambda item: grave[item.severity])


def best_step(points: Sequence[LossPoint], memory: str | None) -> int | None:
    """The step with the lowest memory-validation loss."""
    measured = [(loss, step) for step, loss in _series(points, memory) if math.isfinite(loss)]
    return min(measured)[1] if measured else None


def _series(points: Sequence[LossPoint], memory: str | None) -> list[tuple[int, float]]:
    if memory is None:
        return []
    return [
        (point.step, point.validation[memory]) for point in points if memory in point.validation
    ]


def _training(points: Sequence[LossPoint]) -> list[tuple[int, float]]:
    return [(point.step, point.train_loss) for point in points if point.train_loss is not None]


def _not_a_number(points: Sequence[LossPoint]) -> Diagnosis | None:
    for point in points:
        losses = [point.train_loss, *point.validation.values()]
        # JSON has no such number: a step that trained on tokens and has no loss at all had one.
        lost = point.train_loss is None and not point.validation and point.tokens > 0
        if lost or any(loss is not None and not math.isfinite(loss) for loss in losses):
            return Diagnosis(
                "not-a-number",
                "error",
                f"The loss is not a number since step {point.step}: stop, and lower the learning "
                "rate.",
                point.step,
            )
    return None


def _diverging(points: Sequence[LossPoint]) -> Diagnosis | None:
    losses = [(step, loss) for step, loss in _training(points) if math.isfinite(loss)]
    if len(losses) < _ENOUGH_POINTS:
        return None
    first, last = fmean(v for _, v in losses[:3]), fmean(v for _, v in losses[-5:])
    if last <= _DIVERGED * first:
        return None
    return Diagnosis(
        "diverging",
        "error",
        f"The training loss has grown from {first:.2f} to {last:.2f}: stop, and lower the "
        "learning rate.",
        losses[-1][0],
    )


def _overfitting(points: Sequence[LossPoint], memory: str | None) -> Diagnosis | None:
    series = [(step, loss) for step, loss in _series(points, memory) if math.isfinite(loss)]
    if len(series) <= _RISES:
        return None
    step, lowest = min(series, key=lambda item: item[1])
    threshold = lowest + max(_RISE_SHARE * lowest, _RISE_NATS)
    latest = [loss for at, loss in series if at > step][-_RISES:]
    if len(latest) < _RISES or min(latest) <= threshold or latest[-1] < latest[0]:
        return None
    return Diagnosis(
        "overfitting",
        "warning",
        f"New wordings of trained findings are answered worse since step {step} (memory loss "
        f"{lowest:.2f}, now {latest[-1]:.2f}): keep checkpoint {step}.",
        series[-1][0],
        best_step=step,
    )


def _not_learning(points: Sequence[LossPoint], steps: int | None) -> Diagnosis | None:
    losses = _training(points)
    if len(losses) < _ENOUGH_POINTS or (steps and losses[-1][0] < _ENOUGH_SHARE * steps):
        return None
    first, last = fmean(v for _, v in losses[:3]), fmean(v for _, v in losses[-5:])
    if not last > _LEARNT * first or last > _DIVERGED * first:
        return None
    return Diagnosis(
        "not-learning",
        "warning",
        f"The training loss hardly falls ({first:.2f} at the start, {last:.2f} now): raise the "
        "learning rate.",
        losses[-1][0],
    )


def _too_few_steps(points: Sequence[LossPoint], status: JobStatus | str) -> Diagnosis | None:
    losses = _training(points)
    if status != JobStatus.SUCCESS or not losses:
        return None
    last = fmean(v for _, v in losses[-5:])
    if not last > _UNBOUND:
        return None
    return Diagnosis(
        "too-few-steps",
        "note",
        f"The training loss ended at {last:.2f}; above {_UNBOUND} a model knows the form of the "
        "answers but mixes up the facts: train more steps.",
        losses[-1][0],
    )


def _stalled(
    points: Sequence[LossPoint], status: JobStatus | str, now: float | None
) -> Diagnosis | None:
    if status != JobStatus.RUNNING or now is None or len(points) < 2:
        return None
    pauses = [b.at - a.at for a, b in pairwise(points) if b.at > a.at]
    limit = max(_STALL_SECONDS, _STALL_INTERVALS * median(pauses)) if pauses else _STALL_SECONDS
    silent = now - points[-1].at
    if silent <= limit:
        return None
    return Diagnosis(
        "stalled",
        "warning",
        f"No step has ended for {silent / 60:.0f} minutes: look at the log, or whether the machine "
        "is busy.",
        points[-1].step,
    )
