"""Fine-tuning jobs: estimate, launch once, follow, compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import MissingError, NotFoundError, PapertuneError
from tui.domain.example import Version
from tui.domain.job import Job, JobStatus, LossPoint
from tui.domain.usage import LedgerRow
from tui.jobs.compare import JobComparison, JobResult, compare
from tui.jobs.diagnose import Diagnosis, diagnose
from tui.jobs.estimate import estimate
from tui.jobs.request import Estimate, JobRequest
from tui.jobs.store import SubmissionStore
from tui.jobs.submit import Submitter, file_keys, kind_of
from tui.jobs.watch import Pace, Watch, WatchEvent, checkpoints_as_points
from tui.mistral import (
    AbsentError,
    ApiError,
    Client,
    Endpoints,
    EngineControl,
    Gate,
    Ledger,
    RetiredError,
)
from tui.storage.workspace import Workspace
from tui.text import visible

_TRAINING = "training"


class KnowsVersions(Protocol):
    """The datasets, as far as jobs need them."""

    def version(self, name: str) -> Version:
        """A frozen version by `name` (the newest) or `name@v2`."""

    def file(self, version: Version, key: str) -> Path:
        """Where a file of a version lies."""


class Jobs:
    """Jobs of all endpoints as one list.

    With a `gate` nothing private is uploaded; with an `engine` a watch may start the local engine
    again when it is off.
    """

    def __init__(
        self,
        workspace: Workspace,
        datasets: KnowsVersions,
        endpoints: Endpoints,
        ledger: Ledger,
        *,
        gate: Gate | None = None,
        engine: EngineControl | None = None,
    ) -> None:
        self._datasets = datasets
        self._endpoints = endpoints
        self._ledger = ledger
        self._gate = gate
        self._engine = engine
        self._store = SubmissionStore(workspace)
        self._homes: dict[str, str] = {}

    async def estimate(self, request: JobRequest) -> Estimate:
        """What a job would take; works without the endpoint too, then less exactly."""
        request.check()
        endpoint = self._endpoints.get(request.endpoint)
        version, paths = await asyncio.to_thread(self._files, request.dataset)
        client: Client | None = None
        with suppress(MissingError):
            client = self._endpoints.client(endpoint.name)
        training = {key: path for key, path in paths.items() if key.startswith("train.")}
        return await estimate(request, version, training, endpoint.name, client)

    async def create(self, request: JobRequest) -> Job:
        """Launch a job, or find the one that an interrupted try of the same request launched.

        Raises UsageError for a request that cannot be right or is beyond its budget,
        PrivateTextError and ConsentNeeded before anything leaves, and ApiError.
        """
        request.check()
        endpoint = self._endpoints.get(request.endpoint)
        version, paths = await asyncio.to_thread(self._files, request.dataset)
        if self._gate is not None:
            await asyncio.to_thread(self._gate.require, endpoint, version.papers)
        if request.budget is not None:
            (await self.estimate(request)).require(request.budget)
        client = self._endpoints.client(endpoint.name)
        job = await Submitter(self._store).submit(client, request, version, paths)
        self._homes[job.id] = endpoint.name
        return job

    async def list(self, endpoint: str | None = None) -> list[Job]:
        """Jobs of one endpoint, or of all that can be asked, newest first.

        An endpoint that is off, has no key or has retired its jobs has none to show, unless it
        was named.
        """
        if endpoint is not None:
            return list(await self._listed(self._endpoints.client(endpoint)))
        found: list[Job] = []
        for item in self._endpoints.all():
            with suppress(ApiError, MissingError):
                found += await self._listed(self._endpoints.client(item.name))
        return sorted(found, key=lambda job: job.created_at, reverse=True)

    async def get(self, job_id: str) -> Job:
        """A job with events and checkpoints; the beginning of its id is enough if it is unique."""
        job_id, client = await self._locate(job_id)
        return await client.jobs.get(job_id)

    async def start(self, job_id: str) -> Job:
        """Start a job that was created without starting."""
        job_id, client = await self._locate(job_id)
        return await client.jobs.start(job_id)

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; its last checkpoint is kept."""
        job_id, client = await self._locate(job_id)
        return await client.jobs.cancel(job_id)

    async def watch(
        self, job_id: str, *, pace: Pace | None = None, revive: bool = False
    ) -> AsyncGenerator[WatchEvent, None]:
        """Everything that happened and happens to a job, until it has ended.

        Goes on through restarts of the engine and hours offline; with `revive` a local engine
        that is off is started. Raises ApiError for what waiting does not mend.
        """
        job_id, endpoint = await asyncio.to_thread(self._known, job_id)
        if endpoint is None:
            job_id, client = await self._locate(job_id)
            endpoint = client.endpoint.name
        kind = self._endpoints.get(endpoint).kind
        engine = self._engine if revive and kind is EndpointKind.LOCAL else None
        name = endpoint
        watch = Watch(
            job_id,
            lambda: self._endpoints.client(name),
            self._memory,
            pace=pace,
            revive=engine.ensure if engine else None,
        )
        async for event in watch.events():
            if event.event == "done" and event.job is not None:
                await asyncio.to_thread(self._account, event.job)
            yield event

    async def points(self, job_id: str) -> tuple[LossPoint, ...]:
        """The loss curve as finely as the endpoint has it."""
        job_id, client = await self._locate(job_id)
        return await self._points(client, await client.jobs.get(job_id))

    async def diagnose(self, job_id: str) -> Sequence[Diagnosis]:
        """What the curve of a job says, in words."""
        job_id, client = await self._locate(job_id)
        job = await client.jobs.get(job_id)
        points = await self._points(client, job)
        steps = job.hyperparameters.training_steps
        return diagnose(points, memory=self._memory(job), status=job.status, steps=steps)

    async def compare(self, ids: Sequence[str]) -> JobComparison:
        """Jobs side by side."""
        results = []
        for job_id in ids:
            found, client = await self._locate(job_id)
            job = await client.jobs.get(found)
            points = await self._points(client, job)
            names = await self.validation_names(job)
            dataset = await self.dataset_of_job(job)
            results.append(JobResult(job, dataset, points, names))
        return compare(results)

    async def validation_names(self, job: Job) -> dict[str, str]:
        """Which validation file is `memory` and which `transfer`, by file id."""
        submission = await asyncio.to_thread(self._store.of_job, job.id)
        if submission is not None:
            return {
                file_id: kind_of(key)
                for key, file_id in submission.files.items()
                if not key.startswith("train.")
            }
        names = {}
        with suppress(ApiError, MissingError):
            client = self._endpoints.client(job.endpoint or None)
            if await client.is_engine():
                names = (await client.local.job(job.id)).files
        return {
            file_id: "transfer" if "transfer" in names.get(file_id, "") else "memory"
            for file_id in job.validation_files
        }

    def dataset_of(self, job_id: str) -> str:
        """The dataset version that this workspace made a job of; empty if it did not."""
        submission = self._store.of_job(job_id)
        return submission.dataset if submission else ""

    async def dataset_of_job(self, job: Job) -> str:
        """The dataset version of a job, by this workspace or by the engine's lineage."""
        if known := await asyncio.to_thread(self.dataset_of, job.id):
            return known
        with suppress(ApiError, MissingError):
            client = self._endpoints.client(job.endpoint or None)
            if await client.is_engine():
                return (await client.local.job(job.id)).lineage.dataset
        return ""

    async def unfinished(self) -> Job | None:
        """The newest job that this workspace launched, while it is still under way.

        None also while its endpoint cannot be asked: a job that trains goes on by itself.
        """
        job_id = await asyncio.to_thread(self.newest)
        if job_id is None:
            return None
        try:
            job = await self.get(job_id)
        except PapertuneError:
            return None
        return None if job.terminal else job

    def newest(self) -> str | None:
        """The newest job that this workspace launched, without asking its endpoint."""
        return self._store.newest_job()

    def newest_for(self, dataset: str) -> str | None:
        """The newest job on a dataset version (`name@v2`) that this workspace launched."""
        return next((item.job for item in self._store.of_dataset(dataset)), None)

    def _files(self, dataset: str) -> tuple[Version, dict[str, Path]]:
        """A version and the files of it that a job gets."""
        version = self._datasets.version(dataset)
        return version, {key: self._datasets.file(version, key) for key in file_keys(version)}

    def _memory(self, job: Job) -> str | None:
        """The validation file that may raise the overfitting alarm."""
        submission = self._store.of_job(job.id)
        if submission is None:
            return job.validation_files[0] if job.validation_files else None
        return next(
            (
                file_id
                for key, file_id in submission.files.items()
                if not key.startswith("train.") and kind_of(key) == "memory"
            ),
            None,
        )

    def _known(self, job_id: str) -> tuple[str, str | None]:
        """The endpoint of a job, as far as this workspace or an earlier listing knows it."""
        submission = self._store.of_job(job_id)
        return job_id, submission.endpoint if submission else self._homes.get(job_id)

    async def _listed(self, client: Client) -> Sequence[Job]:
        jobs = await client.jobs.list()
        for job in jobs:
            self._homes.setdefault(job.id, client.endpoint.name)
        return jobs

    async def _locate(self, job_id: str) -> tuple[str, Client]:
        """The full id and the client of a job; NotFoundError when no endpoint knows it."""
        found, endpoint = await asyncio.to_thread(self._known, job_id)
        if endpoint is not None:
            return found, self._endpoints.client(endpoint)
        failures: list[tuple[Endpoint, PapertuneError]] = []
        begins: dict[str, str] = {}
        for item in self._endpoints.all():
            try:
                jobs = await self._listed(self._endpoints.client(item.name))
            except (ApiError, MissingError) as error:
                if not isinstance(error, RetiredError | AbsentError):
                    failures.append((item, error))
                continue
            for job in jobs:
                if job.id.startswith(job_id):
                    begins.setdefault(job.id, item.name)
        full = job_id if job_id in begins else next(iter(begins), "")
        if full == job_id or len(begins) == 1:
            return full, self._endpoints.client(begins[full])
        raise _not_found(job_id, begins, failures)

    async def _points(self, client: Client, job: Job) -> tuple[LossPoint, ...]:
        if await client.is_engine():
            return (await client.local.job(job.id)).points
        return tuple(checkpoints_as_points(job))

    def _account(self, job: Job) -> None:
        """Put a finished job into the ledger, once however many watch it end."""
        model = job.fine_tuned_model
        if job.status != JobStatus.SUCCESS or model is None:
            return
        rows = self._ledger.rows(endpoint=job.endpoint)
        if any(row.purpose == _TRAINING and row.model == model for row in rows):
            return
        running = [e.created_at for e in job.events if e.data.get("status") == JobStatus.RUNNING]
        cost = job.metadata.get("cost")
        currency = job.metadata.get("cost_currency")
        row = LedgerRow(
            at=time.time(),
            endpoint=job.endpoint,
            model=model,
            purpose=_TRAINING,
            workspace="",
            prompt_tokens=job.trained_tokens or 0,
            device_seconds=float(max(0, job.modified_at - (running or [job.created_at])[0])),
            cost=cost if isinstance(cost, int | float) else None,
            currency=currency if isinstance(currency, str) else None,
        )
        with suppress(OSError):  # a full disk must not hide that the job is done
            self._ledger.record(row)


def _not_found(
    job_id: str,
    begins: Collection[str],
    failures: Sequence[tuple[Endpoint, PapertuneError]],
) -> PapertuneError:
    name = visible(job_id)
    if begins:
        listed = ", ".join(sorted(begins))
        return NotFoundError(f"'{name}' is the beginning of several jobs: {listed}.", "Write more.")
    # The default endpoint comes first; the others are often not set up, which is no news.
    if failures and failures[0][0].kind is EndpointKind.LOCAL:
        return failures[0][1]
    return NotFoundError(f"There is no job '{name}'.", "See all with: papertune job list")
