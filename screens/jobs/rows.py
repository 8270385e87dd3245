"""Jobs as rows and as words."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from tui.domain.job import JobStatus
from tui.jobs.known import KnownJob
from widgets.rows import Column, Row

JOB_COLUMNS = (
    Column("Status", 9),
    Column("Job", 8),
    Column("Dataset", 10, share=2),
    Column("Progress", 8, right=True),
    Column("Loss", 8, rank=1),
    Column("Left", 9, rank=2, right=True),
    Column("Model", 12, share=3, rank=4),
    Column("Cost", 9, rank=5, right=True),
    Column("Created", 12, rank=6, right=True),
    Column("Endpoint", 8, rank=7),
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
_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = 8
# Between two looks a listing is as good as new.
_STALE_SECONDS = 60.0


def status_word(status: JobStatus | str) -> str:
    """A status in lower case, short enough for a column."""
    known = JobStatus(status) if status in list(JobStatus) else None
    return _WORDS.get(known, str(status).lower()) if known else str(status).lower()


def job_row(known: KnownJob, silent: Collection[str] = (), best: Collection[str] = ()) -> Row:
    """A job in the columns of `JOB_COLUMNS`; how old it is where its endpoint does not answer."""
    job, summary = known.job, known.summary
    stale = job.endpoint in silent and time.time() - known.heard_at > _STALE_SECONDS
    mark = "★ " if job.id in best else "⋮ " if known.group else ""
    tone = _TONES.get(job.status, "") if isinstance(job.status, JobStatus) else ""
    return Row(
        job.id,
        (
            "deleted" if known.gone else status_word(job.status),
            job.id[:8],
            mark + (known.dataset or "elsewhere"),
            _progress(known),
            spark(summary.sparks if summary else ()),
            _left(known, stale),
            job.fine_tuned_model or job.model,
            _cost(known),
            time.strftime("%d %b %H:%M", time.localtime(job.created_at)),
            job.endpoint,
        ),
        "dim" if known.gone or stale else tone,
    )


def spark(values: Sequence[float]) -> str:
    """Losses as a row of bars, the highest full."""
    if not values:
        return ""
    step = max(1.0, len(values) / _SPARKS)
    chosen = [values[min(len(values) - 1, int(n * step))] for n in range(min(len(values), _SPARKS))]
    low, high = min(chosen), max(chosen)
    width = (high - low) or 1.0
    return "".join(_BARS[round((value - low) / width * (len(_BARS) - 1))] for value in chosen)


def _progress(known: KnownJob) -> str:
    steps = known.job.hyperparameters.training_steps
    summary = known.summary
    total = (summary.steps if summary else 0) or steps or 0
    if summary is None or not total:
        return str(total or "")
    return f"{summary.step}/{max(total, summary.step)}"


def _left(known: KnownJob, stale: bool) -> str:
    if stale:
        return f"{duration(time.time() - known.heard_at)} old"
    if known.job.terminal or known.summary is None:
        return ""
    return duration(known.summary.seconds_left)


def _cost(known: KnownJob) -> str:
    """Money where the endpoint says it, else the device's time."""
    job = known.job
    cost, currency = job.metadata.get("cost"), job.metadata.get("cost_currency")
    if isinstance(cost, int | float) and cost:
        return f"{cost:.2f} {currency or ''}".strip()
    took = job.modified_at - job.created_at
    return duration(took) if job.terminal and took > 0 and known.summary else ""


def duration(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3.5 h`, `2 d`; nothing where it is not known."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
