"""Jobs as their endpoints told of them last: shown at once, also while an endpoint is silent."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import msgspec

from tui.domain.job import Job, LossPoint
from tui.jobs.diagnose import best_step
from tui.jobs.left import TimeLeft
from tui.mistral import LocalJob
from tui.mistral.jobs import parse_job
from tui.storage.workspace import Workspace

SPARKS = 24
_RECENT_POINTS = 200


@dataclass(frozen=True, slots=True)
class Summary:
    """What a row tells of a curve: `sparks` are at most 24 train losses, oldest first."""

    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    sparks: tuple[float, ...] = ()
    train_loss: float | None = None
    best_step: int | None = None
    best_loss: float | None = None
    final: bool = False
    """The job had ended when this was made, so it need not be made again."""


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job with what belongs to it here.

    `heard_at` is when its endpoint told of it last; `gone` means that it was deleted there.
    """

    job: Job
    dataset: str = ""
    group: str = ""
    summary: Summary | None = None
    heard_at: float = 0.0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """All jobs, newest first, and why an endpoint could not be asked, by its name."""

    jobs: tuple[KnownJob, ...] = ()
    silent: dict[str, str] = field(default_factory=dict)


class KnownJobs:
    """The tables `job_known` and `job_heard` of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._parsed: dict[tuple[str, str], tuple[str, Job]] = {}

    def heard(self, endpoint: str, jobs: Sequence[Job]) -> None:
        """An endpoint has listed all its jobs; what it no longer lists is gone."""
        connection = self._workspace.connection()
        rows = connection.execute(
            "SELECT job, document, gone FROM job_known WHERE endpoint = ?", (endpoint,)
        )
        before = {row["job"]: (row["document"], row["gone"]) for row in rows}
        now = {job.id: json.dumps(_listed(job)) for job in jobs}
        changed = [
            (endpoint, job, document)
            for job, document in now.items()
            if before.get(job) != (document, 0)
        ]
        lost = [(endpoint, job) for job, (_, gone) in before.items() if job not in now and not gone]
        with self._workspace.transaction() as connection:
            connection.executemany(
                "INSERT INTO job_known (endpoint, job, document) VALUES (?, ?, ?)"
                " ON CONFLICT (endpoint, job) DO UPDATE"
                " SET document = excluded.document, gone = 0",
                changed,
            )
            connection.executemany(
                "UPDATE job_known SET gone = 1 WHERE endpoint = ? AND job = ?", lost
            )
            connection.execute(
                "INSERT INTO job_heard (endpoint, at) VALUES (?, ?)"
                " ON CONFLICT (endpoint) DO UPDATE SET at = excluded.at",
                (endpoint, time.time()),
            )

    def summarised(self, endpoint: str, job: str, summary: Summary) -> None:
        """Keep what a row tells of a curve."""
        text = msgspec.json.encode(summary).decode()
        with self._workspace.transaction() as connection:
            connection.execute(
                "UPDATE job_known SET summary = ? WHERE endpoint = ? AND job = ? AND summary <> ?",
                (text, endpoint, job, text),
            )

    def forget(self, job: str) -> None:
        """Take a job that is gone off the board."""
        with self._workspace.transaction() as connection:
            connection.execute("DELETE FROM job_known WHERE job = ? AND gone = 1", (job,))

    def all(self, launched: dict[str, tuple[str, str]]) -> tuple[KnownJob, ...]:
        """Every job, newest first; `launched` has the dataset and the group of our own."""
        connection = self._workspace.connection()
        heard = {
            row["endpoint"]: row["at"] for row in connection.execute("SELECT * FROM job_heard")
        }
        found = []
        for row in connection.execute("SELECT * FROM job_known"):
            job = self._job(row["endpoint"], row["job"], row["document"])
            dataset, group = launched.get(job.id, ("", ""))
            found.append(
                KnownJob(
                    job,
                    dataset,
                    group,
                    _summary(row["summary"]),
                    heard.get(row["endpoint"], 0.0),
                    bool(row["gone"]),
                )
            )
        found.sort(key=lambda known: known.job.created_at, reverse=True)
        return tuple(found)

    def _job(self, endpoint: str, job_id: str, document: str) -> Job:
        """The job of a document; the same text is read once."""
        kept = self._parsed.get((endpoint, job_id))
        if kept is not None and kept[0] == document:
            return kept[1]
        job = replace(parse_job(msgspec.json.decode(document)), endpoint=endpoint)
        self._parsed[endpoint, job_id] = (document, job)
        return job


def summary_of(
    job: Job, points: Sequence[LossPoint], extra: LocalJob | None, memory: str | None
) -> Summary:
    """What a row tells of a job with this curve."""
    losses = [
        point.train_loss
        for point in points
        if point.train_loss is not None and math.isfinite(point.train_loss)
    ]
    best = best_step(points, memory)
    best_loss = next((p.validation[memory] for p in points if memory and p.step == best), None)
    progress = extra.progress if extra else None
    reached = points[-1].step if points else 0
    return Summary(
        step=max(reached, progress.step if progress else 0),
        steps=(progress.steps if progress else 0) or job.hyperparameters.training_steps or 0,
        seconds_left=None if job.terminal else _left(job, points, extra),
        sparks=tuple(round(value, 4) for value in thinned(losses, SPARKS)),
        train_loss=losses[-1] if losses else None,
        best_step=best,
        best_loss=best_loss,
        final=job.terminal,
    )


def _left(job: Job, points: Sequence[LossPoint], extra: LocalJob | None) -> float | None:
    """By the job's own last steps, else as the engine says it."""
    said = extra.progress if extra else None
    left = TimeLeft(job.hyperparameters.training_steps or (said.steps if said else 0))
    left.take(points[-_RECENT_POINTS:])
    found = left.seconds()
    return found if found is not None else said.seconds_left if said else None


def thinned(values: Sequence[float], count: int) -> list[float]:
    """Means of `count` equal stretches, so that a spike of one step does not hide the trend."""
    if len(values) <= count:
        return list(values)
    edges = [round(n * len(values) / count) for n in range(count + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]


def _listed(job: Job) -> dict[str, Any]:
    """The document as a listing has it: without what only a single job is told with."""
    return {key: value for key, value in job.raw.items() if key not in ("events", "checkpoints")}


def _summary(text: str) -> Summary | None:
    return msgspec.json.decode(text, type=Summary) if text else None
