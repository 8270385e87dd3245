"""Jobs from upload to model: checked, queued, run in workers that outlive the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tui.domain.errors import PapertuneError
from tui.domain.job import JobStatus
from tui.engine.background import in_background
from tui.engine.home import EngineHome
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore, StoredJob
from tui.engine.supervisor import process
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.prepare import Prepared, Trainables, prepare, settled
from tui.engine.supervisor.process import Identity
from tui.engine.supervisor.publish import model_id, publish

__all__ = ["WORKER", "Supervisor", "Trainables", "cores"]

_LOG = logging.getLogger("papertune.engine")
# The command of a training worker; the folder of its job is appended.
WORKER = (sys.executable, "-m", "tui.engine.training.worker")
_TICK_SECONDS = 0.4
_CANCEL_TICK_SECONDS = 0.1
_TERM_AFTER_SECONDS = 1.0
_KILL_AFTER_SECONDS = 12.0
_LAUNCHES = 3
# A full disk or a locked database may pass; what fails this often in a row will not.
_STUMBLES = 10
_WAITING = frozenset({JobStatus.QUEUED, JobStatus.VALIDATED})
_ON_DEVICE = frozenset({JobStatus.STARTED, JobStatus.RUNNING, JobStatus.CANCELLATION_REQUESTED})


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Supervisor:
    """Moves every unfinished job one step on, again and again.

    All it knows lies in the database and in the jobs' folders, so a server that starts after
    another was killed carries on as if it had been there all along. One job trains at a time: two
    on the same cores or GPU would each take more than twice as long.
    """

    def __init__(
        self,
        home: EngineHome,
        jobs: JobStore,
        files: FileStore,
        models: Trainables,
        *,
        worker: Sequence[str] = WORKER,
        changed: Callable[[int], None] = lambda _running: None,
    ) -> None:
        self._home = home
        self._jobs = jobs
        self._files = files
        self._models = models
        self._worker = worker
        self._changed = changed
        self._running = -1
        self._awake = asyncio.Event()
        self._folders = dict[str, JobFolder]()
        self._children = dict[str, subprocess.Popen[bytes]]()
        self._checks = dict[str, asyncio.Task[None]]()
        self._checking = asyncio.Lock()
        self._cancelled_at = dict[str, float]()
        self._termed = set[str]()
        self._stumbles = dict[str, int]()

    def folder(self, job_id: str) -> JobFolder:
        """The folder of a job; what was read of it is remembered."""
        return self._folders.setdefault(job_id, JobFolder(self._home.job(job_id)))

    def wake(self) -> None:
        """Something changed: look at once."""
        self._awake.set()

    def start(self, job_id: str) -> bool:
        """Let a job run that was created without starting; whether that made sense."""
        job = self._jobs.get(job_id)
        if job is None or job.status not in (*_WAITING, JobStatus.VALIDATING):
            return False
        if not job.start_requested:
            self._jobs.update(job_id, start_requested=1, modified_at=int(time.time()))
        self.wake()
        return True

    def cancel(self, job_id: str) -> bool:
        """Stop a job; whether there was anything to stop.

        A running worker is asked by its cancel file, so that it can keep its last checkpoint.
        """
        waiting = {*_WAITING, JobStatus.VALIDATING}
        done = self._jobs.move(
            job_id, JobStatus.CANCELLED, frm=waiting, finished_at=time.time()
        ) or self._jobs.move(job_id, JobStatus.CANCELLATION_REQUESTED, frm={JobStatus.RUNNING})
        job = self._jobs.get(job_id)
        asked = job is not None and job.status == JobStatus.CANCELLATION_REQUESTED
        if asked:
            self.folder(job_id).ask_to_stop()
        self.wake()
        return done or asked

    async def run(self) -> None:
        """Supervise until cancelled; workers go on without it."""
        try:
            while True:
                self._awake.clear()
                pause: float | None = _TICK_SECONDS
                try:
                    for job in self._jobs.unfinished():
                        await self._step(job)
                    self._launch_next()
                    self._report()
                    pause = self._pause()
                except Exception:
                    _LOG.exception("supervision stumbled and goes on")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), pause)
        finally:
            for check in self._checks.values():
                check.cancel()

    def _pause(self) -> float | None:
        busy = self._jobs.count(_ON_DEVICE)
        if self._cancelled_at:
            return _CANCEL_TICK_SECONDS
        return _TICK_SECONDS if busy or self._children else None

    def _report(self) -> None:
        running = self._jobs.count(_ON_DEVICE)
        if running != self._running:
            self._running = running
            self._changed(running)

    async def _step(self, job: StoredJob) -> None:
        try:
            if job.status in (JobStatus.QUEUED, JobStatus.VALIDATING) and not job.metadata:
                self._check(job)
            elif job.status in _ON_DEVICE:
                await self._follow(job)
            self._stumbles.pop(job.id, None)
        except Exception as error:
            _LOG.exception("job %s", job.id)
            self._stumbles[job.id] = self._stumbles.get(job.id, 0) + 1
            if self._stumbles[job.id] >= _STUMBLES:
                folder = self.folder(job.id)
                process.send(folder.worker(), folder.path, signal.SIGKILL)
                self._fail(job, f"The engine could not go on with this job: {error}.")

    def _check(self, job: StoredJob) -> None:
        if job.id not in self._checks:
            self._jobs.move(job.id, JobStatus.VALIDATING, frm={JobStatus.QUEUED})
            self._checks[job.id] = asyncio.create_task(self._validate(job))

    async def _validate(self, job: StoredJob) -> None:
        values: dict[str, Any] = {}
        try:
            async with self._checking:
                prepared = await in_background(partial(self.prepare, job))
            problem = prepared.problem
            if not problem:
                values = {
                    "hyperparameters": prepared.hyperparameters,
                    "metadata": prepared.metadata,
                }
        except PapertuneError as error:
            problem = str(error)
        except Exception as error:
            _LOG.exception("job %s could not be checked", job.id)
            problem = f"The files could not be checked: {error}."
        finally:
            self._checks.pop(job.id, None)
        if problem:
            self._jobs.move(
                job.id,
                JobStatus.FAILED_VALIDATION,
                frm={JobStatus.VALIDATING},
                message=problem,
                finished_at=time.time(),
            )
        else:
            self._jobs.move(job.id, JobStatus.VALIDATED, frm={JobStatus.VALIDATING}, **values)
        self.wake()

    def prepare(self, job: StoredJob) -> Prepared:
        """Check a job's files and count what it will take; blocking, for a thread."""

        def name(file_id: str) -> str:
            file = self._files.get(file_id)
            return file.filename if file else file_id

        speed = self._jobs.speed(job.model)
        return prepare(job, self._models, self._home.file, name, speed, cores())

    def _launch_next(self) -> None:
        jobs = self._jobs.unfinished()
        busy = any(job.status in _ON_DEVICE for job in jobs)
        for job in jobs:
            if job.status not in _WAITING or not job.start_requested or not job.metadata:
                continue
            if not busy:
                busy = self._launch(job)
            else:
                self._jobs.move(job.id, JobStatus.QUEUED, frm={JobStatus.VALIDATED})

    def _launch(self, job: StoredJob) -> bool:
        try:
            folder = self.folder(job.id)
            if not folder.spec():
                folder.write_spec(self._spec(job))
        except (OSError, PapertuneError) as error:
            self._fail(job, f"The job's folder could not be prepared: {error}.")
            return False
        moved = self._jobs.move(job.id, JobStatus.RUNNING, frm=_WAITING, started_at=time.time())
        if moved:
            self._spawn(job, folder, launches=1)
        return moved

    def _spec(self, job: StoredJob) -> dict[str, Any]:
        model = self._models.trainable(job.model)
        hyperparameters, options = settled(job, model)
        return {
            "job": job.id,
            "model": job.model,
            "model_dir": str(model.folder),
            "train": [
                {**part, "path": str(self._home.file(part["file_id"]))} for part in job.training
            ],
            "validation": [
                {"file_id": file_id, "path": str(self._home.file(file_id))}
                for file_id in job.validation
            ],
            "hyperparameters": {
                name: value for name, value in hyperparameters.items() if name != "fim_ratio"
            },
            "options": {name: value for name, value in options.items() if name != "lineage"},
            "skip_share": job.skip_share,
            "threads": cores(),
        }

    def _spawn(self, job: StoredJob, folder: JobFolder, launches: int) -> None:
        step = max((point["step"] for point in folder.points()), default=-1)
        self._jobs.update(job.id, launches=launches, launch_step=step)
        folder.forget_worker()
        try:
            child = process.launch(self._worker, folder.path, folder.log, cores())
        except OSError as error:
            self._fail(job, f"The worker could not be started: {error}.")
            return
        self._children[job.id] = child
        identity = Identity.of(child.pid)
        if identity is not None:
            folder.write_worker(identity)
        _LOG.info("job %s: worker %s started", job.id, child.pid)

    async def _follow(self, job: StoredJob) -> None:
        folder = self.folder(job.id)
        living = self._alive(job, folder)
        # The status is read after the look at the process: what a dying worker wrote is seen.
        status = folder.status()
        match status.get("status"):
            case "SUCCESS":
                await self._succeed(job, folder, status)
            case "FAILED":
                self._fail(job, str(status.get("message") or "The training failed."))
            case "CANCELLED":
                self._end_cancelled(job)
            case _ if job.status == JobStatus.CANCELLATION_REQUESTED:
                self._press(job, folder, living)
            case _ if not living:
                self._relaunch(job, folder)

    def _alive(self, job: StoredJob, folder: JobFolder) -> bool:
        child = self._children.get(job.id)
        if child is not None:
            return child.poll() is None
        worker = folder.worker()
        if worker is None:
            worker = process.find(folder.path)
            if worker is not None:
                folder.write_worker(worker)
        return process.alive(worker, folder.path)

    async def _succeed(self, job: StoredJob, folder: JobFolder, status: dict[str, Any]) -> None:
        name = model_id(job)
        try:
            await asyncio.to_thread(publish, job, folder.adapter, self._home.model(name))
        except (OSError, ValueError) as error:
            self._fail(job, f"The trained adapter could not be published: {error}.")
            return
        tokens = status.get("train_tokens")
        self._jobs.finish(
            job, name, int(tokens) if isinstance(tokens, int | float) else None, int(time.time())
        )
        self._forget(job)

    def _end_cancelled(self, job: StoredJob) -> None:
        self._jobs.move(job.id, JobStatus.CANCELLED, frm=_ON_DEVICE, finished_at=time.time())
        self._forget(job)

    def _press(self, job: StoredJob, folder: JobFolder, living: bool) -> None:
        if not living:
            self._end_cancelled(job)
            return
        folder.ask_to_stop()
        waited = time.monotonic() - self._cancelled_at.setdefault(job.id, time.monotonic())
        worker = folder.worker()
        if waited > _KILL_AFTER_SECONDS:
            process.send(worker, folder.path, signal.SIGKILL)
        elif waited > _TERM_AFTER_SECONDS and job.id not in self._termed:
            self._termed.add(job.id)
            process.send(worker, folder.path, signal.SIGTERM)

    def _relaunch(self, job: StoredJob, folder: JobFolder) -> None:
        child = self._children.pop(job.id, None)
        step = max((point["step"] for point in folder.points()), default=-1)
        launches = 1 if step > job.launch_step else job.launches + 1
        if launches <= _LAUNCHES:
            _LOG.warning("job %s: worker died after step %s, starting it again", job.id, step)
            self._spawn(job, folder, launches)
            return
        tail = " / ".join(folder.log_tail(3))
        said = f" Its log ends: {tail}" if tail else ""
        self._fail(job, f"The worker {_ending(child)} {_LAUNCHES} times without progress.{said}")

    def _fail(self, job: StoredJob, message: str) -> None:
        active = {*_WAITING, *_ON_DEVICE, JobStatus.VALIDATING}
        self._jobs.move(
            job.id, JobStatus.FAILED, frm=active, message=message, finished_at=time.time()
        )
        self._forget(job)

    def _forget(self, job: StoredJob) -> None:
        child = self._children.pop(job.id, None)
        if child is not None and child.poll() is None:
            # It has said that it is done; wait for it elsewhere so that it leaves no zombie.
            asyncio.get_running_loop().run_in_executor(None, child.wait)
        self._cancelled_at.pop(job.id, None)
        self._termed.discard(job.id)


def _ending(child: subprocess.Popen[bytes] | None) -> str:
    code = child.poll() if child is not None else None
    if code is None:
        return "died"
    if code == -signal.SIGKILL:
        return "was killed (signal 9; if nobody did it, memory ran out)"
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
