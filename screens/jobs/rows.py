"""Jobs as rows and as words."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from tui.domain.job import Job, JobStatus, LossPoint
from widgets.braille import Curve
from widgets.rows import Column, Row

JOB_COLUMNS = (
    Column("Status", 10),
    Column("Job", 8),
    Column("Dataset", 14, share=2),
    Column("Model", 14, share=3, rank=2),
    Column("Steps", 6, rank=1, right=True),
    Column("Created", 12, rank=3, right=True),
)
_TONES = {
    JobStatus.FAILED: "warning",
    JobStatus.FAILED_VALIDATION: "warning",
    JobStatus.CANCELLED: "dim",
}
_WORDS = {
    JobStatus.CANCELLATION_REQUESTED: "stopping",
    JobStatus.FAILED_VALIDATION: "invalid",
}
TRAIN = "train"


def status_word(status: JobStatus | str) -> str:
    """A status in lower case, short enough for a column."""
    known = JobStatus(status) if status in list(JobStatus) else None
    return _WORDS.get(known, str(status).lower()) if known else str(status).lower()


def job_row(job: Job, dataset: str) -> Row:
    """A job in the columns of `JOB_COLUMNS`."""
    steps = job.hyperparameters.training_steps
    return Row(
        job.id,
        (
            status_word(job.status),
            job.id[:8],
            dataset or "elsewhere",
            job.model,
            str(steps or ""),
            time.strftime("%d %b %H:%M", time.localtime(job.created_at)),
        ),
        _TONES.get(job.status, "") if isinstance(job.status, JobStatus) else "",
    )


def curves(points: Sequence[LossPoint], names: Mapping[str, str]) -> list[Curve]:
    """Train loss as a line, each validation file as a line with its measured points."""
    found = [
        Curve(TRAIN, tuple((p.step, p.train_loss) for p in points if p.train_loss is not None))
    ]
    for file_id in dict.fromkeys(name for point in points for name in point.validation):
        measured = tuple(
            (float(p.step), p.validation[file_id]) for p in points if file_id in p.validation
        )
        found.append(Curve(names.get(file_id, file_id[:8]), measured, marks=True))
    # Memory decides, so it lies on top.
    order = {"memory": 0, TRAIN: 1}
    return sorted(found, key=lambda curve: order.get(curve.name, 2))


def duration(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3.5 h`; nothing where it is not known."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
