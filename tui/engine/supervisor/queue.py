"""Who trains next: jobs in their order, each when a launcher has room for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tui.domain.job import JobStatus
from tui.engine.store.jobs import StoredJob

WAITING = frozenset({JobStatus.QUEUED, JobStatus.VALIDATED})
ON_DEVICE = frozenset({JobStatus.STARTED, JobStatus.RUNNING, JobStatus.CANCELLATION_REQUESTED})


@dataclass(frozen=True, slots=True)
class Waits:
    """A job's place in the queue, from 1, and what it waits for."""

    place: int
    reason: str

    def document(self) -> dict[str, object]:
        """As `/local/jobs/{id}` tells it."""
        return {"place": self.place, "reason": self.reason}


def handed_over(job: StoredJob) -> bool:
    """Whether a launcher has the job, though it may still wait there."""
    return job.launches > 0 and (job.status in ON_DEVICE or job.status in WAITING)


def next_ones(jobs: Iterable[StoredJob]) -> list[StoredJob]:
    """Jobs that are checked and may start, oldest first."""
    return [
        job
        for job in jobs
        if job.status in WAITING and job.start_requested and job.metadata and not handed_over(job)
    ]


def places(jobs: Sequence[StoredJob], reasons: Mapping[str, str]) -> dict[str, Waits]:
    """The place of every job that waits, those that a launcher has first."""
    waiting = [job for job in jobs if job.status in WAITING and job.start_requested]
    waiting.sort(key=lambda job: not handed_over(job))
    return {
        job.id: Waits(place, reasons.get(job.id, "its files are being checked"))
        for place, job in enumerate(waiting, 1)
    }
