"""Jobs from upload to model: checked, queued, run in workers that outlive the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from tui.domain.errors import PapertuneError, UsageError
from tui.domain.job import JobStatus
from tui.engine.background import in_background
from tui.engine.faults import disk_full, told
from tui.engine.home import EngineHome
from tui.engine.launchers.base import LaterError, Launch, Launcher, Seen, Verdict, Where
from tui.engine.settings import Price
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore, StoredJob
from tui.engine.supervisor.checks import Checks
from tui.engine.supervisor.estimate import document, warm_up
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.prepare import Prepared, Trainables, spec_of
from tui.engine.supervisor.publish import model_id, publish
from tui.engine.supervisor.queue import ON_DEVICE, WAITING, Waits, handed_over, next_ones, places

_LOG = logging.getLogger("papertune.engine")
_TICK_SECONDS = 0.4
_CANCEL_TICK_SECONDS = 0.1
_LATER_SECONDS = 5.0
_LAUNCHES = 3
# A full disk or a locked database passes; what else fails this often in a row will not.
_STUMBLES = 10


class Supervisor:
    """Moves every unfinished job one step on, again and again.

    All it knows lies in the database and in the jobs' folders, so a server that starts after
    another was killed carries on as if it had been there all along. `launchers` run the workers:
    new ones the first, and each one those that it started before the setting was changed.
    """

    def __init__(
        self,
        home: EngineHome,
        jobs: JobStore,
        files: FileStore,
        models: Trainables,
        launchers: Collection[Launcher],
        *,
        price: Price,
        changed: Callable[[int], None] = lambda _running: None,
    ) -> None:
        self._home = home
        self._jobs = jobs
        self._files = files
        self._models = models
        self._launchers = {launcher.name: launcher for launcher in launchers}
        self._launcher = next(iter(self._launchers.values()))
        self._price = price
        self._changed = changed
        self._running = -1
        self._awake = asyncio.Event()
        self._folders = dict[str, JobFolder]()
        self._checks = Checks(home, jobs, files, models, self._launcher, price, self.wake)
        self._cancelled_at = dict[str, float]()
        self._leaving = set[str]()
        self._stumbles = dict[str, int]()
        self._reasons = dict[str, str]()
        self._not_before = dict[str, float]()

    def folder(self, job_id: str) -> JobFolder:
        """The folder of a job; what was read of it is remembered."""
        return self._folders.setdefault(job_id, JobFolder(self._home.job(job_id)))

    @property
    def launcher(self) -> Launcher:
        """Who starts the workers of new jobs."""
        return self._launcher

    def waits(self, job_id: str) -> Waits | None:
        """The place of a job that waits, and for what; None when it does not."""
        return places(self._jobs.unfinished(), self._reasons).get(job_id)

    def wake(self) -> None:
        """Something changed: look at once."""
        self._awake.set()

    def start(self, job_id: str) -> bool:
        """Let a job run that was created without starting; whether that made sense."""
        job = self._jobs.get(job_id)
        if job is None or job.status not in (*WAITING, JobStatus.VALIDATING):
            return False
        if not job.start_requested:
            self._jobs.update(job_id, start_requested=1, modified_at=int(time.time()))
        self.wake()
        return True

    def cancel(self, job_id: str) -> bool:
        """Stop a job; whether there was anything to stop.

        A worker is asked by its cancel file, so that it can keep its last checkpoint. One that
        still waits in a launcher's queue reads it too, should it start before it is taken out.
        """
        job = self._jobs.get(job_id)
        if job is not None and job.status in WAITING and handed_over(job):
            self.folder(job_id).ask_to_stop()
            self._leaving.add(job_id)
        waiting = {*WAITING, JobStatus.VALIDATING}
        done = self._jobs.move(
            job_id, JobStatus.CANCELLED, frm=waiting, finished_at=time.time()
        ) or self._jobs.move(
            job_id,
            JobStatus.CANCELLATION_REQUESTED,
            frm={JobStatus.RUNNING, JobStatus.STARTED},
        )
        job = self._jobs.get(job_id)
        asked = job is not None and job.status == JobStatus.CANCELLATION_REQUESTED
        if asked:
            self.folder(job_id).ask_to_stop()
        self.wake()
        return done or asked

    async def run(self) -> None:
        """Supervise until cancelled; workers go on without it."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            while True:
                self._awake.clear()
                pause: float | None = _TICK_SECONDS
                try:
                    for job in self._jobs.unfinished():
                        await self._step(job)
                    await self._launch_next()
                    await self._see_off()
                    self._report()
                    pause = self._pause()
                except Exception:
                    _LOG.exception("supervision stumbled and goes on")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), pause)
        finally:
            sweeping.cancel()
            self._checks.cancel()

    async def _sweep(self) -> None:
        """End what a server that was killed had no time to end."""

        def over(job_id: str) -> bool:
            job = self._jobs.get(job_id)
            return job is not None and job.status.terminal

        try:
            await in_background(partial(self._launcher.sweep, over))
        except PapertuneError as error:
            _LOG.warning("%s", error)

    def _pause(self) -> float | None:
        if self._cancelled_at or self._leaving:
            return _CANCEL_TICK_SECONDS
        jobs = self._jobs.unfinished()
        return _TICK_SECONDS if any(map(handed_over, jobs)) or next_ones(jobs) else None

    def _report(self) -> None:
        busy = [job for job in self._jobs.unfinished() if job.status in ON_DEVICE]
        running = sum(not self._launcher_of(job).queues for job in busy)
        if running != self._running:
            self._running = running
            self._changed(running)

    async def _step(self, job: StoredJob) -> None:
        try:
            if job.status in (JobStatus.QUEUED, JobStatus.VALIDATING) and not job.metadata:
                self._checks.begin(job)
            elif handed_over(job):
                await self._follow(job)
            self._stumbles.pop(job.id, None)
        except Exception as error:
            _LOG.exception("job %s", job.id)
            # Without room for the database it waits until there is some; the worker goes on.
            self._stumbles[job.id] = self._stumbles.get(job.id, 0) + (not disk_full(error))
            if self._stumbles[job.id] >= _STUMBLES:
                self.folder(job.id).ask_to_stop()
                self._leaving.add(job.id)
                self._fail(job, f"The engine could not go on with this job. {told(error)}")

    def prepare(self, job: StoredJob) -> Prepared:
        """Check a job's files and count what it will take; blocking, for a thread."""
        return self._checks.prepare(job)

    def estimate(self, job: StoredJob, measure: bool) -> dict[str, Any]:
        """What a job would take; blocking, for a thread.

        Measured only where the launcher can train here and has a free device now. Raises
        UsageError when the files cannot be trained on.
        """
        prepared = self.prepare(job)
        if prepared.problem:
            raise UsageError(prepared.problem)
        model = self._models.trainable(job.model)
        launcher, measured = self._launcher, None
        busy = any(job.status in ON_DEVICE for job in self._jobs.unfinished())
        command = launcher.warm_up_command()
        if measure and command and not busy:
            measured = warm_up(self._home, job, model, command, launcher.threads)
        return document(job, model, prepared, self._price, measured, launcher.devices)

    async def _launch_next(self) -> None:
        jobs, launcher = self._jobs.unfinished(), self._launcher
        taken = {
            device
            for job in jobs
            if handed_over(job)
            for device in self.folder(job.id).launched().get("devices") or ()
        }
        full = ""
        for job in next_ones(jobs):
            if not full:
                room = await in_background(partial(launcher.room, frozenset(taken)))
                if room.devices is not None:
                    await self._launch(job, room.devices)
                    taken |= set(room.devices)
                    continue
                full = room.reason
            self._reasons[job.id] = full
            self._jobs.move(job.id, JobStatus.QUEUED, frm={JobStatus.VALIDATED})

    async def _launch(self, job: StoredJob, devices: tuple[str, ...]) -> None:
        folder = self.folder(job.id)
        try:
            if not folder.spec():
                model = self._models.trainable(job.model)
                folder.write_spec(spec_of(job, model, self._home, self._launcher.threads))
        except (OSError, PapertuneError) as error:
            self._fail(job, f"The job's folder could not be prepared. {told(error)}")
            return
        fresh = self._jobs.get(job.id)
        if fresh is None or fresh.status not in WAITING:
            return
        if self._launcher.queues:
            self._jobs.move(job.id, JobStatus.QUEUED, frm={JobStatus.VALIDATED})
        else:
            self._jobs.move(job.id, JobStatus.RUNNING, frm=WAITING, started_at=time.time())
        await self._spawn(job, folder, launches=1, devices=devices)

    async def _spawn(
        self, job: StoredJob, folder: JobFolder, launches: int, devices: tuple[str, ...]
    ) -> None:
        launcher = self._launcher
        step = max((point["step"] for point in folder.points()), default=-1)
        attempt = int(folder.launched().get("attempt") or 0) + 1
        note = {"launcher": launcher.name, "attempt": attempt, "devices": devices}
        launch = Launch(job.id, job.model, attempt, devices)
        try:
            folder.write_launch({**note, "at": time.time()})
            folder.forget_worker()
            self._jobs.update(job.id, launches=launches, launch_step=step)
            await in_background(partial(launcher.launch, folder, launch))
        except LaterError as error:
            self._reasons[job.id] = str(error)
            self._not_before[job.id] = time.monotonic() + _LATER_SECONDS
            _LOG.warning("job %s: %s", job.id, error)
        except (OSError, PapertuneError) as error:
            self._fail(job, f"The worker could not be started. {told(error)}")
        else:
            _LOG.info("job %s: attempt %s given to %s", job.id, attempt, launcher.name)

    def _launcher_of(self, job: StoredJob) -> Launcher:
        name = self.folder(job.id).launched().get("launcher")
        return self._launchers.get(str(name), self._launcher)

    async def _follow(self, job: StoredJob) -> None:
        folder, launcher = self.folder(job.id), self._launcher_of(job)
        seen = await in_background(partial(launcher.look, folder))
        # The status is read after the look at the worker: what a dying one wrote is seen.
        status = folder.status()
        match status.get("status"):
            case "SUCCESS":
                await self._succeed(job, folder, status)
            case "FAILED":
                self._fail(job, str(status.get("message") or "The training failed."))
            case "CANCELLED":
                self._end_cancelled(job)
            case _ if job.status == JobStatus.CANCELLATION_REQUESTED:
                await self._press(job, folder, seen)
            case said:
                await self._keep_up(job, folder, seen, bool(said))

    async def _keep_up(self, job: StoredJob, folder: JobFolder, seen: Seen, said: bool) -> None:
        """Let the job's status follow its worker's place."""
        match seen.where:
            case Where.WAITING:
                self._reasons[job.id] = seen.reason
                self._jobs.move(job.id, JobStatus.QUEUED, frm=ON_DEVICE, message=seen.reason)
            case Where.RUNNING:
                began: Any = {} if job.started_at else {"started_at": time.time()}
                status = JobStatus.RUNNING if said else JobStatus.STARTED
                self._jobs.move(
                    job.id, status, frm={*WAITING, JobStatus.STARTED} - {status}, **began
                )
            case Where.GONE if seen.verdict is Verdict.CANCELLED:
                self._end_cancelled(job, seen.reason)
            case Where.GONE if seen.verdict is Verdict.HOPELESS:
                self._fail(job, seen.reason)
            case Where.GONE:
                await self._relaunch(job, folder, seen.reason)

    async def _succeed(self, job: StoredJob, folder: JobFolder, status: dict[str, Any]) -> None:
        name = model_id(job)
        try:
            await asyncio.to_thread(publish, job, folder.adapter, self._home.model(name))
        except PapertuneError as error:
            self._fail(job, str(error))
            return
        told_tokens = status.get("train_tokens")
        tokens = int(told_tokens) if isinstance(told_tokens, int | float) else None
        self._account(job)
        self._jobs.finish(job, name, tokens, int(time.time()))
        self._forget(job)

    def _end_cancelled(self, job: StoredJob, message: str = "") -> None:
        self._account(job)
        self._jobs.move(
            job.id,
            JobStatus.CANCELLED,
            frm=ON_DEVICE | WAITING,
            message=message,
            finished_at=time.time(),
        )
        self._forget(job)

    async def _press(self, job: StoredJob, folder: JobFolder, seen: Seen) -> None:
        if seen.where is Where.GONE:
            self._end_cancelled(job)
            return
        folder.ask_to_stop()
        waited = time.monotonic() - self._cancelled_at.setdefault(job.id, time.monotonic())
        await in_background(partial(self._launcher_of(job).press, folder, waited))

    async def _see_off(self) -> None:
        """Take jobs that have ended here out of their launcher's queue."""
        for job_id in list(self._leaving):
            job, folder = self._jobs.get(job_id), self.folder(job_id)
            if job is None:
                self._leaving.discard(job_id)
                continue
            launcher = self._launcher_of(job)
            seen = await in_background(partial(launcher.look, folder))
            if seen.where is Where.GONE or folder.status().get("status") == "CANCELLED":
                self._forget(job)
                continue
            waited = time.monotonic() - self._cancelled_at.setdefault(job_id, time.monotonic())
            await in_background(partial(launcher.press, folder, waited))

    async def _relaunch(self, job: StoredJob, folder: JobFolder, reason: str) -> None:
        if time.monotonic() < self._not_before.get(job.id, 0):
            return
        launcher = self._launcher_of(job)
        launcher.forget(folder)
        step = max((point["step"] for point in folder.points()), default=-1)
        # A launch that its scheduler put off says nothing against the job.
        put_off = self._not_before.pop(job.id, None) is not None
        launches = 1 if step > job.launch_step else job.launches + (not put_off)
        if launches <= _LAUNCHES:
            _LOG.warning("job %s: worker %s after step %s, again", job.id, reason, step)
            devices = tuple(folder.launched().get("devices") or ())
            await self._spawn(job, folder, launches, devices)
            return
        tail = " / ".join(folder.log_tail(3))
        said = f" Its log ends: {tail}" if tail else ""
        self._fail(job, f"The worker {reason} {_LAUNCHES} times without progress.{said}")

    def _fail(self, job: StoredJob, message: str) -> None:
        active = {*WAITING, *ON_DEVICE, JobStatus.VALIDATING}
        self._account(job)
        self._jobs.move(
            job.id, JobStatus.FAILED, frm=active, message=message, finished_at=time.time()
        )
        self._forget(job)

    def _account(self, job: StoredJob) -> None:
        """Put what a job took, as far as its worker told, in the place of the estimate."""
        seconds = self.folder(job.id).device_seconds()
        if seconds is None or not job.metadata:
            return
        took: dict[str, Any] = {"device_seconds": round(seconds, 1)}
        if self._price.device_hour:
            cost = seconds / 3600 * self._price.device_hour
            took |= {"cost": round(cost, 4), "cost_currency": self._price.currency.upper()}
        self._jobs.update(job.id, metadata={**job.metadata, **took})

    def _forget(self, job: StoredJob) -> None:
        self._launcher_of(job).forget(self.folder(job.id))
        self._cancelled_at.pop(job.id, None)
        self._leaving.discard(job.id)
        self._reasons.pop(job.id, None)
        self._not_before.pop(job.id, None)
