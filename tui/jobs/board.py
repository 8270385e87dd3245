"""The jobs of all endpoints as one board that is there at once and says how old it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from tui.domain.errors import MissingError
from tui.domain.job import TERMINAL, Job, JobStatus, LossPoint
from tui.jobs import money
from tui.jobs.known import Board, KnownJob, KnownJobs, Summary, summary_of
from tui.jobs.store import SubmissionStore
from tui.mistral import ApiError, Client, Endpoints, Ledger, LocalJob
from tui.storage.workspace import Workspace

# Curves of ended jobs that are fetched at one refresh: the rest follow at the next ones.
_CURVES_A_REFRESH = 6
_AWAY_SECONDS = 60.0


class ReadsJobs(Protocol):
    """The jobs, as far as the board needs them."""

    async def points(self, job_id: str) -> Sequence[LossPoint]:
        """A job's curve."""

    def memory_file(self, job: Job) -> str | None:
        """The validation file that picks the checkpoint."""


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What became of a job since a person looked last."""

    job: Job
    words: str


class Boards:
    """Keeps the board; every method that reads only is quick and needs no endpoint."""

    def __init__(
        self,
        jobs: ReadsJobs,
        workspace: Workspace,
        store: SubmissionStore,
        endpoints: Endpoints,
        ledger: Ledger,
        person: str,
    ) -> None:
        self._jobs, self._workspace, self._store = jobs, workspace, store
        self._endpoints, self._ledger = endpoints, ledger
        self._known = KnownJobs(workspace)
        self._curves: dict[str, list[LossPoint]] = {}
        self.person = person

    def known(self) -> tuple[KnownJob, ...]:
        """What was heard last, without asking anybody."""
        return self._known.all(self._store.all_of_jobs())

    async def refresh(self) -> Board:
        """Ask every endpoint; those that do not answer keep what they told last."""
        silent: dict[str, str] = {}
        before = {known.job.id: known for known in await asyncio.to_thread(self.known)}
        for item in self._endpoints.all():
            try:
                jobs = await self._endpoints.client(item.name).jobs.list()
            except (ApiError, MissingError) as error:
                silent[item.name] = error.message
                continue
            await asyncio.to_thread(self._known.heard, item.name, jobs)
        board = await asyncio.to_thread(self.known)
        await self._summarise([item for item in board if item.job.endpoint not in silent], before)
        return Board(await asyncio.to_thread(self.known), silent)

    def forget(self, job_id: str) -> None:
        """Take a job that was deleted at its endpoint off the board."""
        self._known.forget(job_id)

    def meanwhile(self, *, at: float | None = None) -> list[Meanwhile]:
        """What happened while this person was away, by the board as it is now."""
        now = time.time() if at is None else at
        seen = self._seen()
        last = max((when for _, _, when in seen.values()), default=None)
        if last is None or now - last < _AWAY_SECONDS:
            return []
        found = []
        for known in self.known():
            job, before = known.job, seen.get(known.job.id)
            if words := _became(known, before, last):
                found.append(Meanwhile(job, words))
        return found

    def looked(self) -> None:
        """This person has seen the board as it is now."""
        rows = [
            (
                self.person,
                known.job.id,
                "GONE" if known.gone else str(known.job.status),
                known.summary.step if known.summary else 0,
                time.time(),
            )
            for known in self.known()
        ]
        with self._workspace.transaction() as connection:
            connection.executemany(
                "INSERT INTO job_seen (person, job, status, step, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (person, job) DO UPDATE"
                " SET status = excluded.status, step = excluded.step, at = excluded.at",
                rows,
            )

    def claim_alert(self, job_id: str, kind: str) -> bool:
        """Whether this app is the first to tell of something: others then stay silent."""
        with self._workspace.transaction() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO job_alert (job, kind, at) VALUES (?, ?, ?)",
                (job_id, kind, time.time()),
            )
            return done.rowcount == 1

    def _seen(self) -> dict[str, tuple[str, int, float]]:
        rows = self._workspace.connection().execute(
            "SELECT job, status, step, at FROM job_seen WHERE person = ?", (self.person,)
        )
        return {row["job"]: (row["status"], row["step"], row["at"]) for row in rows}

    async def _summarise(self, board: Sequence[KnownJob], before: dict[str, KnownJob]) -> None:
        """Read the curves of what runs and of some that ended; count what ended in the ledger."""
        running = [item for item in board if not item.job.terminal and not item.gone]
        ended = [
            item
            for item in board
            if item.job.terminal
            and not item.gone
            and (item.summary is None or not item.summary.final)
        ]
        for item in (*running, *ended[:_CURVES_A_REFRESH]):
            job = item.job
            with suppress(ApiError, MissingError):
                client = self._endpoints.client(job.endpoint)
                whole = await client.jobs.get(job.id) if job.terminal else job
                extra, points = await self._curve(client, job)
                summary = await asyncio.to_thread(self._summary, whole, points, extra)
                await asyncio.to_thread(self._known.summarised, job.endpoint, job.id, summary)
                was = before.get(job.id)
                if job.terminal and was is not None and (item.dataset or not was.job.terminal):
                    await asyncio.to_thread(money.account, self._ledger, whole)

    async def _curve(self, client: Client, job: Job) -> tuple[LocalJob | None, list[LossPoint]]:
        """What the engine says of a job, and its curve, of which only what is new is asked for."""
        if not await client.is_engine():
            return None, list(await self._jobs.points(job.id))
        curve = self._curves.setdefault(job.id, [])
        extra = await client.local.job(job.id, after=curve[-1].step if curve else -1)
        curve += extra.points
        if job.terminal:
            self._curves.pop(job.id, None)
        return extra, curve

    def _summary(self, job: Job, points: Sequence[LossPoint], extra: LocalJob | None) -> Summary:
        return summary_of(job, points, extra, self._jobs.memory_file(job))


def _became(known: KnownJob, before: tuple[str, int, float] | None, last: float) -> str:
    """What a person missed of a job; empty for nothing."""
    job, name = known.job, f"Job {known.job.id[:8]}"
    word = str(job.status).lower().replace("_", " ")
    status, step, _ = before or ("", 0, 0.0)
    reached = known.summary.step if known.summary else 0
    cases = (
        (known.gone, f"{name} was deleted at its endpoint." if status not in ("", "GONE") else ""),
        (before is None, f"{name} was launched and is {word}." if job.created_at >= last else ""),
        (status in TERMINAL, ""),
        (
            job.status == JobStatus.SUCCESS,
            f"{name} is done: {job.fine_tuned_model or 'its model is ready'}.",
        ),
        (job.terminal, f"{name} ended: {word}."),
        (reached > step, f"{name} went from step {step} to {reached}."),
        (str(job.status) != status, f"{name} is {word}."),
    )
    return next((words for holds, words in cases if holds), "")
