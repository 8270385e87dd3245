"""What is done with the job in view, each by a key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work
from textual.screen import Screen

from screens.base import ShellApp
from screens.jobs.compare import CompareScreen
from screens.jobs.detail import JobDetail, JobView
from tui.jobs.diagnose import Diagnosis, Remedy, best_step
from widgets.dialogs import Confirm, Prompt
from widgets.path_input import typed_path

if TYPE_CHECKING:
    from screens.jobs.launch import Launching
    from screens.jobs.new_job import Launch
    from tui.jobs import Jobs
    from tui.jobs.known import KnownJob
    from tui.jobs.registry import Registry
    from widgets.virtual_list import VirtualList


class Acting(Screen[None], inherit_bindings=False):
    """Keys of the jobs screen that act on jobs; the screen itself lists and shows them."""

    if TYPE_CHECKING:
        app: ShellApp
        jobs: Jobs
        registry: object
        launching: Launching
        view: JobView | None
        _listed: dict[str, KnownJob]
        _engine_on: bool

        @property
        def listing(self) -> VirtualList:
            """The list."""

        def list_jobs(self) -> object:
            """List again."""

        def load(self, job_id: str) -> object:
            """Load a job."""

        def launch(self, wanted: Launch) -> object:
            """Launch."""

    @property
    def detail(self) -> JobDetail:
        """The job in view."""
        return self.query_one(JobDetail)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_cancel(self) -> None:
        """Stop the job in view; its last checkpoint is kept."""
        known = self._under_way()
        if known is None:
            return
        job = known.job
        question = f"Stop job {job.id[:8]}? Its last checkpoint is kept; training cannot go on."
        if await self.app.push_screen_wait(Confirm("Stop the job", question)):
            stopped = await self.jobs.cancel(job.id)
            self.app.flash(f"Job {stopped.id[:8]} is being stopped.")
            self.list_jobs()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_act(self) -> None:
        """Do what the first diagnosis advises."""
        view, found = self.view, self._advice()
        if view is None or found is None:
            return
        if found.remedy is Remedy.LOG:
            self.detail.show_pane("log")
        elif found.remedy is Remedy.CLONE or (found.remedy is Remedy.STOP and view.job.terminal):
            await self._copy(view)
        elif found.remedy is Remedy.KEEP and found.best_step is not None:
            await self._keep(view, found.best_step)
        elif found.remedy is Remedy.STOP:
            question = Confirm("Stop the job", f"{found.message} Stop it now?")
            if await self.app.push_screen_wait(question):
                await self.jobs.cancel(view.job.id)
                self.list_jobs()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_best(self) -> None:
        """Make a checkpoint of the job its model."""
        view = self.view
        if view is None:
            return
        memory = next((key for key, name in view.names.items() if name == "memory"), None)
        best = best_step(view.points, memory)
        kept = ", ".join(map(str, view.extra.kept)) if view.extra and view.extra.kept else ""
        answer = await self.app.push_screen_wait(
            Prompt(
                "Which checkpoint becomes the model?",
                f"Kept: {kept}" if kept else "The step of a checkpoint that is kept.",
                value=str(best or ""),
                check=lambda text: "" if text.strip().isdigit() else "The step is a number.",
            )
        )
        if answer is not None:
            await self._keep(view, int(answer.strip()))

    async def _keep(self, view: JobView, step: int) -> None:
        job = view.job
        end = "" if job.terminal else " Training ends with it."
        question = f"The checkpoint of step {step} becomes the model of job {job.id[:8]}.{end}"
        if await self.app.push_screen_wait(Confirm(f"Keep checkpoint {step}", question)):
            await self.jobs.keep(job.id, step)
            self.app.flash(f"Checkpoint {step} of job {job.id[:8]} is the model.")
            self.load(job.id)
            self.list_jobs()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_clone(self) -> None:
        """Start a copy of the job in view with changes."""
        if self.view is not None:
            await self._copy(self.view)

    async def _copy(self, view: JobView) -> None:
        wanted = await self.launching.ask_copy(view.job.id)
        if wanted is not None:
            self.launch(wanted)

    def action_compare(self) -> None:
        """Lay the selected jobs over one another; without a selection the newest two."""
        chosen = [key for key in self._listed if key in self.listing.selection]
        ids = chosen or list(self._listed)[:2]
        self.app.push_screen(CompareScreen(self.jobs, ids))

    def action_models(self) -> None:
        """The models that came of the jobs."""
        from screens.jobs.models import ModelsScreen

        registry: Registry = self.registry()  # type: ignore[operator]
        self.app.push_screen(ModelsScreen(registry, self.jobs))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write the curve of the job in view, or the selected ones, to a file."""
        view = self.view
        if view is None:
            return
        ids = [key for key in self._listed if key in self.listing.selection] or [view.job.id]
        await ask_export(self.app, self.jobs, ids)

    def action_forget(self) -> None:
        """Take a job that was deleted at its endpoint off the list."""
        row = self.listing.current
        if row is not None and (known := self._listed.get(row.key)) and known.gone:
            self.jobs.board.forget(row.key)
            self.list_jobs()

    async def action_copy(self) -> None:
        """Copy the new model's name, or the job's id while there is none."""
        job = self.view.job if self.view else None
        if job is not None:
            what = "the model's name" if job.fine_tuned_model else "the job's id"
            await self.app.copy(job.fine_tuned_model or job.id, what)

    def action_log(self) -> None:
        """Losses on a linear or a logarithmic scale."""
        self.detail.plot.toggle_log()

    def action_smooth(self) -> None:
        """Smooth the train loss: none, some, much."""
        self.detail.plot.next_smoothing()

    def action_info(self) -> None:
        """Events, checkpoints, settings or the log below the curves."""
        self.detail.next_pane()

    def action_quantity(self) -> None:
        """Losses, learning rate or gradient norm."""
        self.detail.next_quantity()

    def action_axis(self) -> None:
        """Curves over steps, tokens or time."""
        self.detail.next_axis()

    def action_left(self) -> None:
        """Move the curves' cursor to the left."""
        self.detail.plot.move_cursor(-1)

    def action_right(self) -> None:
        """Move the curves' cursor to the right."""
        self.detail.plot.move_cursor(1)

    def action_closer(self) -> None:
        """Show less of the curves, larger."""
        self.detail.plot.zoom(True)

    def action_wider(self) -> None:
        """Show more of the curves."""
        self.detail.plot.zoom(False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense for the job in view."""
        view, row = self.view, self.listing.current if self.is_mounted else None
        in_view = {"log", "smooth", "copy", "info", "quantity", "axis", "export", "clone"}
        plot = {"left", "right", "closer", "wider"}
        holds = {
            "cancel": lambda: self._under_way() is not None,
            "act": lambda: self._advice() is not None,
            "best": lambda: view is not None and view.extra is not None and bool(view.points),
            "compare": lambda: bool(self._listed),
            "models": lambda: self.registry is not None,
            "forget": lambda: (
                row is not None and (known := self._listed.get(row.key)) is not None and known.gone
            ),
            "back": lambda: (
                self.has_class("-reading") or self.has_class("-missed") or self.detail.plot.pointed
            ),
            "engine": lambda: not self._engine_on,
            "open": lambda: bool(self._listed) and not self.has_class("-reading"),
            **dict.fromkeys(in_view | plot, lambda: view is not None),
        }
        return holds[action]() if action in holds else True

    def _advice(self) -> Diagnosis | None:
        found = self.view.diagnoses if self.view else ()
        return next((item for item in found if item.remedy is not Remedy.NONE), None)

    def _under_way(self) -> KnownJob | None:
        """The job under the cursor while it can still be stopped."""
        row = self.listing.current if self.is_mounted else None
        known = self._listed.get(row.key) if row is not None else None
        return known if known is not None and not known.job.terminal and not known.gone else None


async def ask_export(app: ShellApp, jobs: Jobs, ids: list[str]) -> None:
    """Ask for a file and write curves to it; its ending decides the format."""
    from tui.jobs.export import export, format_of

    answer = await app.push_screen_wait(
        Prompt(
            "Export the curves",
            ".csv, .jsonl, or a folder for TensorBoard:",
            value=f"job-{ids[0][:8]}.csv",
            check=lambda text: "" if text.strip() else "A file is needed.",
        )
    )
    if answer is None:
        return
    path = typed_path(answer)
    form = format_of(path)
    files = await asyncio.to_thread(export, await jobs.results(ids), path, form)
    app.flash(f"Written: {', '.join(str(item) for item in files)}")
