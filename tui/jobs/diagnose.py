"""What a loss curve says, in words, each with its evidence and what can be done about it.

The rules and where their thresholds come from stand in `docs/diagnosis.md`. Transfer loss never
raises an alarm: on papers that were never trained on it rises while a model learns facts, and
choosing by it would choose the model that has learnt least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median

from tui.domain.job import JobStatus, LossPoint

_RISES = 2  # evaluations in a row above the best one before it counts as overfitting
_RISE_SHARE = 0.02  # smaller rises are noise of a small validation file
_RISE_NATS = 0.05  # what 64 rows tell a loss by, and no job measures more of a file
_RECOVERED = 0.5  # of the highest rise: less than that is left of it
_ENOUGH_POINTS = 10
_ENOUGH_SHARE = 0.2
_LEARNT = 0.95  # of the loss at the start; above it nothing was learnt
_UNBOUND = 0.3  # nats per token: below about 0.1 facts sit, at 0.4 entities are mixed up
_DIVERGED = 1.5
_DIVERGED_NATS = 1.5  # a batch of one row may differ from another by as much
_STALL_SECONDS = 180.0
_STALL_INTERVALS = 10
_TIGHT = 0.92  # of the memory: allocators fragment, and the longest batch may be still to come


class Remedy(StrEnum):
    """What a person can do about a diagnosis; the screen has a key for each."""

    KEEP = "keep"
    """Stop here and make the model of `best_step`."""
    STOP = "stop"
    CLONE = "clone"
    """Launch it again with other settings."""
    LOG = "log"
    """Read what the worker wrote."""
    NONE = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Something to know about a job: `code` names the rule, `severity` is note, warning or error.

    `message` says what it is and on which figures it stands. `step` is where it shows; `best_step`
    the checkpoint worth keeping, where there is one. `remedy` is what to do, `advice` says it.
    """

    code: str
    severity: str
    message: str
    step: int
    best_step: int | None = None
    remedy: Remedy = Remedy.NONE
    advice: str = ""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What the training process has of its device, in bytes."""

    used: int
    total: int


def diagnose(
    points: Sequence[LossPoint],
    *,
    memory: str | None,
    status: JobStatus | str,
    steps: int | None = None,
    now: float | None = None,
    device: MemoryUse | None = None,
) -> list[Diagnosis]:
    """All that holds of a curve in step order, the gravest first.

    `memory` is the validation file with new wordings of trained findings; `steps` the planned
    number; `now` the time by the clock that stamped the points, for stalls; `device` what the
    worker has of its memory.
    """
    found = [_memory_tight(device, status, points[-1].step if points else 0)]
    if points:
        found += [
            _not_a_number(points),
            _diverging(points),
            _overfitting(points, memory, status),
            _not_learning(points, steps, status),
            _too_few_steps(points, status),
            _stalled(points, status, now),
        ]
        if found[1] is not None:
            found[2] = None  # the same trouble, said once
    grave = {"error": 0, "warning": 1, "note": 2}
    return sorted((item for item in found if item), key=lambda item: grave[item.severity])


def best_step(points: Sequence[LossPoint], memory: str | None) -> int | None:
    """The step with the lowest memory-validation loss."""
    measured = [(loss, step) for step, loss in _series(points, memory) if math.isfinite(loss)]
    return min(measured)[1] if measured else None


def about_transfer(points: Sequence[LossPoint], transfer: str | None) -> str:
    """Why a transfer loss that rises is no alarm; empty while it does not rise."""
    series = [loss for _, loss in _series(points, transfer) if math.isfinite(loss)]
    if len(series) < 2 or series[-1] <= min(series) * (1 + _RISE_SHARE):
        return ""
    return (
        f"Transfer loss rises ({min(series):.2f} to {series[-1]:.2f}): usual while facts are "
        "learnt and no alarm, for these papers were never trained on."
    )


def _series(points: Sequence[LossPoint], name: str | None) -> list[tuple[int, float]]:
    if name is None:
        return []
    return [(point.step, point.validation[name]) for point in points if name in point.validation]


def _training(points: Sequence[LossPoint]) -> list[tuple[int, float]]:
    return [(point.step, point.train_loss) for point in points if point.train_loss is not None]


def _running(status: JobStatus | str) -> bool:
    return status not in (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED)


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
                remedy=Remedy.STOP,
                advice="stop it and start again with a lower learning rate",
            )
    return None


def _diverging(points: Sequence[LossPoint]) -> Diagnosis | None:
    losses = [(step, loss) for step, loss in _training(points) if math.isfinite(loss)]
    if len(losses) < _ENOUGH_POINTS:
        return None
    # The first loss is from before any step: a rate that is far too high ruins the next already.
    first, last = losses[0][1], _level(losses[-5:])
    if last <= max(_DIVERGED * min(first, _level(losses[:3])), first + _DIVERGED_NATS):
        return None
    return Diagnosis(
        "diverging",
        "error",
        f"The training loss has grown from {first:.2f} to {last:.2f}: stop, and lower the "
        "learning rate.",
        losses[-1][0],
        remedy=Remedy.STOP,
        advice="stop it and start again with a lower learning rate",
    )


def _overfitting(
    points: Sequence[LossPoint], memory: str | None, status: JobStatus | str
) -> Diagnosis | None:
    series = [(step, loss) for step, loss in _series(points, memory) if math.isfinite(loss)]
    if len(series) <= _RISES:
        return None
    step, lowest = min(series, key=lambda item: item[1])
    threshold = lowest + max(_RISE_SHARE * lowest, _RISE_NATS)
    since = [loss for at, loss in series if at > step]
    latest = since[-_RISES:]
    if len(latest) < _RISES or min(latest) <= threshold:
        return None
    if latest[-1] - lowest < _RECOVERED * (max(since) - lowest):
        return None  # it comes down again, as after a step that went too far
    after = len(since)
    running = _running(status)
    return Diagnosis(
        "overfitting",
        "warning",
        f"New wordings of trained findings are answered worse since step {step} (memory loss "
        f"{lowest:.2f}, now {latest[-1]:.2f}, {after} evaluations later): keep checkpoint {step}.",
        series[-1][0],
        best_step=step,
        remedy=Remedy.KEEP,
        advice=f"stop here and keep checkpoint {step}" if running else f"keep checkpoint {step}",
    )


def _not_learning(
    points: Sequence[LossPoint], steps: int | None, status: JobStatus | str
) -> Diagnosis | None:
    losses = _training(points)
    if len(losses) < _ENOUGH_POINTS or (steps and losses[-1][0] < _ENOUGH_SHARE * steps):
        return None
    first, last = _level(losses[:3]), _level(losses[-5:])
    if not last > _LEARNT * first or last > _DIVERGED * first:
        return None
    if first <= _UNBOUND:
        return None  # what is known already cannot be learnt again
    return Diagnosis(
        "not-learning",
        "warning",
        f"The training loss hardly falls ({first:.2f} at the start, {last:.2f} now): raise the "
        "learning rate.",
        losses[-1][0],
        remedy=Remedy.CLONE,
        advice="stop it and start a copy with a higher learning rate"
        if _running(status)
        else "start a copy with a higher learning rate",
    )


def _too_few_steps(points: Sequence[LossPoint], status: JobStatus | str) -> Diagnosis | None:
    losses = _training(points)
    if status != JobStatus.SUCCESS or not losses:
        return None
    last = _level(losses[-5:])
    if not last > _UNBOUND:
        return None
    return Diagnosis(
        "too-few-steps",
        "note",
        f"The training loss ended at {last:.2f}; above {_UNBOUND} a model knows the form of the "
        "answers but mixes up the facts: train more steps.",
        losses[-1][0],
        remedy=Remedy.CLONE,
        advice="start a copy with more steps",
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
        remedy=Remedy.LOG,
        advice="read the log",
    )


def _memory_tight(device: MemoryUse | None, status: JobStatus | str, step: int) -> Diagnosis | None:
    if device is None or status != JobStatus.RUNNING or device.total <= 0:
        return None
    share = device.used / device.total
    if share < _TIGHT:
        return None
    return Diagnosis(
        "memory-tight",
        "warning",
        f"{share:.0%} of the device's memory is taken ({device.used / 2**30:.1f} of "
        f"{device.total / 2**30:.1f} GB): one longer batch may end the job.",
        step,
        remedy=Remedy.CLONE,
        advice="should it fail, start a copy with a smaller batch or shorter examples",
    )


def _level(losses: Sequence[tuple[int, float]]) -> float:
    return fmean(loss for _, loss in losses)
