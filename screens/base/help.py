"""Contextual help: what each key does here, from the registry and the keys in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.actions import ACTIONS, SCOPES
from tui.keymap import bindings, shown


@dataclass(frozen=True, slots=True)
class HelpSection:
    """A heading and its lines of (keys, what they do)."""

    title: str
    lines: tuple[tuple[str, str], ...]


def sections(screen: Screen[Any]) -> list[HelpSection]:
    """What the keys do on `screen` with the focus where it is: nearest scope first."""
    keys: dict[str, list[str]] = {}
    for _, binding, enabled, _ in screen.active_bindings.values():
        if enabled and binding.id in ACTIONS:
            keys.setdefault(binding.id, []).append(shown(binding.key))
    found: dict[str, list[tuple[str, str]]] = {}
    for action in ACTIONS.values():
        if action.id in keys:
            line = (" ".join(keys[action.id]), action.description)
            found.setdefault(action.scope, []).append(line)
    order = sorted(found, key=lambda scope: (scope == "app", scope in {"list", "reader"}))
    return [HelpSection(SCOPES[scope], tuple(found[scope])) for scope in order]


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """The keys of the screen beneath, drawn from values."""

    BINDINGS = bindings("help")
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, content: list[HelpSection], about: str = "") -> None:
        super().__init__()
        self._content = content
        self._about = about

    def compose(self) -> ComposeResult:
        """One scrolling column; keys aligned over all sections."""
        width = max(
            (cell_len(keys) for section in self._content for keys, _ in section.lines), default=0
        )
        parts: list[Content | str | tuple[str, str]] = []
        if self._about:
            parts += [self._about, "\n\n"]
        for section in self._content:
            parts += [(section.title, "bold $primary"), "\n"]
            for keys, text in section.lines:
                pad = " " * (width - cell_len(keys))
                parts += [(f"  {keys}{pad}", "$accent"), f"  {text}\n"]
            parts.append("\n")
        parts.append(("Change any key in keymap.toml: ", "$muted"))
        parts.append(('"corpus.add" = "A"', "$muted"))
        with VerticalScroll(id="help") as scroll:
            scroll.border_title = Content("Keys here")
            scroll.border_subtitle = Content("esc closes")
            yield Static(Content.assemble(*parts))

    def action_close(self) -> None:
        """Back to the screen beneath."""
        self.dismiss()

    def action_down(self) -> None:
        """One line down."""
        self.query_one("#help").scroll_down()

    def action_up(self) -> None:
        """One line up."""
        self.query_one("#help").scroll_up()

    def action_page_down(self) -> None:
        """One page down."""
        self.query_one("#help").scroll_page_down()

    def action_page_up(self) -> None:
        """One page up."""
        self.query_one("#help").scroll_page_up()
