"""Keys and pastes take effect in the order in which they were typed.

Over SSH several keys arrive in one packet, and people type ahead of a slow screen. Textual hands
each key to the focused widget at once and runs its binding when the key has bubbled back, so the
second key of a packet overtakes what the first one asks for: `ctrl+u h` loses the `h`, and a name
typed behind the key that opens a dialog falls through to the list below. Here a key waits until the
one before it has done its work and the screen that it asked for takes keys.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from weakref import WeakSet

from textual import events
from textual.app import App, ReturnType, ScreenStackError
from textual.dom import DOMNode
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen
from textual.worker import Worker

FLOW = "flow"
"""The group of workers that ask something before they do something: keys wait for the question."""

_PATIENCE = 1.0  # s: a widget that is gone, or a flow that has nothing to ask, holds no key longer
_LOOK = 0.005  # s between looks at what is waited for

Typed = events.Key | events.Paste


class TypedAheadApp(App[ReturnType], inherit_bindings=False):
    """An app whose keys wait for one another."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Typed] = deque()
        self._in_flight: Typed | None = None
        self._due: Typed | None = None
        self._release: asyncio.Task[None] | None = None
        self._silent: Worker[object] | None = None
        self._taking: WeakSet[Screen[object]] = WeakSet()

    async def on_event(self, event: events.Event) -> None:
        """Let what was typed pass one by one; everything else goes its way."""
        if not isinstance(event, Typed) or event.is_forwarded:
            await super().on_event(event)
        elif event is self._due or (not self._waiting and self._open()):
            self._due = None
            await self._pass(event)
        else:
            self._waiting.append(event)
            if self._release is None:
                self._release = asyncio.create_task(self._let_through())

    async def _pass(self, event: Typed) -> None:
        self._in_flight = event
        target = self._target()
        await super().on_event(event)
        if event.is_forwarded and target is not None:
            target.call_later(self._passed, event, target)
        else:
            self._settled(event)

    def _target(self) -> DOMNode | None:
        try:
            return self.focused or self.screen
        except ScreenStackError:
            return None

    def _passed(self, event: Typed, node: MessagePump) -> None:
        """`node` has seen the event: follow it up the tree until it is stopped or back here."""
        parent = node._parent
        if parent is None or parent is self or event._stop_propagation or not event.bubble:
            self.call_later(self._settled, event)
        else:
            parent.call_later(self._passed, event, parent)

    def _settled(self, event: Typed) -> None:
        if event is self._in_flight:
            self._in_flight = None

    async def _let_through(self) -> None:
        """Send what waits, each as soon as the way is open."""
        try:
            while self._waiting:
                end = time.monotonic() + _PATIENCE
                # Workers that a key started run first; a flow among them is then seen.
                await asyncio.sleep(0)
                while not self._open() and time.monotonic() < end:  # noqa: ASYNC110 (no event)
                    await asyncio.sleep(_LOOK)
                if not self._open():
                    self._silent = self._asking()
                    self._taking.add(self.screen)
                self._due = self._in_flight = self._waiting.popleft()
                self.post_message(self._due)
        finally:
            self._release = None

    def _open(self) -> bool:
        """Whether what the last key asked for is there and takes keys."""
        if self._in_flight is not None or self._due is not None:
            return False
        try:
            screen = self.screen
        except ScreenStackError:
            return False
        if screen not in self._taking:
            if not screen.is_mounted or self._will_focus(screen):
                return False
            self._taking.add(screen)
        asking = self._asking()
        return asking is None or asking is self._silent or isinstance(screen, ModalScreen)

    def _will_focus(self, screen: Screen[object]) -> bool:
        # Only a dialog's keys are all its widgets'; a screen answers most of them itself.
        dialog = isinstance(screen, ModalScreen)
        return dialog and screen.focused is None and bool(screen.focus_chain)

    def _asking(self) -> Worker[object] | None:
        running = (worker for worker in self.workers if worker.group == FLOW)
        return next((worker for worker in running if not worker.is_finished), None)
