"""The command palette, fed from the action registry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.types import IgnoreReturnCallbackType
from textual.widgets import Input

from tui.actions import ACTIONS
from tui.keymap import shown


class Palette(CommandPalette):
    """Textual's palette with a cursor that does not blink: blinking is bytes on the wire."""

    def on_mount(self) -> None:
        """Stop the blinking."""
        self.query_one(Input).cursor_blink = False


class ActionCommands(Provider):
    """Every action that works here and now, with its key; then the themes by name."""

    async def discover(self) -> Hits:
        """All of them, in the registry's order, while nothing is typed."""
        for text, key, command in self._commands():
            yield DiscoveryHit(Content.assemble(text, (f"  {key}", "$accent")), command, text)

    async def search(self, query: str) -> Hits:
        """Those that match, best first."""
        matcher = self.matcher(query)
        for text, key, command in self._commands():
            if (score := matcher.match(text)) > 0:
                display = Content.assemble(matcher.highlight(text), (f"  {key}", "$accent"))
                yield Hit(score, display, command, text)

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        found: dict[str, tuple[str, Any]] = {}
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            if enabled and binding.id in ACTIONS:
                found.setdefault(binding.id, (shown(binding.key), node))
        order = sorted(
            (action for action in ACTIONS.values() if action.id in found and action.palette),
            key=lambda action: action.scope == "app",
        )
        for action in order:
            key, node = found[action.id]
            yield action.description, key, partial(self.app.run_action, action.name, node)
        for name in sorted(self.app.available_themes):
            yield f"Theme {name}", "", partial(self._theme, name)

    def _theme(self, name: str) -> None:
        self.app.theme = name
