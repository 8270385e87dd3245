"""Where a question is typed: one key sends, a line break needs a key of its own."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from tui.keymap import bindings


class Composer(TextArea):
    """A small text area of at most six rows; what is typed stays until it was sent."""

    BINDINGS = bindings("composer")
    DEFAULT_CSS = """
    Composer, Composer:focus {
        height: auto;
        max-height: 6;
        min-height: 1;
        border: none;
        padding: 0 1;
        background: $surface;
        scrollbar-size-vertical: 1;
    }
    Composer:focus { background: $panel; }
    """

    @dataclass
    class Submitted(Message):
        """A question was sent."""

        text: str

    @dataclass
    class Left(Message):
        """The person wants to leave the composer, for the keys of the screen."""

    def __init__(self, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            compact=True,
            highlight_cursor_line=False,
            placeholder=placeholder,
        )
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        """Leave our own keys to their bindings; a text area would insert or swallow them."""
        own = self.screen.active_bindings.get(event.key)
        if own is not None and own.node is self and (own.binding.id or "").startswith("composer."):
            event.prevent_default()

    def action_send(self) -> None:
        """Hand the question over; nothing happens while there is none."""
        if text := self.text.strip():
            self.post_message(self.Submitted(text))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_leave(self) -> None:
        """Give the focus back."""
        self.post_message(self.Left())
