"""Settings: one list, the meaning of the row below it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from screens.settings import alerts as ways
from screens.settings import flows
from screens.settings.rows import (
    ADD,
    COLUMNS,
    ENDPOINT,
    Files,
    Item,
    Known,
    View,
    rows,
)
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import PapertuneError
from tui.keymap import bindings
from tui.settings import Credentials, Settings, settings_file
from tui.storage.locations import config_dir
from widgets.dialogs import Confirm
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.domain.model import ModelCard
    from tui.jobs.alerts import Alerts
    from tui.mistral import Endpoints, EngineControl

_PLACES = ("workspace", "settings", "credentials", "keymap")
_FITS = 45  # cells of a value that fit at 80 columns


class SettingsScreen(BaseScreen[None]):
    """Every setting with its meaning; enter changes one, and it counts at once."""

    NAME = "Settings"
    ABOUT = "What you set. Keys are shown by their last four characters and never anywhere else."
    BINDINGS = bindings("settings")
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Looked(Message):
        """Everything that is shown, as it is now."""

        view: View

    def __init__(
        self,
        settings: Callable[[], Settings],
        change: Callable[[Settings], None],
        credentials: Credentials,
        endpoints: Endpoints,
        engine: EngineControl,
        models: Callable[[], Awaitable[Sequence[ModelCard]]],
        alerts: Callable[[], Alerts] | None = None,
    ) -> None:
        """`settings` gives those in force, `change` saves others and puts them in force."""
        super().__init__()
        self.settings = settings
        self.change = change
        self.credentials = credentials
        self.endpoints = endpoints
        self.engine = engine
        self.models = models
        self.alerts = alerts
        self.view: View | None = None
        self._items: dict[str, Item] = {}

    def compose_body(self) -> ComposeResult:
        """The list, and the row under the cursor at more length."""
        with Vertical():
            yield VirtualList(COLUMNS, header=False, selectable=False)
            yield Static(id="about")

    def on_screen_resume(self) -> None:
        """Look: the engine may have been started, a key stored elsewhere."""
        self.look()

    @property
    def listing(self) -> VirtualList:
        """The settings."""
        return self.query_one(VirtualList)

    # Showing

    @work(exclusive=True, exit_on_error=False, group="look")
    async def look(self) -> None:
        """Find out how everything stands."""
        engine = await self.engine.status()
        endpoints = await asyncio.to_thread(self._known)
        folder = config_dir()
        files = Files(
            settings_file(),
            self.credentials.file,
            folder / "keymap.toml",
            self.app.keymap.problems,
        )
        self.post_message(
            self.Looked(View(self.settings(), endpoints, engine, files, self.app.theme))
        )

    def _known(self) -> list[Known]:
        """The endpoints in a steady order, with the ends of their keys."""
        first = {"local": 0, "mistral": 1}
        listed = self.endpoints.all()
        ordered = sorted(listed, key=lambda item: (first.get(item.name, 2), item.name))
        return [self._look_at(endpoint) for endpoint in ordered]

    def _look_at(self, endpoint: Endpoint) -> Known:
        if not endpoint.outside:
            return Known(endpoint)
        try:
            key, place = self.credentials.get(endpoint.name), self.credentials.where(endpoint.name)
        except PapertuneError as error:
            return Known(endpoint, wrong=str(error))
        return Known(endpoint, key.hint if key else "", place or "")

    def on_settings_screen_looked(self, event: Looked) -> None:
        """Show it, the cursor staying on its row."""
        here = self.listing.current
        self.view = event.view
        shown, self._items = rows(event.view, ways.items(event.view.settings.alerts))
        keys = [row.key for row in shown]
        at = keys.index(here.key) if here is not None and here.key in keys else 0
        self.listing.show_rows(shown, at)
        self.say("Changes count at once")
        self.refresh_bindings()

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        item = self._items.get(event.row.key) if event.row else None
        if item is not None:
            words = item.text or item.meaning
            # In a narrow list a long path is cut; below it there is room for all of it.
            whole = f"\n{item.value}" if item.key in _PLACES and len(item.value) > _FITS else ""
            self.query_one("#about", Static).update(Content(words + whole))
        self.refresh_bindings()

    # Changing

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self._edit(event.row.key)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def _edit(self, key: str) -> None:
        if key.startswith(ENDPOINT):
            await self._store_key(key)
            return
        if key == "engine":
            await self._switch_engine()
            return
        now = self.settings()
        changed: Settings | None = None
        if key.startswith(ways.ALERT):
            alerts = self.alerts() if self.alerts else None
            self._take(await ways.edit(self.app, now, self.credentials, alerts, key))
            return
        match key:
            case "person":
                changed = await flows.person(self.app, now)
            case "workspace":
                changed = await flows.workspace(self.app, now)
            case "theme":
                changed = await flows.theme(self.app, now)
            case "endpoint":
                changed = await flows.endpoint(self.app, now, self.endpoints.all())
            case "model":
                changed = await flows.model(self.app, now, await self.models())
            case _ if key == ADD:
                changed = await flows.add(self.app, now, [e.name for e in self.endpoints.all()])
            case _:
                self.app.flash(f"{self.app.key_for('settings.copy')} copies where the file is.")
        self._take(changed)

    def _take(self, changed: Settings | None) -> None:
        """Put new settings in force."""
        if changed is None or changed == self.settings():
            return
        self.change(changed)
        if changed.theme != self.app.theme and changed.theme in self.app.available_themes:
            self.app.theme = changed.theme
        self.app.set_status(endpoint=changed.endpoint)
        self.look()

    async def _store_key(self, row: str) -> None:
        known = self.view.endpoint(row) if self.view else None
        if known is None:
            return
        endpoint = known.endpoint
        if endpoint.kind is EndpointKind.LOCAL:
            self.app.flash("The engine of this machine needs no key of yours.")
            return
        answer = await flows.key(self.app, endpoint)
        if answer is None:
            return
        await asyncio.to_thread(self.credentials.set, endpoint.name, *answer)
        found = await asyncio.to_thread(self.credentials.where, endpoint.name)
        words = f"Stored; {self.app.key_for('settings.test')} tests it."
        if found == "environment":
            words = "Stored, but the key in the environment goes before it."
        self.app.flash(words)
        self.look()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_add(self) -> None:
        """Add an endpoint."""
        names = [endpoint.name for endpoint in self.endpoints.all()]
        self._take(await flows.add(self.app, self.settings(), names))

    def action_default(self) -> None:
        """Make the endpoint of the row the default one."""
        if (known := self._chosen()) is not None:
            self._take(flows.with_default(self.settings(), known.endpoint.name))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_trust(self) -> None:
        """Let private papers go to the endpoint, or no longer."""
        if (known := self._chosen()) is not None:
            self._take(await flows.trust(self.app, self.settings(), known.endpoint))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_consent(self) -> None:
        """Let texts go to the endpoint, or no longer."""
        if (known := self._chosen()) is not None:
            self._take(await flows.consent(self.app, self.settings(), known.endpoint))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_remove(self) -> None:
        """Remove the endpoint and forget its key."""
        known = self._chosen()
        if known is None:
            return
        changed = await flows.remove(self.app, self.settings(), known.endpoint)
        if changed is not None:
            # A key in the environment is not ours to take away.
            with suppress(PapertuneError):
                await asyncio.to_thread(self.credentials.forget, known.endpoint.name)
            self._take(changed)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_forget(self) -> None:
        """Forget the endpoint's key."""
        known = self._chosen()
        if known is None:
            return
        name = known.endpoint.name
        question = f"The key {known.hint} of {name} is removed from where papertune keeps it."
        if not await self.app.push_screen_wait(Confirm("Forget the key", question)):
            return
        try:
            await asyncio.to_thread(self.credentials.forget, name)
            self.app.flash(f"The key of {name} is forgotten here. Revoke it at its provider, too.")
        finally:
            self.look()

    @work(exclusive=True, exit_on_error=False, group="test")
    async def action_test(self) -> None:
        """Ask the endpoint for its models, which needs the key and changes nothing."""
        known = self._chosen()
        if known is None:
            return
        name = known.endpoint.name
        self.say(f"Asking {name}…")
        try:
            count = await self.endpoints.client(name).check()
            self.app.flash(f"{name} answers: {count} models.")
        finally:
            self.say("")

    # The engine

    async def _switch_engine(self) -> None:
        if self.view is not None and self.view.engine.running:
            await self._stop()
        else:
            await self._start()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_start(self) -> None:
        """Start the local engine."""
        await self._start()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_stop(self) -> None:
        """Stop the local engine."""
        await self._stop()

    async def _start(self) -> None:
        self.say("Starting the engine…")
        try:
            status = await self.engine.ensure()
            self.app.flash(f"The engine runs on {status.device}.")
        finally:
            self.say("")
            self.look()

    async def _stop(self) -> None:
        question = "Chat on this machine ends. Jobs go on training and are found again later."
        if not await self.app.push_screen_wait(Confirm("Stop the engine", question)):
            return
        self.say("Stopping the engine…")
        try:
            await self.engine.stop()
            self.app.flash("The engine is off.")
        finally:
            self.say("")
            self.look()

    async def action_copy(self) -> None:
        """Copy the value of the row."""
        row = self.listing.current
        if row is not None and row.key in self._items:
            item = self._items[row.key]
            await self.app.copy(item.value, item.name.lower())

    # What makes sense

    def _chosen(self) -> Known | None:
        """The endpoint under the cursor."""
        row = self.listing.current if self.is_mounted else None
        return self.view.endpoint(row.key) if self.view is not None and row is not None else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense for the row under the cursor."""
        if action in ("start", "stop"):
            running = self.view is not None and self.view.engine.running
            return self.view is not None and running == (action == "stop")
        known = self._chosen()
        outside = known is not None and known.endpoint.outside
        match action:
            case "test" | "default":
                return known is not None
            case "trust" | "consent":
                return outside
            case "forget":
                return known is not None and bool(known.place)
            case "remove":
                return outside and known is not None and known.endpoint.kind is EndpointKind.URL
            case _:
                return True
