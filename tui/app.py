"""The composition root of the pictures: builds screens from services, and nothing else.

Two apps share one frame: `PapertuneApp` on a workspace, `WelcomeApp` while there is none. An app
that ends with a `Start` asks for another workspace; `tui.cli.terminal` then opens it, so services
are never swapped under a running screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual import work
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme

from screens.base.shell import ShellApp
from screens.welcome.start import Start
from tui.actions import ACTIONS
from tui.domain.job import JobStatus
from tui.keymap import Keymap
from tui.services import Services
from tui.themes import DEFAULT
from widgets.status import GuideStep, Tone

if TYPE_CHECKING:
    from tui.jobs import WatchEvent
    from tui.quickstart import Progress

MODES = (
    ("1", "Corpus"),
    ("2", "Datasets"),
    ("3", "Jobs"),
    ("4", "Chat"),
    ("5", "Evaluation"),
    ("6", "Settings"),
)
"""Keys and labels of the mode bar; the keys are those of `tui.actions`."""


# Points that a screen may have missed between loading a job and following it.
_BACKLOG = 50


class WelcomeApp(ShellApp):
    """The first start: asks where to begin and ends with the `Start` that was chosen."""

    DEFAULT_MODE = "welcome"

    def __init__(
        self,
        *,
        suggested: Start,
        theme: str = DEFAULT,
        remote: bool = False,
        keymap: Keymap | None = None,
    ) -> None:
        super().__init__(theme=theme, remote=remote, keymap=keymap)
        self._suggested = suggested
        self.add_mode("welcome", self._welcome)

    def _welcome(self) -> Screen[Any]:
        from screens.welcome.screen import WelcomeScreen

        return WelcomeScreen(self._suggested)


class PapertuneApp(ShellApp):
    """The app on one workspace: six modes, each built when it is first shown."""

    DEFAULT_MODE = "corpus"
    MODE_NAMES = MODES

    @dataclass
    class Guided(Message):
        """Where the guide stands now."""

        progress: Progress | None

    @dataclass
    class JobNews(Message):
        """Something happened to the job that is followed."""

        event: WatchEvent

    def __init__(
        self,
        services: Services,
        *,
        theme: str = "",
        remote: bool = False,
        keymap: Keymap | None = None,
    ) -> None:
        super().__init__(theme=theme or services.settings.theme, remote=remote, keymap=keymap)
        self._services = services
        self._followed = ""
        for name, factory in self._factories().items():
            self.add_mode(name, factory)
        self.set_status(workspace=services.workspace.root.name, endpoint=services.settings.endpoint)

    def on_ready(self) -> None:
        """Ask the guide where the whole job stands, and find the job that went on meanwhile."""
        super().on_ready()
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self._ask_guide()
        self._find_job()

    async def on_unmount(self) -> None:
        """Close what the services hold open."""
        await self._services.aclose()

    def _keep_theme(self, chosen: Theme) -> None:
        """A theme chosen by whichever key is there again at the next start."""
        settings = self._services.settings
        if chosen.name != settings.theme:
            self._services.change(replace(settings, theme=chosen.name))

    def action_mode(self, name: str) -> None:
        """Go to a mode; its screen is built the first time."""
        self.switch_mode(name)
        self._ask_guide()

    def step_done(self, step: str, value: str = "") -> None:
        """Note a step whose result is kept nowhere else, and find the next one."""
        self._ask_guide(step if value else "", value)

    def follow_job(self, job_id: str) -> None:
        """Watch a job from wherever the person is; one job at a time."""
        if job_id != self._followed:
            self._followed = job_id
            self._watch(job_id)

    @work(exclusive=True, exit_on_error=False, group="job")
    async def _watch(self, job_id: str) -> None:
        async for event in self._services.jobs.watch(job_id, revive=True, backlog=_BACKLOG):
            self.post_message(self.JobNews(event))

    @work(exit_on_error=False, group="find-job")
    async def _find_job(self) -> None:
        """Follow the job of this workspace that had not ended when papertune was left."""
        jobs = await asyncio.to_thread(lambda: self._services.jobs)
        job = await jobs.unfinished()
        if job is not None:
            self.follow_job(job.id)

    def on_papertune_app_job_news(self, message: JobNews) -> None:
        """Say on every screen how the job stands, and once that it came to its end."""
        event = message.event
        self.job_signal.publish(event)
        if event.job is None:
            return
        words = f"job {event.job.id[:8]} {str(event.status or event.job.status).lower()}"
        if event.progress is not None and event.progress.steps and not event.job.terminal:
            words += f" {event.progress.step}/{event.progress.steps}"
        self.set_status(job=words)
        if event.event in ("warning", "done"):
            self._tell(event)
        if event.event == "done":
            self._followed = ""
            tone = Tone.INFO if event.job.status == JobStatus.SUCCESS else Tone.WARNING
            self.flash(f"Job {event.job.id[:8]} ended: {str(event.job.status).lower()}.", tone)
            self._ask_guide()

    @work(exit_on_error=False, group="alert")
    async def _tell(self, event: WatchEvent) -> None:
        """Tell what is worth an alert where the person is, whoever of their apps does it."""
        from tui.jobs.alerts import alert_of, low_budget

        services = self._services
        found = [alert_of(event)]
        if event.event == "done":
            month = services.settings.budget.month
            found.append(await asyncio.to_thread(low_budget, services.ledger, month))
        for alert in filter(None, found):
            if event.event != "done" or alert.kind == "budget":
                self.flash(alert.line, Tone.WARNING)
            for sent in await services.alerts.send(alert, self.write_terminal):
                if sent.wrong:
                    self.flash(f"The alert by {sent.channel} failed: {sent.wrong}", Tone.WARNING)

    @work(exclusive=True, exit_on_error=False, group="guide")
    async def _ask_guide(self, step: str = "", value: str = "") -> None:
        # Most workspaces have no guide: look before importing all that a guide knows.
        if not await asyncio.to_thread(self._services.workspace.guide.is_file):
            return
        from tui.quickstart import StepId

        guide = self._services.guide
        if step:
            await asyncio.to_thread(guide.mark, StepId(step), value)
        self.post_message(self.Guided(await guide.progress()))

    def on_papertune_app_guided(self, event: Guided) -> None:
        """Show the step on every screen; when all are done, what may come next."""
        progress = event.progress
        if progress is None:
            self.show_guide(None)
            return
        if progress.step is None:
            if self.guide is None:  # done before: say it once, then get out of the way
                self.flash(progress.next)
            else:
                self.show_guide(GuideStep(0, 0, progress.next))
            return
        step = progress.step
        key = self.key_for(step.action) if step.action in ACTIONS else ""
        self.show_guide(
            GuideStep(
                progress.number,
                progress.total,
                f"{step.title}: {step.hint}",
                key,
                progress.prefill,
                mode=step.screen,
                go=self.key_for(f"app.{step.screen}"),
            )
        )

    def _factories(self) -> dict[str, Callable[[], Screen[Any]]]:
        return {
            "corpus": self._corpus,
            "datasets": self._datasets,
            "jobs": self._jobs,
            "chat": self._chat,
            "evaluation": self._evaluation,
            "settings": self._settings,
        }

    def _corpus(self) -> Screen[Any]:
        from screens.corpus import CorpusScreen, CorpusServices

        return CorpusScreen(
            CorpusServices(
                lambda: self._services.corpus,
                lambda: self._services.datasets,
                lambda: self._services.ocr,
                lambda: self._services.fetcher,
            )
        )

    def _datasets(self) -> Screen[Any]:
        from screens.datasets import DatasetServices, DatasetsScreen

        services = self._services
        return DatasetsScreen(
            DatasetServices(
                services.datasets,
                services.corpus,
                services.workspace.root,
                lambda: services.sourcing,
                lambda: services.generator,
                lambda: services.judge,
                lambda: services.jobs,
                lambda: services.endpoints,
                lambda: services.gate,
                lambda: services.chat,
                lambda: services.settings,
            )
        )

    def _jobs(self) -> Screen[Any]:
        from screens.jobs import JobsScreen

        services = self._services
        return JobsScreen(
            services.jobs,
            lambda: services.datasets,
            services.endpoints,
            services.engine,
            services.gate,
            lambda: services.registry,
        )

    def _chat(self) -> Screen[Any]:
        from screens.chat import ChatScreen

        services = self._services
        return ChatScreen(
            services.chat,
            services.conversations,
            services.feedback,
            lambda: services.corpus,
            services.engine,
            services.gate,
            lambda: services.datasets,
        )

    def _evaluation(self) -> Screen[Any]:
        from screens.evaluation import EvaluationScreen

        services = self._services
        return EvaluationScreen(
            services.evaluator, lambda: services.datasets, services.corpus, services.chat
        )

    def _settings(self) -> Screen[Any]:
        from screens.settings import SettingsScreen

        services = self._services
        return SettingsScreen(
            lambda: services.settings,
            services.change,
            services.credentials,
            services.endpoints,
            services.engine,
            services.chat.models,
            lambda: services.alerts,
        )
