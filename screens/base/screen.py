"""The base of every full screen: the frame, the footer, one way for work to fail."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, TypeVar

from textual import getters
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input, TextArea
from textual.worker import Worker, WorkerState

from screens.base.shell import ShellApp
from tui.actions import ACTIONS
from tui.keymap import shown
from widgets.status import GuideBar, GuideStep, Hint, KeyBar, ModeBar, Notice, Status, StatusLine
from widgets.virtual_list import VirtualList

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
        self.bindings_updated_signal.subscribe(self, lambda _: self._bindings_changed())
        self._show_status(self.app.status)
        self._show_guide(self.app.guide)
        self._show_keys()

    def on_screen_resume(self) -> None:
        """What leads to the guide's step depends on where one is."""
        self._show_guide(self.app.guide)

    def say(self, words: str) -> None:
        """Set this screen's own words in the status line, e.g. how many rows are listed."""
        self.query_one(StatusLine).words = words

    def _show_status(self, status: Status) -> None:
        self.query_one(ModeBar).workspace = status.workspace
        self.query_one(StatusLine).status = status

    def guide_keys(self, step: GuideStep) -> list[str]:
        """What to press from here to do the guide's step, one after the other.

        A text field takes every letter, and a screen over the mode's own has keys of its own: both
        have to be left first.
        """
        if not step.key:
            return []
        typing = isinstance(self.focused, Input | TextArea)
        if step.mode in ("", self.app.current_mode):
            leave, go = typing or self.app.screen_stack[0] is not self, ""
        else:
            leave, go = typing, step.go
        return [key for key in (self._leaving() if leave else "", go, step.key) if key]

    def _leaving(self) -> str:
        """The key that leaves what has the focus, else this screen."""
        for _, binding, enabled, _ in self.active_bindings.values():
            if enabled and (binding.id or "").endswith((".back", ".leave")):
                return shown(binding.key)
        return ""

    def _show_guide(self, step: GuideStep | None) -> None:
        if step is not None:
            step = replace(step, key=" then ".join(self.guide_keys(step)))
        self.query_one(GuideBar).step = step

    def _show_notice(self, notice: Notice) -> None:
        # Under a dialog the screen is not the current one, but its status line is in sight.
        full = [screen for screen in self.app.screen_stack if isinstance(screen, BaseScreen)]
        if full and full[-1] is self:
            self.query_one(StatusLine).notice = notice

    def _bindings_changed(self) -> None:
        self._show_keys()
        self._show_guide(self.app.guide)

    def _show_keys(self) -> None:
        hints: dict[str, Hint] = {}
        for _, binding, enabled, _ in self.active_bindings.values():
            action = ACTIONS.get(binding.id or "")
            if action is not None and enabled and action.rank and action.id not in hints:
                hints[action.id] = Hint(shown(binding.key), action.label, action.rank)
        self.query_one(KeyBar).hints = tuple(hints.values())

    def on_virtual_list_failed(self, event: VirtualList.Failed) -> None:
        """Say why rows did not come."""
        event.stop()
        self.app.report(event.error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker's error is said in one line; with `exit_on_error=False` it would be silent."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.app.report(event.worker.error)
