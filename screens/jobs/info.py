"""What stands below a job's curves: events, checkpoints, settings and lineage, the log's end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from screens.jobs.rows import status_word
from tui.domain.job import Checkpoint, Event, Job
from tui.mistral import LocalJob
from tui.text import shorten

PANES = ("events", "checkpoints", "settings", "log")


def lines_of(pane: str, job: Job, extra: LocalJob | None, dataset: str, room: int) -> list[str]:
    """The lines of a pane, at most `room`, newest first where they have a time."""
    if pane == "events":
        return happened(job.events, room)
    if pane == "checkpoints":
        return measured(job.checkpoints, extra.kept if extra else (), room)
    if pane == "settings":
        return settings(job, extra, dataset)[:room]
    log = extra.log if extra else ()
    return [shorten(line, 240) for line in log[-room:]] or ["The endpoint tells no log."]


def happened(events: Sequence[Event], room: int = 5) -> list[str]:
    """The last events, newest first."""
    lines = []
    for event in list(reversed(events))[:room]:
        status = event.data.get("status")
        what = event.data.get("message") or (status_word(status) if status else event.name)
        at = time.strftime("%H:%M:%S", time.localtime(event.created_at))
        lines.append(f"{at}  {shorten(str(what), 120)}")
    return lines


def measured(checkpoints: Sequence[Checkpoint], kept: Sequence[int], room: int = 5) -> list[str]:
    """The last checkpoints that were validated, newest first; those still there are marked."""
    rows = [item for item in checkpoints if item.valid_loss is not None] or list(checkpoints)
    lines = []
    for item in list(reversed(rows))[:room]:
        train = "" if item.train_loss is None else f"train {item.train_loss:.3f}"
        valid = "" if item.valid_loss is None else f"memory {item.valid_loss:.3f}"
        share = "" if item.valid_accuracy is None else f"{item.valid_accuracy:.0%} of tokens right"
        if item.valid_perplexity is not None:
            share = f"perplexity (base 2) {item.valid_perplexity:.3f}"
        there = "kept" if item.step in kept else ""
        said = "  ".join(part for part in (train, valid, share, there) if part)
        lines.append(f"step {item.step:>6}  {said}")
    return lines or ["No checkpoint yet."]


def settings(job: Job, extra: LocalJob | None, dataset: str) -> list[str]:
    """Settings as they were sent and chosen, and what the job stands on."""
    given = {
        name: value for name, value in asdict(job.hyperparameters).items() if value is not None
    }
    options = dict(extra.options) if extra else {}
    lineage = extra.lineage if extra else None
    papers = len(lineage.papers) if lineage else 0
    lines = [
        ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in given.items()),
        ", ".join(f"{name.replace('_', ' ')} {shorten(str(v), 30)}" for name, v in options.items()),
        f"{job.model} ← {dataset or 'a dataset made elsewhere'}"
        + (f" ← {papers} papers" if papers else ""),
        f"job {job.id} at {job.endpoint}"
        + (f", launched as {extra.launcher}" if extra and extra.launcher else "")
        + (f", Slurm's job {extra.slurm_job}" if extra and extra.slurm_job else ""),
    ]
    return [shorten(line, 240) for line in lines if line]
