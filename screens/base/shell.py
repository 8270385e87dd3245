"""What screens may rely on of the app they run in: facts, notices, copying, editing, leaving."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import SuspendNotSupported
from textual.command import Provider
from textual.filter import LineFilter
from textual.signal import Signal
from textual.worker import Worker, WorkerState

from screens.base.clipboard import copy
from screens.base.editor import edit
from screens.base.line_filter import ControlFilter
from screens.base.too_small import TooSmall, is_too_small
from screens.base.typed_ahead import TypedAheadApp
from tui.domain.errors import PapertuneError
from tui.keymap import Keymap, bindings
from tui.storage.faults import explained, log_fault
from tui.text import shorten, visible
from tui.themes import DEFAULT, themes, variable_defaults
from widgets.status import GuideStep, Notice, Status, Tone

if TYPE_CHECKING:
    from textual.driver import Driver

    from tui.jobs import WatchEvent


def _commands() -> type[Provider]:
    from screens.base.palette import ActionCommands

    return ActionCommands


class ShellApp(TypedAheadApp[object], inherit_bindings=False):
    """The frame that the two apps (welcome, workspace) share and that every screen is drawn in.

    `remote` is the light profile for SSH: no animation at all. `keymap` holds the user's keys,
    checked.
    """

    CSS_PATH = Path(__file__).with_name("shell.tcss")
    BINDINGS = bindings("app")
    COMMANDS = {_commands}  # noqa: RUF012 (textual's own type)
    PAUSE_GC_ON_SCROLL = True
    TITLE = "papertune"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 (textual's type)
    MODE_NAMES: tuple[tuple[str, str], ...] = ()

    def __init__(
        self, *, theme: str = DEFAULT, remote: bool = False, keymap: Keymap | None = None
    ) -> None:
        super().__init__()
        self.remote = remote
        self.keymap = keymap or Keymap({})
        self.status = Status()
        self.guide: GuideStep | None = None
        self.status_signal: Signal[Status] = Signal(self, "status")
        self.guide_signal: Signal[GuideStep | None] = Signal(self, "guide")
        self.notice_signal: Signal[Notice] = Signal(self, "notice")
        self.job_signal: Signal[WatchEvent] = Signal(self, "job")
        self._control_filter = ControlFilter()
        for known in themes():
            self.register_theme(known)
        self.theme = theme if theme in self.available_themes else DEFAULT
        # Nothing here moves for its own sake: animation is bytes on the wire.
        self.animation_level = "none"
        self.set_keymap(self.keymap.keys)

    def get_driver_class(self) -> type[Driver]:
        """On a terminal a driver that outlasts it; a browser has one of its own."""
        from textual.drivers.linux_driver import LinuxDriver

        chosen = super().get_driver_class()
        if chosen is LinuxDriver:
            from screens.base.driver import LastingDriver

            return LastingDriver
        return chosen

    def on_mount(self) -> None:
        """Leave properly when the terminal goes away or the process is told to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, partial(self._told_to_end, number))
            except (NotImplementedError, RuntimeError):
                return  # not the main thread: whoever started us handles signals

    def on_ready(self) -> None:
        """Collect garbage from here on; report a keymap that cannot be used as it is."""
        gc.freeze()
        gc.enable()
        if self.keymap.problems:
            more = len(self.keymap.problems) - 1
            rest = f" (and {more} more: papertune doctor)" if more else ""
            self.flash(self.keymap.problems[0] + rest, Tone.WARNING)

    def _told_to_end(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    # Facts across screens

    def set_status(self, **changes: str) -> None:
        """Change the facts that every screen's status line shows."""
        status = replace(self.status, **changes)
        if status != self.status:
            self.status = status
            self.status_signal.publish(status)

    def show_guide(self, step: GuideStep | None) -> None:
        """Show the guide's step on every screen, or end the guide."""
        if step != self.guide:
            self.guide = step
            self.guide_signal.publish(step)

    def flash(self, text: str, tone: Tone = Tone.INFO) -> None:
        """Say something in one line; it goes by itself and never covers the screen."""
        self.notice_signal.publish(Notice(shorten(visible(text), 400), tone))

    def report(self, error: BaseException) -> None:
        """Say what went wrong: our own errors as they are, others by name with the log's place."""
        self.flash(str(explained(error)), Tone.ERROR)

    def notify(self, message: str, *, severity: str = "information", **_: Any) -> None:
        """Textual's own notices go the same way as ours: one line, nothing stacked."""
        self.flash(message, Tone(severity))

    # What screens ask for

    async def copy(self, text: str, what: str) -> None:
        """Copy text and say where it went."""
        place = await copy(text, self.copy_to_clipboard)
        self.flash(f"Copied {what} to {place}.")

    def write_terminal(self, sequence: str) -> None:
        """Send a sequence of our own making to the terminal: the bell, a desktop notice."""
        if self._driver is not None:
            self._driver.write(sequence)

    def edit_text(self, text: str, *, suffix: str = ".md") -> str | None:
        """Open text in the user's editor and return what was saved, None when that failed."""
        try:
            with self.suspend():
                return edit(text, suffix=suffix)
        except SuspendNotSupported:
            self.flash("An editor cannot be opened from here.", Tone.WARNING)
        except PapertuneError as error:
            self.report(error)
        return None

    def key_for(self, action: str) -> str:
        """The key that runs an action now, as a person reads it, for hints in empty states."""
        from tui.actions import ACTIONS
        from tui.keymap import normal, shown

        keys = self.keymap.keys.get(action) or ACTIONS[action].keys
        return shown(normal(keys.split(",")[0]))

    # The guide

    def prefill(self, field: str) -> str:
        """What the guide suggests for a field of a dialog, where its step is done here."""
        if self.guide is None or self.guide.mode not in ("", self.current_mode):
            return ""
        return self.guide.prefill.get(field, "")

    def step_done(self, step: str, value: str = "") -> None:
        """A screen did what a step of the guide asks for (`tui.quickstart.StepId`); see the app."""

    # Jobs

    def follow_job(self, job_id: str) -> None:
        """Follow a job on every screen: its events go out on `job_signal`; see the app."""

    # How everything is drawn

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Control characters are dropped from whatever is drawn, whoever draws it."""
        return [*super().get_line_filters(), self._control_filter]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colours for themes that do not name them."""
        return variable_defaults()

    def on_resize(self, event: events.Resize) -> None:
        """Cover a screen that would be broken with a sentence, and uncover it again."""
        small = is_too_small(event.size)
        if small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())
        elif not small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Without a workspace there are no modes to go to."""
        return action != "mode" or bool(self.MODE_NAMES)

    def action_command_palette(self) -> None:
        """Open the palette, without its blinking cursor."""
        from screens.base.palette import Palette

        if not Palette.is_open(self):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        """Show the keys that work here."""
        from screens.base.help import HelpScreen, sections

        self.push_screen(HelpScreen(sections(self.screen), getattr(self.screen, "ABOUT", "")))

    def action_theme(self) -> None:
        """Change to the next of our themes."""
        names = [known.name for known in themes()]
        here = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(here + 1) % len(names)]
        self.flash(f"Theme {self.theme}")

    def action_redraw(self) -> None:
        """Draw everything again, after something else wrote to the terminal."""
        self.refresh(layout=True)

    async def action_interrupt(self) -> None:
        """Copy what the mouse selected; else say how to leave."""
        if selected := self.screen.get_selected_text():
            await self.copy(selected, "the selection")
        else:
            self.flash(f"{self.key_for('app.quit')} leaves papertune; jobs go on running.")

    # Faults

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what went wrong in the app's own workers."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.report(event.worker.error)

    def _fatal_error(self) -> None:
        """End after a fault of our own with one sentence.

        Textual's report prints local variables, and with them whatever key was just read.
        """
        import sys

        from rich.text import Text

        error = sys.exc_info()[1] or RuntimeError("unknown")
        path = log_fault(error)
        self._exit_renderables.append(
            Text(
                f"papertune stopped because of a fault of its own ({type(error).__name__}). "
                f"What was saved is safe and jobs go on running. Details: {path}"
            )
        )
        self._close_messages_no_wait()
