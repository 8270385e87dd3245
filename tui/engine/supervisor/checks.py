"""Checking jobs before they start, one after another, beside everything else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tui.domain.errors import PapertuneError
from tui.domain.job import JobStatus
from tui.engine.background import in_background
from tui.engine.home import EngineHome
from tui.engine.launchers.base import Launcher
from tui.engine.settings import Price
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore, StoredJob
from tui.engine.supervisor.prepare import Prepared, Trainables, prepare

_LOG = logging.getLogger("papertune.engine")


class Checks:
    """Moves jobs from QUEUED through VALIDATING to VALIDATED or FAILED_VALIDATION."""

    def __init__(
        self,
        home: EngineHome,
        jobs: JobStore,
        files: FileStore,
        models: Trainables,
        launcher: Launcher,
        price: Price,
        done: Callable[[], None],
    ) -> None:
        self._home = home
        self._jobs = jobs
        self._files = files
        self._models = models
        self._launcher = launcher
        self._price = price
        self._done = done
        self._tasks = dict[str, asyncio.Task[None]]()
        self._one = asyncio.Lock()

    def begin(self, job: StoredJob) -> None:
        """Check a job, unless that is being done."""
        if job.id not in self._tasks:
            self._jobs.move(job.id, JobStatus.VALIDATING, frm={JobStatus.QUEUED})
            self._tasks[job.id] = asyncio.create_task(self._validate(job))

    def cancel(self) -> None:
        """The server stops; the next one checks again."""
        for task in self._tasks.values():
            task.cancel()

    def prepare(self, job: StoredJob) -> Prepared:
        """Check a job's files and count what it will take; blocking, for a thread."""

        def name(file_id: str) -> str:
            file = self._files.get(file_id)
            return file.filename if file else file_id

        speed = self._jobs.speed(job.model)
        threads = self._launcher.threads
        prepared = prepare(job, self._models, self._home.file, name, speed, threads)
        if problem := prepared.problem or self._launcher.problem():
            return Prepared(problem, prepared.hyperparameters, prepared.metadata)
        metadata = prepared.metadata | {
            "cost": round(
                prepared.metadata["expected_duration_seconds"] / 3600 * self._price.device_hour, 4
            ),
            "cost_currency": self._price.currency.upper(),
        }
        return Prepared("", prepared.hyperparameters, metadata)

    async def _validate(self, job: StoredJob) -> None:
        values: dict[str, Any] = {}
        try:
            async with self._one:
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
            self._tasks.pop(job.id, None)
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
        self._done()
