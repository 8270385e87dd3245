"""Jobs: the list, one job beside it, and what is done with them."""

from __future__ import annotations

import asyncio
import time
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
from screens.jobs.acting import Acting
from screens.jobs.detail import JobDetail, JobView
from screens.jobs.launch import Launching
from screens.jobs.rows import JOB_COLUMNS, job_row
from tui.domain.errors import PapertuneError
from tui.domain.job import Job
from tui.jobs.known import Board, KnownJob
from tui.keymap import bindings
from tui.mistral import ConsentNeeded, EngineStatus
from widgets.rows import Held, Row
from widgets.status import GuideStep, Status
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from screens.jobs.new_job import Launch
    from tui.datasets import Datasets
    from tui.jobs import Jobs, WatchEvent
    from tui.jobs.registry import Registry
    from tui.mistral import Endpoints, EngineControl, Gate

# A monitor repaints at most twice a second, however fast points come.
_REPAINT_SECONDS = 0.5
_RELIST_SECONDS = 5.0
# Listing again may take this share of one core's time: a thousand jobs are asked for less often.
_LIST_SHARE = 1 / 1000
_MISSED = 4


class JobsScreen(Acting, BaseScreen[None]):
    """Fine-tuning jobs of every endpoint; what runs goes on when papertune is closed."""

    NAME = "Jobs"
    ABOUT = "Fine-tuning jobs. They go on when you leave; memory loss decides, transfer only shows."
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("jobs")
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Listed(Message):
        """The jobs as they are known, before or after their endpoints were asked.

        `engine` is None before; `newest` is the newest job of this workspace, also while the engine
        cannot be asked for it; `missed` says what happened since this person looked last.
        """

        board: Board
        engine: EngineStatus | None = None
        newest: str = ""
        best: tuple[str, ...] = ()
        missed: tuple[str, ...] = ()

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
        registry: Callable[[], Registry] | None = None,
    ) -> None:
        super().__init__()
        self.jobs = jobs
        self.engine = engine
        self.endpoints = endpoints
        self.registry = registry
        self.view: JobView | None = None
        self.launching = Launching(
            self.app, jobs, datasets, endpoints, engine, gate, self._say_launching
        )
        self._listed: dict[str, KnownJob] = {}
        self._rows: list[Row] = []
        self._engine_on = False
        self._stale = False
        self._launching = False
        self._first = True
        self._next_list = 0.0
        self._keys_for: tuple[object, ...] = ()

    def compose_body(self) -> ComposeResult:
        """What was missed and the list; the job beside it."""
        with Horizontal():
            with Vertical(id="left"):
                yield Static(id="missed")
                yield VirtualList(JOB_COLUMNS)
                yield Static(id="empty")
            yield JobDetail(self.app.key_for, id="detail")

    def on_mount(self) -> None:
        """Show what is known, ask, follow what runs, and repaint at a measured pace."""
        self.app.job_signal.subscribe(self, self._news)
        self.set_interval(_REPAINT_SECONDS, self._repaint)
        self.set_interval(_RELIST_SECONDS, self._relist)
        self.list_jobs()

    def on_screen_resume(self) -> None:
        """Jobs may have come to their end meanwhile."""
        self.list_jobs()

    def _show_status(self, status: Status) -> None:
        # The job in view says the same in its head: one repaint a step instead of two.
        super()._show_status(replace(status, job="") if self._in_view else status)

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
        """Show what is known at once, then ask every endpoint."""
        board = self.jobs.board
        began = time.process_time()
        if self._first:
            known = await asyncio.to_thread(board.known)
            if known:
                self.post_message(self.Listed(Board(known)))
        engine = await self.engine.status()
        found = await board.refresh()
        newest = await asyncio.to_thread(self.jobs.newest)
        missed: tuple[str, ...] = ()
        if self._first:
            self._first = False
            missed = tuple(item.words for item in await asyncio.to_thread(board.meanwhile))
        await asyncio.to_thread(board.looked)
        best = await asyncio.to_thread(self._best, found)
        self.post_message(self.Listed(found, engine, newest or "", best, missed))
        self._next_list = time.monotonic() + (time.process_time() - began) / _LIST_SHARE

    def _best(self, board: Board) -> tuple[str, ...]:
        """The best job of each sweep, by memory validation."""
        groups = dict.fromkeys(known.group for known in board.jobs if known.group)
        found = (self.jobs.sweeps.result(group, board.jobs).best for group in groups)
        return tuple(member.job for member in found if member is not None)

    def _relist(self) -> None:
        running = any(not k.job.terminal and not k.gone for k in self._listed.values())
        if self.is_current and running and time.monotonic() >= self._next_list:
            self.list_jobs()

    def on_jobs_screen_listed(self, event: Listed) -> None:
        """Show them, the cursor staying on its job; nothing is sent when nothing changed."""
        board = event.board
        self._listed = {known.job.id: known for known in board.jobs}
        shown = self.view.job if self.view else None
        now = self._listed.get(shown.id) if shown is not None else None
        if shown is not None and now is not None and now.job.status != shown.status:
            self.load(shown.id)
        rows = [job_row(known, board.silent, event.best) for known in board.jobs]
        if rows != self._rows or not rows:
            here = self.listing.current
            keys = [row.key for row in rows]
            at = keys.index(here.key) if here is not None and here.key in keys else 0
            self._rows = rows
            self.listing.show(Held(rows), len(rows), rows, at)
        self.set_class(not rows, "-nothing")
        if event.engine is None:
            return
        self._engine_on = event.engine.running
        if event.missed:
            self._tell_missed(event.missed)
        running = sum(not known.job.terminal and not known.gone for known in board.jobs)
        engine = f"engine on {event.engine.device}" if event.engine.running else "engine off"
        jobs = "1 job" if len(rows) == 1 else f"{len(rows)} jobs"
        if not self._launching:
            self.say(f"{jobs}, {running} under way · {engine}" if rows else engine)
            self._nothing(event.engine, event.newest)
        self.refresh_bindings()

    def _tell_missed(self, missed: tuple[str, ...]) -> None:
        more = [f"and {len(missed) - _MISSED} more"] if len(missed) > _MISSED else []
        lines = ["Since you were here:", *missed[:_MISSED], *more]
        self.query_one("#missed", Static).update(Content("\n".join(lines)))
        self.set_class(True, "-missed")

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
            self.load(row.key)

    @work(exclusive=True, exit_on_error=False, group="load")
    async def load(self, job_id: str) -> None:
        """Ask for all that is known of a job; one that cannot be asked is shown as it was."""
        known = self._listed.get(job_id)
        try:
            self.post_message(self.Loaded(await self._view(job_id)))
        except PapertuneError as error:
            if known is None:
                raise
            view = JobView(known.job, known.dataset, message=str(error))
            self.post_message(self.Loaded(view))

    async def _view(self, job_id: str) -> JobView:
        job = await self.jobs.get(job_id)
        extra = await self.jobs.local(job)
        return JobView(
            job,
            await self.jobs.dataset_of_job(job),
            extra.points if extra else await self.jobs.points(job_id),
            await self.jobs.validation_names(job),
            progress=extra.progress if extra and not job.terminal else None,
            message=extra.waits if extra else "",
            diagnoses=tuple(await self.jobs.diagnose(job_id)),
            extra=replace(extra, points=()) if extra else None,
        )

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
        view = self.view
        if self._stale and view is not None and self.is_current:
            self._stale = False
            self.query_one(JobDetail).show(view)
            keys = (view.job.status, view.diagnoses)
            if keys != self._keys_for:
                self._keys_for = keys
                self.refresh_bindings()

    # Launching

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_new(self) -> None:
        """Ask what to train, then launch it."""
        if self._launching:
            self.app.flash("A job is being launched; wait until it is.")
            return
        wanted = await self.launching.ask_new()
        if wanted is not None:
            self.launch(wanted)

    @work(exit_on_error=False, group="launch")
    async def launch(self, wanted: Launch) -> None:
        """In a group of its own: no other key may cut a launch in half."""
        self._launching = True
        self.refresh_bindings()
        try:
            self.post_message(self.Launched(await self.launching.launch(wanted)))
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

    def on_jobs_screen_launched(self, event: Launched) -> None:
        """Go to the new job and follow it."""
        self.app.step_done("train")
        self.app.flash(f"Job {event.job.id[:8]} is launched; it goes on when you leave.")
        self.app.follow_job(event.job.id)
        self.set_class(True, "-reading")
        self.load(event.job.id)
        self.list_jobs()
        self.listing.focus()

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

    def action_back(self) -> None:
        """From what was missed, the curves' cursor, the job: back, one after the other."""
        if self.query_one(JobDetail).plot.hide_cursor():
            return
        if self.has_class("-missed") and not self.has_class("-reading"):
            self.set_class(False, "-missed")
        self.set_class(False, "-reading")
        self.listing.focus()
        self.refresh_bindings()
