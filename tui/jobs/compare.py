"""Jobs side by side: what differs between them and what each reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tui.domain.evaluation import RunReport
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

    def named(self, point: LossPoint) -> dict[str, float]:
        """A point's validation losses by what they measure; alike ones keep their files' ids."""
        labels = [self.names.get(file_id, file_id) for file_id in point.validation]
        return {
            label if labels.count(label) == 1 else file_id: loss
            for (file_id, loss), label in zip(point.validation.items(), labels, strict=True)
        }


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What a model reached on one test of one run; shares are between 0 and 1."""

    run: str
    test: str
    n: int
    key_phrase: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ComparedJob:
    """What one job was and reached; losses are in nats per label token.

    `validation` has the last loss by what it measures; `best_step` is the one with the lowest
    memory loss, `best_loss`. `results` are the evaluations of its model: run, test, arm `tuned`,
    its share of key phrases with the interval, and how many items.
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
    results: tuple[EvaluationResult, ...] = ()


@dataclass(frozen=True, slots=True)
class JobComparison:
    """Jobs in the order in which they were asked for; `differs` names what is not the same."""

    jobs: tuple[ComparedJob, ...]
    differs: tuple[str, ...]


def compare(
    results: Sequence[JobResult], runs: Callable[[str], Sequence[RunReport]] | None = None
) -> JobComparison:
    """Put jobs side by side; `runs` gives the evaluations of a model."""
    rows = tuple(_row(result, runs) for result in results)
    what: dict[str, list[Any]] = {
        "dataset": [row.dataset for row in rows],
        "model": [row.model for row in rows],
        "endpoint": [row.endpoint for row in rows],
    }
    names = sorted({name for row in rows for name in row.hyperparameters})
    what |= {name: [row.hyperparameters.get(name) for row in rows] for name in names}
    differing = (name for name, values in what.items() if any(v != values[0] for v in values))
    return JobComparison(rows, tuple(differing))


def evaluations(runs: Sequence[RunReport]) -> tuple[EvaluationResult, ...]:
    """What the tuned model reached by itself, newest run first, memory and transfer apart."""
    found = []
    for report in sorted(runs, key=lambda run: run.created_at, reverse=True):
        for name, test in report.tests.items():
            if test is not None and (scores := test.arms.get("tuned")) is not None:
                value = scores.key_phrase
                found.append(
                    EvaluationResult(report.run, name, test.n, value.value, value.low, value.high)
                )
    return tuple(found)


def _row(result: JobResult, runs: Callable[[str], Sequence[RunReport]] | None) -> ComparedJob:
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
        results=evaluations(runs(job.fine_tuned_model)) if runs and job.fine_tuned_model else (),
    )
