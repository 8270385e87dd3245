"""The base of every full screen: the frame, the footer, one way for work to fail."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import getters
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from screens.base.shell import ShellApp
from tui.actions import ACTIONS
from tui.keymap import shown
from widgets.status import GuideBar, GuideStep, Hint, KeyBar, ModeBar, Notice, Status, StatusLine

Result = TypeVar("Result")


class BaseScreen(Screen[Result], inherit_bindings=False):
    """A full screen in the shared frame. See the package's docstring for how to write one."""

    NAME: ClassVar[str] = ""
    """The mode's label, marked in the mode bar."""

    ABOUT: ClassVar[str] = ""
    """One sentence for the top of the help."""

    app = getters.app(ShellApp)

    def compose(self) -> ComposeResult:
        """The frame around `compose_body`."""
        yield ModeBar(self.app.MODE_NAMES, self.NAME)
        yield GuideBar()
        with Container(id="body"):
            yield from self.compose_body()
        yield StatusLine()
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        """What is between the bars: for subclasses."""
        yield from ()

    def on_mount(self) -> None:
        """Follow the facts that hold across screens."""
        self.app.status_signal.subscribe(self, self._show_status)
        self.app.guide_signal.subscribe(self, self._show_guide)
        self.app.notice_signal.subscribe(self, self._show_notice)
        self.bindings_updated_signal.subscribe(self, lambda _: self._show_keys())
        self._show_status(self.app.status)
        self._show_guide(self.app.guide)
        self._show_keys()

    def say(self, words: str) -> None:
        """Set this screen's own words in the status line, e.g. how many rows are listed."""
        self.query_one(StatusLine).words = words

    def _show_status(self, status: Status) -> None:
        self.query_one(ModeBar).workspace = status.workspace
        self.query_one(StatusLine).status = status

    def _show_guide(self, step: GuideStep | None) -> None:
        self.query_one(GuideBar).step = step

    def _show_notice(self, notice: Notice) -> None:
        if self.is_current:
            self.query_one(StatusLine).notice = notice

    def _show_keys(self) -> None:
        hints: dict[str, Hint] = {}
        for _, binding, enabled, _ in self.active_bindings.values():
            action = ACTIONS.get(binding.id or "")
            if action is not None and enabled and action.rank and action.id not in hints:
                hints[action.id] = Hint(shown(binding.key), action.label, action.rank)
        self.query_one(KeyBar).hints = tuple(hints.values())

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker's error is said in one line; with `exit_on_error=False` it would be silent."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.app.report(event.worker.error)
