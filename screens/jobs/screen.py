"""Jobs: the list, one job beside it, and what is done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from screens.jobs.detail import JobDetail, JobView
from screens.jobs.new_job import NewJob
from screens.jobs.rows import JOB_COLUMNS, job_row
from tui.domain.errors import PapertuneError
from tui.domain.job import Job
from tui.jobs.prepare import make_ready
from tui.keymap import bindings
from tui.mistral import ConsentNeeded, EngineStatus
from tui.text import visible
from widgets.dialogs import Confirm
from widgets.rows import Held, Row
from widgets.status import GuideStep
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.datasets import Datasets
    from tui.jobs import JobRequest, Jobs, WatchEvent
    from tui.mistral import Endpoints, EngineControl, Gate

DEFAULT_MODEL = "smollm2-135m-instruct"
# A monitor repaints at most twice a second, however fast points come.
_REPAINT_SECONDS = 0.5
_RELIST_SECONDS = 5.0


class JobsScreen(BaseScreen[None]):
    """Fine-tuning jobs of every endpoint; what runs goes on when papertune is closed."""

    NAME = "Jobs"
    ABOUT = "Fine-tuning jobs. They go on when you leave; memory loss decides, transfer only shows."
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("jobs")
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Listed(Message):
        """The jobs there are, with the dataset of each, and whether the engine runs.

        `newest` is the newest job of this workspace, also while the engine cannot be asked for it.
        """

        jobs: list[tuple[Job, str]]
        engine: EngineStatus
        newest: str

    @dataclass
    class Loaded(Message):
        """All that is known of one job came."""

        view: JobView

    @dataclass
    class Launched(Message):
        """A job was created."""

        job: Job

    def __init__(
        self,
        jobs: Jobs,
        datasets: Callable[[], Datasets],
        endpoints: Endpoints,
        engine: EngineControl,
        gate: Gate,
    ) -> None:
        super().__init__()
        self.jobs = jobs
        self.datasets = datasets
        self.endpoints = endpoints
        self.engine = engine
        self.gate = gate
        self.view: JobView | None = None
        self._listed: dict[str, Job] = {}
        self._engine_on = False
        self._stale = False
        self._launching = False

    def compose_body(self) -> ComposeResult:
        """The list; the job beside it."""
        with Horizontal():
            with Vertical(id="left"):
                yield VirtualList(JOB_COLUMNS, selectable=False)
                yield Static(id="empty")
            yield JobDetail(id="detail")

    def on_mount(self) -> None:
        """List, follow what runs, and repaint at a measured pace."""
        self.app.job_signal.subscribe(self, self._news)
        self.set_interval(_REPAINT_SECONDS, self._repaint)
        self.set_interval(_RELIST_SECONDS, self._relist)
        self.list_jobs()

    def on_screen_resume(self) -> None:
        """Jobs may have come to their end meanwhile."""
        self.list_jobs()

    def guide_keys(self, step: GuideStep) -> list[str]:
        """Nothing is left to press for a job that is in view, or while one is being launched."""
        watching = step.key == self.app.key_for("jobs.open") and self._in_view
        if step.mode == "jobs" and (self._launching or watching):
            return []
        return super().guide_keys(step)

    @property
    def _in_view(self) -> bool:
        """Whether a job is shown: over the list, or beside it where there is room."""
        return self.has_class("-reading") or (self.has_class("-wide") and self.view is not None)

    @property
    def listing(self) -> VirtualList:
        """The list."""
        return self.query_one(VirtualList)

    # Listing

    @work(exclusive=True, exit_on_error=False, group="list")
    async def list_jobs(self) -> None:
        """Ask every endpoint for its jobs."""
        engine = await self.engine.status()
        jobs = await self.jobs.list()
        named = [(job, await asyncio.to_thread(self.jobs.dataset_of, job.id)) for job in jobs]
        newest = await asyncio.to_thread(self.jobs.newest)
        self.post_message(self.Listed(named, engine, newest or ""))

    def _relist(self) -> None:
        if self.is_current and any(not job.terminal for job in self._listed.values()):
            self.list_jobs()

    def on_jobs_screen_listed(self, event: Listed) -> None:
        """Show them, the cursor staying on its job."""
        here = self.listing.current
        self._listed = {job.id: job for job, _ in event.jobs}
        self._engine_on = event.engine.running
        shown = self.view.job if self.view else None
        if shown is not None and (now := self._listed.get(shown.id)) and now.status != shown.status:
            self._load(shown.id)
        rows = [job_row(job, dataset) for job, dataset in event.jobs]
        keys = [row.key for row in rows]
        at = keys.index(here.key) if here is not None and here.key in keys else 0
        self.listing.show(Held(rows), len(rows), rows, at)
        self.set_class(not rows, "-nothing")
        running = sum(not job.terminal for job, _ in event.jobs)
        engine = f"engine on {event.engine.device}" if event.engine.running else "engine off"
        jobs = "1 job" if len(rows) == 1 else f"{len(rows)} jobs"
        if not self._launching:
            self.say(f"{jobs}, {running} under way · {engine}" if rows else engine)
            self._nothing(event.engine, event.newest)
        self.refresh_bindings()

    def _nothing(self, engine: EngineStatus, newest: str) -> None:
        key = self.app.key_for
        if newest and not engine.running:
            words = (
                f"The local engine is off, which keeps the jobs; {key('jobs.engine')} starts it."
            )
            self.query_one("#empty", Static).update(Content(words))
            return
        words = (
            f"No jobs yet.\n\nPress {key('jobs.new')} to fine-tune a model on a frozen dataset. "
            "It runs on this machine and goes on when you leave."
        )
        if not engine.running:
            words += f"\n\nThe local engine is off; {key('jobs.engine')} starts it."
        self.query_one("#empty", Static).update(Content(words))

    # One job

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        if event.row is not None and self.has_class("-wide"):
            self._look(event.row)

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.set_class(True, "-reading")
        self._look(event.row)
        self.refresh_bindings()

    def action_open(self) -> None:
        """Show the job under the cursor, over the list where the screen is narrow."""
        if self.listing.current is not None:
            self.set_class(True, "-reading")
            self._look(self.listing.current)
            self.refresh_bindings()

    def _look(self, row: Row) -> None:
        if self.view is None or self.view.job.id != row.key:
            self._load(row.key)

    @work(exclusive=True, exit_on_error=False, group="load")
    async def _load(self, job_id: str) -> None:
        job = await self.jobs.get(job_id)
        view = JobView(
            job,
            await self.jobs.dataset_of_job(job),
            await self.jobs.points(job_id),
            await self.jobs.validation_names(job),
            diagnoses=tuple(await self.jobs.diagnose(job_id)),
        )
        self.post_message(self.Loaded(view))

    def on_jobs_screen_loaded(self, event: Loaded) -> None:
        """Draw it, and follow it while it is under way."""
        self.view = event.view
        self.query_one(JobDetail).show(event.view)
        if not event.view.job.terminal:
            self.app.follow_job(event.view.job.id)
        self.refresh_bindings()

    def _news(self, event: WatchEvent) -> None:
        """Take in what happened to the job in view; it is drawn with the next repaint."""
        if event.event in ("status", "done") and self.is_current:
            self.list_jobs()
        view = self.view
        if view is None or event.job is None or event.job.id != view.job.id:
            return
        view = replace(view, job=event.job, progress=event.progress or view.progress)
        if event.point is not None:
            view = view.with_point(event.point)
        if event.diagnosis is not None:
            view = view.with_diagnosis(event.diagnosis)
        elif event.event in ("status", "warning"):
            view = replace(view, message=event.message)
        self.view = view
        self._stale = True

    def _repaint(self) -> None:
        if self._stale and self.view is not None and self.is_current:
            self._stale = False
            self.query_one(JobDetail).show(self.view)
            self.refresh_bindings()

    # Doing

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_new(self) -> None:
        """Ask what to train, then launch it."""
        if self._launching:
            self.app.flash("A job is being launched; wait until it is.")
            return
        endpoint = self.endpoints.settings.endpoint
        values = {
            "dataset": self.app.prefill("dataset") or await asyncio.to_thread(self._newest_version),
            "model": self.app.prefill("model") or DEFAULT_MODEL,
        }
        if self.app.prefill("steps"):
            values["steps"] = self.app.prefill("steps")
        request = await self.app.push_screen_wait(NewJob(values, self.jobs.estimate, endpoint))
        if request is not None:
            self._launch(request)

    def _newest_version(self) -> str:
        frozen = [dataset for dataset in self.datasets().list() if dataset.versions]
        newest = max(frozen, key=lambda dataset: dataset.created_at, default=None)
        return newest.name if newest else ""

    @work(exit_on_error=False, group="launch")
    async def _launch(self, request: JobRequest) -> None:
        """In a group of its own: no other key may cut a launch in half."""
        self._launching = True
        self.refresh_bindings()
        try:
            if self.endpoints.get(request.endpoint).name == "local":
                self._say_launching("Starting the engine…")
                async for fetching in make_ready(self.engine, self.endpoints, request.model):
                    self._say_launching(str(fetching))
            self._say_launching("Uploading and launching…")
            self.post_message(self.Launched(await self._create(request)))
        except ConsentNeeded:
            self.say("Nothing was sent.")
        except PapertuneError:
            self.say("")
            raise
        finally:
            self._launching = False
            self.list_jobs()

    def _say_launching(self, words: str) -> None:
        self.say(words)
        self.query_one("#empty", Static).update(Content(words))

    async def _create(self, request: JobRequest) -> Job:
        """Create the job; ask first where texts have never been sent."""
        try:
            return await self.jobs.create(request)
        except ConsentNeeded as needed:
            question = (
                f"The training files go to {visible(needed.endpoint.url)}, which is not on this "
                "machine. This is asked once."
            )
            title = f"Send texts to {needed.endpoint.name}?"
            if not await self.app.push_screen_wait(Confirm(title, question)):
                raise
            await asyncio.to_thread(self.gate.consent, needed.endpoint)
            return await self.jobs.create(request)

    def on_jobs_screen_launched(self, event: Launched) -> None:
        """Go to the new job and follow it."""
        self.app.step_done("train")
        self.app.flash(f"Job {event.job.id[:8]} is launched; it goes on when you leave.")
        self.app.follow_job(event.job.id)
        self.set_class(True, "-reading")
        self._load(event.job.id)
        self.list_jobs()
        self.listing.focus()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_cancel(self) -> None:
        """Stop the job in view; its last checkpoint is kept."""
        job = self._chosen()
        if job is None:
            return
        question = f"Stop job {job.id[:8]}? Its last checkpoint is kept; training cannot go on."
        if await self.app.push_screen_wait(Confirm("Stop the job", question)):
            stopped = await self.jobs.cancel(job.id)
            self.app.flash(f"Job {stopped.id[:8]} is being stopped.")
            self.list_jobs()

    @work(exclusive=True, exit_on_error=False, group="engine")
    async def action_engine(self) -> None:
        """Start the local engine."""
        self.say("Starting the engine…")
        try:
            status = await self.engine.ensure()
            self.app.flash(f"The engine runs on {status.device}.")
            self.app.step_done("engine")
        finally:
            self.list_jobs()

    async def action_copy(self) -> None:
        """Copy the new model's name, or the job's id while there is none."""
        job = self.view.job if self.view else None
        if job is not None:
            what = "the model's name" if job.fine_tuned_model else "the job's id"
            await self.app.copy(job.fine_tuned_model or job.id, what)

    def action_log(self) -> None:
        """Losses on a linear or a logarithmic scale."""
        self.query_one(JobDetail).plot.toggle_log()

    def action_smooth(self) -> None:
        """Smooth the train loss: none, some, much."""
        self.query_one(JobDetail).plot.next_smoothing()

    def action_back(self) -> None:
        """From the job to the list."""
        self.set_class(False, "-reading")
        self.listing.focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense for the job in view."""
        if action == "cancel":
            return self._chosen() is not None
        if action in ("log", "smooth", "copy"):
            return self.view is not None
        if action == "back":
            return self.has_class("-reading")
        if action == "engine":
            return not self._engine_on
        if action == "open":
            return bool(self._listed) and not self.has_class("-reading")
        return True

    def _chosen(self) -> Job | None:
        """The job under the cursor while it can still be stopped."""
        row = self.listing.current if self.is_mounted else None
        job = self._listed.get(row.key) if row is not None else None
        return job if job is not None and not job.terminal else None
