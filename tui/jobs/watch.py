"""Following a job for as long as it takes: through restarts, hours offline and repeated answers."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from tui.domain.endpoint import EndpointKind
from tui.domain.errors import PapertuneError
from tui.domain.job import TERMINAL, Event, Job, JobStatus, LossPoint
from tui.jobs.diagnose import Diagnosis, MemoryUse, diagnose
from tui.jobs.digest import Digest
from tui.jobs.left import EVALUATED_ROWS, TimeLeft
from tui.mistral import (
    ApiError,
    Client,
    EngineOff,
    LocalJob,
    Progress,
    QuotaError,
    ServerError,
    Unreachable,
)

_PASSING = (Unreachable, ServerError, QuotaError, EngineOff)
# A job's document is read again at least so often; between, the engine's own route says whether it
# has changed. A curve without a new evaluation is thought about as often.
_WHOLE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """Something new about a job, in time order.

    `status`: the job changed its status, or the endpoint answers again; `checkpoint`: a `point`
    was measured; `warning`: a `diagnosis`, or the endpoint does not answer (`message` says so);
    `done`: nothing more will happen. `at` is seconds since 1970 by the endpoint's clock, `job` is
    None until the endpoint has answered once.
    """

    event: Literal["status", "checkpoint", "warning", "done"]
    at: float
    job: Job | None
    status: JobStatus | str = ""
    point: LossPoint | None = None
    diagnosis: Diagnosis | None = None
    message: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks: short while things happen, longer while nothing does.

    After a failure the wait doubles up to `longest_offline`, with jitter, so that many watchers
    do not come back in step.
    """

    shortest: float = 0.5
    longest: float = 5.0
    growth: float = 1.4
    longest_offline: float = 60.0

    def next(self, wait: float, *, news: bool) -> float:
        """The wait after a look that brought news or none."""
        return self.shortest if news else min(self.longest, wait * self.growth)

    def offline(self, failures: int) -> float:
        """The wait after so many failures in a row."""
        ceiling = min(self.longest_offline, self.shortest * float(2 ** min(failures, 20)))
        return ceiling * random.uniform(0.5, 1.0)


LOCAL_PACE = Pace(shortest=1.0)
HOSTED_PACE = Pace(shortest=3.0, longest=30.0, longest_offline=300.0)


class Watch:
    """One watcher of one job; it remembers what it has told, so nothing is lost or told twice.

    `client` is asked anew before each look, because an engine that restarts has a new address.
    `revive` starts an engine that is off, where that is allowed. `backlog` says how many points of
    the first look are told; None: all.
    """

    def __init__(
        self,
        job_id: str,
        client: Callable[[], Client],
        memory: Callable[[Job], str | None],
        *,
        pace: Pace | None = None,
        revive: Callable[[], Awaitable[Any]] | None = None,
        backlog: int | None = None,
    ) -> None:
        self._id = job_id
        self._backlog = backlog
        self._client = client
        self._memory = memory
        self._pace = pace
        self._revive = revive
        self._job: Job | None = None
        self._events: Counter[str] = Counter()
        self._status: JobStatus | str = ""
        self._ahead: JobStatus | str = ""
        self._points: list[LossPoint] = []
        self._held: LossPoint | None = None
        self._said: set[tuple[str, int | None]] = set()
        self._offline_since: float | None = None
        self._failures = 0
        self._heard = self._read_whole = time.monotonic()
        self._thought = -math.inf
        self._says_status = False
        self._waits = ""
        self._left: TimeLeft | None = None
        self._digest = Digest()

    async def events(self) -> AsyncGenerator[WatchEvent, None]:
        """All events from the beginning of the job to its end.

        Raises ApiError for what no waiting mends: no such job, a refused key.
        """
        wait = 0.0
        while True:
            try:
                told, pace = await self._look()
            except _PASSING as error:
                first = self._offline_since is None
                if first:
                    self._offline_since = time.time()
                    yield WatchEvent("warning", time.time(), self._job, message=_offline(error))
                if not (first and await self._revived()):
                    await asyncio.sleep(self._patience(error))
                continue
            if self._offline_since is not None:
                gone = time.time() - self._offline_since
                self._offline_since, self._failures = None, 0
                message = f"The endpoint answers again after {gone:.0f} s."
                yield WatchEvent("status", time.time(), self._job, self._status, message=message)
            for event in told:
                yield event
            if self._job is not None and self._job.terminal:
                return
            wait = pace.next(wait or pace.shortest, news=bool(told))
            await asyncio.sleep(wait)

    async def _look(self) -> tuple[list[WatchEvent], Pace]:
        """One look at the job: the news in time order.

        The job is read before its points, so the points of a job that has ended are all of them.
        """
        client = self._client()
        job, extra = await self._read(client)
        hosted = client.endpoint.kind is EndpointKind.MISTRAL
        pace = self._pace or (HOSTED_PACE if hosted else LOCAL_PACE)
        self._job = job
        points = self._new_points(job, extra)
        if points:
            self._heard = time.monotonic()
            self._digest.take(points)
        told_points = points
        if self._backlog is not None:
            told_points, self._backlog = points[max(0, len(points) - self._backlog) :], None
        progress = await self._progress(client, job, extra, points) if extra else None
        told = [
            *self._status_events(job),
            *(
                WatchEvent("checkpoint", point.at, job, job.status, point, progress=progress)
                for point in told_points
            ),
        ]
        told.sort(key=_order)
        if extra is not None and extra.waits != self._waits:
            self._waits = extra.waits
            if extra.waits:
                told.append(WatchEvent("status", time.time(), job, job.status, message=extra.waits))
        told += self._diagnoses(job, extra, fresh=any(point.validation for point in points))
        if job.terminal:
            message = extra.message if extra else ""
            at = float(job.modified_at)
            told.append(WatchEvent("done", at, job, job.status, message=message, progress=progress))
        return told, pace

    async def _progress(
        self, client: Client, job: Job, extra: LocalJob, points: list[LossPoint]
    ) -> Progress:
        """How far it is; the time left by the job's own steps, else as the engine says it."""
        steps = job.hyperparameters.training_steps or extra.progress.steps
        if self._left is None and steps:
            rows = 0
            for file_id in job.validation_files:
                with suppress(ApiError):
                    rows += min(EVALUATED_ROWS, (await client.file(file_id)).lines or 0)
            batch = extra.options.get("batch_size")
            self._left = TimeLeft(steps, rows=rows, batch=batch if isinstance(batch, int) else 4)
        if self._left is not None:
            self._left.take(points)
            if (seconds := self._left.seconds()) is not None:
                return replace(extra.progress, seconds_left=round(seconds, 1))
        return extra.progress

    async def _read(self, client: Client) -> tuple[Job, LocalJob | None]:
        """The job and what the engine adds; the job itself only when it may have changed."""
        last = self._points[-1].step if self._points else -1
        if not await client.is_engine():
            return await client.jobs.get(self._id), None
        known, recent = self._job, time.monotonic() - self._read_whole < _WHOLE_SECONDS
        if known is not None and recent and self._says_status:
            extra = await client.local.job(self._id, after=last)
            if extra.status == known.status:
                return known, extra
        job = await client.jobs.get(self._id)
        self._read_whole = time.monotonic()
        extra = await client.local.job(self._id, after=last)
        self._says_status = bool(extra.status)
        return job, extra

    def _status_events(self, job: Job) -> list[WatchEvent]:
        """New entries of the job's history; a status that has none is told once."""
        told = []
        seen: Counter[str] = Counter()
        for event in job.events:
            key = _key(event)
            seen[key] += 1
            status = str(event.data.get("status") or "")
            if seen[key] <= self._events[key]:
                continue
            if self._ahead == status != "":
                self._ahead = ""  # told already, when the job said it before its history did
                continue
            self._status = status or self._status
            told.append(
                WatchEvent(
                    "status",
                    float(event.created_at),
                    job,
                    status or job.status,
                    message="" if status else event.name,
                )
            )
        self._events |= seen
        if job.status != self._status:
            self._status = self._ahead = job.status
            told.append(WatchEvent("status", float(job.modified_at), job, job.status))
        return told

    def _new_points(self, job: Job, extra: LocalJob | None) -> list[LossPoint]:
        """Points not told yet; the newest is held back until it can no longer change.

        A step's training and validation losses may be written one after the other, so the newest
        is told when a later one exists, when it was the same at two looks, or at the end.
        """
        last = self._points[-1].step if self._points else -1
        if extra is None:
            fresh = [point for point in checkpoints_as_points(job) if point.step > last]
            self._points += fresh
            return fresh
        fresh = [point for point in extra.points if point.step > last]
        if fresh and not job.terminal and fresh[-1] != self._held:
            self._held = fresh.pop()
        self._points += fresh
        return fresh

    def _diagnoses(self, job: Job, extra: LocalJob | None, *, fresh: bool) -> list[WatchEvent]:
        now = time.monotonic()
        if not (fresh or job.terminal) and now - self._thought < _WHOLE_SECONDS:
            return []
        self._thought = now
        # By our own clock since the last point came: the endpoint's may differ from ours.
        silent = now - self._heard
        found = diagnose(
            self._digest.points(),
            memory=self._memory(job),
            status=job.status,
            steps=job.hyperparameters.training_steps,
            now=self._points[-1].at + silent if self._points else None,
            device=MemoryUse(*extra.memory) if extra and extra.memory else None,
        )
        told = []
        for item in found:
            key = (item.code, item.best_step)
            if key not in self._said:
                self._said.add(key)
                told.append(
                    WatchEvent(
                        "warning",
                        time.time(),
                        job,
                        job.status,
                        diagnosis=item,
                        message=item.message,
                    )
                )
        return told

    async def _revived(self) -> bool:
        if self._revive is None:
            return False
        try:
            await self._revive()
        except PapertuneError:
            return False  # the warning has said that it is off, and how to start it
        return True

    def _patience(self, error: Exception) -> float:
        self._failures += 1
        wait = (self._pace or LOCAL_PACE).offline(self._failures)
        asked = error.retry_after if isinstance(error, QuotaError) else None
        return max(wait, asked or 0.0)


def checkpoints_as_points(job: Job) -> list[LossPoint]:
    """The curve of a server without finer points; the loss goes under the first file."""
    first = job.validation_files[0] if job.validation_files else "validation"
    return [
        LossPoint(
            step=item.step,
            at=float(item.created_at),
            train_loss=item.train_loss,
            validation={} if item.valid_loss is None else {first: item.valid_loss},
        )
        for item in job.checkpoints
    ]


def as_plain(event: WatchEvent, names: dict[str, str] | None = None) -> dict[str, Any]:
    """An event as JSON types; `names` says which validation file is memory and which transfer."""
    value: dict[str, Any] = {
        "event": event.event,
        "job": event.job.id if event.job else None,
        "status": str(event.status) or None,
        "at": event.at,
    }
    if event.point is not None:
        point = event.point
        value |= {
            "step": point.step,
            "train_loss": _finite(point.train_loss),
            "learning_rate": point.learning_rate,
            "grad_norm": _finite(point.grad_norm),
            "tokens": point.tokens,
            "validation": _named(point, names or {}),
        }
    if event.progress is not None:
        value["steps"] = event.progress.steps or None
        value["seconds_left"] = event.progress.seconds_left
    if event.diagnosis is not None:
        value["code"] = event.diagnosis.code
        value["best_step"] = event.diagnosis.best_step
    if event.message:
        value["message"] = event.message
    if event.event == "done" and event.job is not None:
        value["model"] = event.job.fine_tuned_model
        value["trained_tokens"] = event.job.trained_tokens
    return value


def _finite(value: float | None) -> float | None:
    """A number that JSON can hold; what is none is told by a warning."""
    return value if value is not None and math.isfinite(value) else None


def _named(point: LossPoint, names: dict[str, str]) -> dict[str, float | None]:
    """Losses by what they measure; files that measure the same keep their ids."""
    labels = [names.get(file_id, file_id) for file_id in point.validation]
    return {
        label if labels.count(label) == 1 else file_id: _finite(loss)
        for (file_id, loss), label in zip(point.validation.items(), labels, strict=True)
    }


def _order(event: WatchEvent) -> float:
    """By time; statuses count whole seconds, so the last one goes after the last points."""
    last = event.event == "status" and event.status in TERMINAL
    return math.inf if last else event.at


def _key(event: Event) -> str:
    return json.dumps([event.name, event.created_at, event.data], sort_keys=True, default=str)


def _offline(error: PapertuneError) -> str:
    remedy = f" {error.remedy.rstrip('.')}." if error.remedy else ""
    return (
        f"{error.message} A job that trains goes on by itself; this goes on when there is an "
        f"answer.{remedy}"
    )
