"""From a key to a job: asking what to train, having the engine ready, launching once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.jobs.new_job import Launch, NewJob, values_of
from tui.domain.job import Job
from tui.jobs.prepare import make_ready
from tui.mistral import ConsentNeeded
from tui.text import visible
from widgets.dialogs import Confirm

if TYPE_CHECKING:
    from tui.datasets import Datasets
    from tui.jobs import JobRequest, Jobs
    from tui.mistral import Endpoints, EngineControl, Gate

DEFAULT_MODEL = "smollm2-135m-instruct"


class Launching:
    """Asks and launches on behalf of a screen; `say` shows how far it is."""

    def __init__(
        self,
        app: ShellApp,
        jobs: Jobs,
        datasets: Callable[[], Datasets],
        endpoints: Endpoints,
        engine: EngineControl,
        gate: Gate,
        say: Callable[[str], None],
    ) -> None:
        self._app, self._jobs, self._datasets = app, jobs, datasets
        self._endpoints, self._engine, self._gate, self._say = endpoints, engine, gate, say

    async def ask_new(self) -> Launch | None:
        """Ask what to train; the guide's suggestions and the newest version stand there already."""
        prefill = self._app.prefill
        values = {
            "dataset": prefill("dataset") or await asyncio.to_thread(self._newest_version),
            "model": prefill("model") or DEFAULT_MODEL,
            "steps": prefill("steps"),
        }
        return await self._app.push_screen_wait(NewJob(values, self._jobs.estimate))

    async def ask_copy(self, job_id: str) -> Launch | None:
        """Ask what to change in a copy of a job."""
        source: JobRequest = await self._jobs.request_of(job_id)
        form = NewJob(values_of(source), self._jobs.estimate, source=source)
        return await self._app.push_screen_wait(form)

    async def launch(self, wanted: Launch) -> Job:
        """Launch a job, or all of a sweep; the first of them."""
        request = wanted.request
        if self._endpoints.get(request.endpoint).name == "local":
            self._say("Starting the engine…")
            async for fetching in make_ready(self._engine, self._endpoints, request.model):
                self._say(str(fetching))
        self._say("Uploading and launching…")
        if not wanted.grid:
            return await self._allowed(lambda: self._jobs.create(request))
        return await self._allowed(lambda: self._all(wanted))

    async def _all(self, wanted: Launch) -> Job:
        first: Job | None = None
        count = 0
        async for job, _ in self._jobs.sweeps.launch(wanted.request, wanted.grid):
            first, count = first or job, count + 1
            self._say(f"Launched {count} jobs of the sweep…")
        assert first is not None  # a grid has a point
        return first

    async def _allowed(self, create: Callable[[], Awaitable[Job]]) -> Job:
        """Create; ask first where texts have never been sent."""
        try:
            return await create()
        except ConsentNeeded as needed:
            question = (
                f"The training files go to {visible(needed.endpoint.url)}, which is not on this "
                "machine. This is asked once."
            )
            title = f"Send texts to {needed.endpoint.name}?"
            if not await self._app.push_screen_wait(Confirm(title, question)):
                raise
            await asyncio.to_thread(self._gate.consent, needed.endpoint)
            return await create()

    def _newest_version(self) -> str:
        frozen = [dataset for dataset in self._datasets().list() if dataset.versions]
        newest = max(frozen, key=lambda dataset: dataset.created_at, default=None)
        return newest.name if newest else ""
