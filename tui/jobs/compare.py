"""Jobs side by side: what differs between them and what each reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tui.domain.job import Job, LossPoint
from tui.jobs.diagnose import best_step


@dataclass(frozen=True, slots=True)
class JobResult:
    """One job with its dataset version, its curve and the names of its validation files."""

    job: Job
    dataset: str
    points: tuple[LossPoint, ...]
    names: dict[str, str]

    @property
    def memory(self) -> str | None:
        """The validation file with new wordings of trained findings."""
        return next((key for key, name in self.names.items() if name == "memory"), None)


@dataclass(frozen=True, slots=True)
class ComparedJob:
    """What one job was and reached; losses are in nats per label token.

    `validation` has the last loss by what it measures; `best_step` is the one with the lowest
    memory loss, `best_loss`.
    """

    job: str
    endpoint: str
    status: str
    dataset: str
    model: str
    fine_tuned_model: str | None
    hyperparameters: dict[str, Any]
    trained_tokens: int | None
    seconds: int
    train_loss: float | None
    validation: dict[str, float]
    best_step: int | None
    best_loss: float | None


@dataclass(frozen=True, slots=True)
class JobComparison:
    """Jobs in the order in which they were asked for; `differs` names what is not the same."""

    jobs: tuple[ComparedJob, ...]
    differs: tuple[str, ...]


def compare(results: Sequence[JobResult]) -> JobComparison:
    """Put jobs side by side."""
    rows = tuple(_row(result) for result in results)
    what: dict[str, list[Any]] = {
        "dataset": [row.dataset for row in rows],
        "model": [row.model for row in rows],
        "endpoint": [row.endpoint for row in rows],
    }
    names = sorted({name for row in rows for name in row.hyperparameters})
    what |= {name: [row.hyperparameters.get(name) for row in rows] for name in names}
    differing = (name for name, values in what.items() if any(v != values[0] for v in values))
    return JobComparison(rows, tuple(differing))


def _row(result: JobResult) -> ComparedJob:
    job, points = result.job, result.points
    losses = [point.train_loss for point in points if point.train_loss is not None]
    last: dict[str, float] = {}
    for point in points:
        for file_id, loss in point.validation.items():
            if math.isfinite(loss):
                last[result.names.get(file_id, file_id)] = loss
    memory = result.memory
    best = best_step(points, memory)
    best_loss = next(
        (point.validation[memory] for point in points if memory and point.step == best), None
    )
    return ComparedJob(
        job=job.id,
        endpoint=job.endpoint,
        status=str(job.status),
        dataset=result.dataset,
        model=job.model,
        fine_tuned_model=job.fine_tuned_model,
        hyperparameters=asdict(job.hyperparameters),
        trained_tokens=job.trained_tokens,
        seconds=max(0, job.modified_at - job.created_at),
        train_loss=losses[-1] if losses else None,
        validation=last,
        best_step=best,
        best_loss=best_loss,
    )
