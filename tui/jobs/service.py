"""Fine-tuning jobs: estimate, launch once, follow, compare."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import MissingError, PapertuneError, UsageError
from tui.domain.evaluation import RunReport
from tui.domain.example import Version
from tui.domain.job import Hyperparameters, Job, LossPoint
from tui.jobs import money
from tui.jobs.board import Boards
from tui.jobs.compare import JobComparison, JobResult, compare
from tui.jobs.diagnose import Diagnosis, MemoryUse, diagnose
from tui.jobs.estimate import estimate
from tui.jobs.find import Finder
from tui.jobs.foretold import foretold, leaking
from tui.jobs.request import Estimate, JobRequest
from tui.jobs.small import small
from tui.jobs.store import SubmissionStore
from tui.jobs.submit import Submitter, file_keys, kind_of
from tui.jobs.suggest import DEFAULT_BATCH, settle
from tui.jobs.sweep import Sweeps
from tui.jobs.versions import KnowsVersions
from tui.jobs.watch import Pace, Watch, WatchEvent, checkpoints_as_points
from tui.mistral import ApiError, Client, Endpoints, EngineControl, Gate, Ledger, LocalJob
from tui.mistral.budget import month_start
from tui.mistral.prices import Prices
from tui.settings.money import BudgetSettings, PriceSettings
from tui.storage.workspace import Workspace
from tui.text import visible


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
        budgets: Callable[[], BudgetSettings] = BudgetSettings,
        prices: Callable[[], PriceSettings] = PriceSettings,
        person: str = "",
        runs: Callable[[str], Sequence[RunReport]] | None = None,
        leaks: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        self._datasets = datasets
        self._endpoints = endpoints
        self._ledger = ledger
        self._gate = gate
        self._engine = engine
        self._budgets = budgets
        self._prices = prices
        self._store = SubmissionStore(workspace)
        self._find = Finder(endpoints, self._store)
        self._runs, self._leaks, self._leaking = runs, leaks, dict[str, Sequence[str]]()
        self.sweeps = Sweeps(self, self._store)
        self.board = Boards(self, workspace, self._store, endpoints, ledger, person)

    async def estimate(
        self, request: JobRequest, *, measure: bool = False, upload: bool = True
    ) -> Estimate:
        """What a job would take; works without the endpoint too, then less exactly.

        With `upload` the engine of this machine is given the files, which a launch then finds
        there, and tells by them; with `measure` it trains a few steps first, for up to minutes.
        """
        request.check()
        endpoint = self._endpoints.get(request.endpoint)
        version, paths = await asyncio.to_thread(self._chosen, request)
        client: Client | None = None
        with suppress(MissingError):
            client = self._endpoints.client(endpoint.name)
        training = {key: path for key, path in paths.items() if key.startswith("train.")}
        prices = Prices(self._prices())
        found = await estimate(request, version, training, endpoint.name, client, prices)
        if self._leaks is not None:
            if (known := version.sha256) not in self._leaking:  # once, not with every key of a form
                self._leaking[known] = await asyncio.to_thread(self._leaks, version.dataset)
            found = leaking(found, self._leaking[known])
        if client is None or endpoint.kind is not EndpointKind.LOCAL or not upload:
            return found
        sent = replace(request, hyperparameters=await self._settled(client, request, version))
        submitter = Submitter(self._store)
        return await foretold(found, client, submitter, sent, version, paths, prices, measure)

    async def create(self, request: JobRequest) -> Job:
        """Launch a job, or find the one that an interrupted try of the same request launched.

        Raises UsageError for a request that cannot be right, BudgetError and OverBudget for one
        beyond its own or the month's budget, PrivateTextError and ConsentNeeded before anything
        leaves, and ApiError.
        """
        request.check()
        endpoint = self._endpoints.get(request.endpoint)
        version, paths = await asyncio.to_thread(self._chosen, request)
        if self._gate is not None:
            await asyncio.to_thread(self._gate.require, endpoint, version.papers)
        needed = await self._within_budget(request, endpoint)
        client = self._endpoints.client(endpoint.name)
        settled = await self._settled(client, request, version)
        job = await Submitter(self._store).submit(client, request, version, paths, settled, needed)
        self._find.homes[job.id] = endpoint.name
        return job

    async def request_of(self, job_id: str) -> JobRequest:
        """The request that a job was made by, to launch it again with changes."""
        job = await self.get(job_id)
        submission = await asyncio.to_thread(self._store.of_job, job.id)
        dataset = submission.dataset if submission else await self.dataset_of_job(job)
        if not dataset:
            raise UsageError(
                f"Which dataset job {job.id[:8]} was trained on is not known here.",
                "Launch a new one: papertune job create --dataset NAME",
            )
        asked = submission.asked if submission else {}
        given = Hyperparameters(**(asked.get("hyperparameters") or {}))
        if not submission:
            given = replace(job.hyperparameters, epochs=None)
        options = asked.get("options") or {}
        return JobRequest(
            dataset=dataset,
            model=job.model,
            endpoint=job.endpoint,
            hyperparameters=given,
            suffix=job.suffix,
            options=options,
            small=bool(asked.get("small")),
        )

    async def list(self, endpoint: str | None = None) -> list[Job]:
        """Jobs of one endpoint, or of all that can be asked, newest first.

        An endpoint that is off, has no key or has retired its jobs has none to show, unless it
        was named.
        """
        if endpoint is not None:
            return list(await self._find.listed(self._endpoints.client(endpoint)))
        found: list[Job] = []
        for item in self._endpoints.all():
            with suppress(ApiError, MissingError):
                found += await self._find.listed(self._endpoints.client(item.name))
        return sorted(found, key=lambda job: job.created_at, reverse=True)

    async def get(self, job_id: str) -> Job:
        """A job with events and checkpoints; the beginning of its id is enough if it is unique."""
        job_id, client = await self._find.locate(job_id)
        return await client.jobs.get(job_id)

    async def start(self, job_id: str) -> Job:
        """Start a job that was created without starting."""
        job_id, client = await self._find.locate(job_id)
        return await client.jobs.start(job_id)

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; its last checkpoint is kept."""
        job_id, client = await self._find.locate(job_id)
        return await client.jobs.cancel(job_id)

    async def keep(self, job_id: str, step: int) -> None:
        """Make the checkpoint of a step the job's model; a job under way ends with it."""
        job_id, client = await self._engine_of(job_id)
        await client.local.keep(job_id, step)

    async def stop(self, job_id: str) -> None:
        """End a job early and make the model of its best checkpoint."""
        job_id, client = await self._engine_of(job_id)
        await client.local.stop(job_id)

    async def watch(
        self,
        job_id: str,
        *,
        pace: Pace | None = None,
        revive: bool = False,
        backlog: int | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Everything that happened and happens to a job, until it has ended.

        Goes on through restarts of the engine and hours offline; with `revive` a local engine
        that is off is started. Of the points that are there already `backlog` are told, all
        without it. Raises ApiError for what waiting does not mend.
        """
        job_id, endpoint = await asyncio.to_thread(self._find.known, job_id)
        if endpoint is None:
            job_id, client = await self._find.locate(job_id)
            endpoint = client.endpoint.name
        kind = self._endpoints.get(endpoint).kind
        engine = self._engine if revive and kind is EndpointKind.LOCAL else None
        name = endpoint
        watch = Watch(
            job_id,
            lambda: self._endpoints.client(name),
            self.memory_file,
            pace=pace,
            revive=engine.ensure if engine else None,
            backlog=backlog,
        )
        async for event in watch.events():
            if event.event == "done" and event.job is not None:
                await asyncio.to_thread(money.account, self._ledger, event.job)
            yield event

    async def points(self, job_id: str) -> tuple[LossPoint, ...]:
        """The loss curve as finely as the endpoint has it."""
        job_id, client = await self._find.locate(job_id)
        return await self._points(client, await client.jobs.get(job_id))

    async def diagnose(self, job_id: str) -> Sequence[Diagnosis]:
        """What the curve of a job says, in words."""
        job_id, client = await self._find.locate(job_id)
        job = await client.jobs.get(job_id)
        extra = await self.extra(client, job)
        points = extra.points if extra else checkpoints_as_points(job)
        return diagnose(
            points,
            memory=self.memory_file(job),
            status=job.status,
            steps=job.hyperparameters.training_steps,
            device=MemoryUse(*extra.memory) if extra and extra.memory else None,
        )

    async def local(self, job: Job) -> LocalJob | None:
        """What the engine says of a job beyond the API, curve included; None elsewhere."""
        return await self.extra(self._endpoints.client(job.endpoint), job)

    async def extra(self, client: Client, job: Job) -> LocalJob | None:
        """The same by a client that is at hand."""
        return await client.local.job(job.id) if await client.is_engine() else None

    async def compare(self, ids: Sequence[str]) -> JobComparison:
        """Jobs side by side, with what evaluations made of their models."""
        results = await self.results(ids)
        return await asyncio.to_thread(compare, results, self._runs)

    async def results(self, ids: Sequence[str]) -> Sequence[JobResult]:
        """Jobs with their curves, to lay over one another or to export."""
        results = []
        for job_id in ids:
            found, client = await self._find.locate(job_id)
            job = await client.jobs.get(found)
            points = await self._points(client, job)
            names = await self.validation_names(job)
            dataset = await self.dataset_of_job(job)
            results.append(JobResult(job, dataset, points, names))
        return results

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

    def _chosen(self, request: JobRequest) -> tuple[Version, dict[str, Path]]:
        """The version and the files that a request sends: all of it, or a tenth."""
        version, paths = self._files(request.dataset)
        return small(version, paths) if request.small else (version, paths)

    async def _settled(
        self, client: Client, request: JobRequest, version: Version
    ) -> Hyperparameters:
        """The settings to send, with the steps that suit this much data where none were named."""
        given = request.hyperparameters
        if (given.training_steps or given.epochs) and not request.small:
            return given
        defaults: dict[str, object] = {}
        with suppress(ApiError):
            if await client.is_engine():
                entries = await client.local.catalogue()
                entry = next((item for item in entries if item.get("id") == request.model), {})
                defaults = entry.get("defaults") or {}
        lines = (item.lines for key, item in version.files.items() if key.startswith("train."))
        filled, _ = settle(
            given,
            {"batch_size": DEFAULT_BATCH, **defaults, **request.options},
            examples=sum(lines),
            defaults=defaults,
            small=request.small,
        )
        return replace(given, training_steps=filled.training_steps, epochs=None)

    async def _within_budget(self, request: JobRequest, endpoint: Endpoint) -> dict[str, float]:
        """Refuse what is beyond a budget; what the job will take, where a budget asks for it."""
        budgets = self._budgets()
        if not (request.budget or request.month_budget or budgets.month or budgets.job):
            return {}
        found = await self.estimate(request, upload=False)
        under_way = await asyncio.to_thread(self._under_way)
        money.require(found, request, endpoint.kind, self._ledger, budgets, under_way)
        return money.as_plain(money.needs(found, endpoint.kind))

    def _under_way(self) -> Sequence[dict[str, float]]:
        """What this month's jobs that have not ended were estimated to take."""
        ended = {known.job.id for known in self.board.known() if known.job.terminal or known.gone}
        asked = [item for item in self._store.since(month_start()) if item.job not in ended]
        return [item.asked.get("needs") or {} for item in asked]

    async def _engine_of(self, job_id: str) -> tuple[str, Client]:
        job_id, client = await self._find.locate(job_id)
        if not await client.is_engine():
            raise UsageError(
                f"'{visible(client.endpoint.name)}' keeps no checkpoints to choose from.",
                f"Stop the job with: papertune job cancel {job_id}",
            )
        return job_id, client

    def _files(self, dataset: str) -> tuple[Version, dict[str, Path]]:
        """A version and the files of it that a job gets."""
        version = self._datasets.version(dataset)
        return version, {key: self._datasets.file(version, key) for key in file_keys(version)}

    def memory_file(self, job: Job) -> str | None:
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

    async def _points(self, client: Client, job: Job) -> tuple[LossPoint, ...]:
        extra = await self.extra(client, job)
        return extra.points if extra else tuple(checkpoints_as_points(job))
