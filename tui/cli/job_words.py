"""Jobs as documents and as lines, shared by the `job` commands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cli.output import chosen_workspace
from tui.domain.job import Job, LossPoint

if TYPE_CHECKING:
    from tui.services import Services


def services_of(workspace: Path | None) -> Services:
    """The services of a workspace that is there."""
    from tui.services import Services

    return Services.open(chosen_workspace(workspace), create=False)


def document(job: Job, dataset: str) -> dict[str, Any]:
    """The job as the API gives it, and the dataset version it was made of."""
    return {**job.raw, "dataset": dataset or None}


def line(job: Job, dataset: str) -> str:
    """A job in one line."""
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created_at))
    tail = f" -> {job.fine_tuned_model}" if job.fine_tuned_model else ""
    made = f" on {dataset}" if dataset else ""
    return f"{job.id}  {job.status:<10} {at}  {job.model}{made} at '{job.endpoint}'{tail}"


def figures(point: LossPoint, names: dict[str, str]) -> str:
    """A point's losses by what they measure."""
    losses = [("train", point.train_loss)]
    losses += [(names.get(key, key), loss) for key, loss in point.validation.items()]
    return ", ".join(f"{name} {loss:.3f}" for name, loss in losses if loss is not None)


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
