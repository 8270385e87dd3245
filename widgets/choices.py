"""A few large choices, each with its key, title and explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.keymap import bindings


class Choices(OptionList, inherit_bindings=False):
    """An option list of at most a handful: the list's keys, our own look."""

    BINDINGS = bindings("menu")
    DEFAULT_CSS = """
    Choices, Choices:focus {
        border: none;
        padding: 0;
        background: $background;
        background-tint: transparent;
        height: auto;
        max-height: 100%;
        scrollbar-size-vertical: 1;
    }
    Choices > .option-list--option { padding: 0 1; background: $background; }
    Choices > .option-list--option-highlighted {
        background: $cursor-blurred;
        color: $foreground;
        text-style: none;
    }
    Choices:focus > .option-list--option-highlighted {
        background: $cursor;
        color: $cursor-text;
        text-style: none;
    }
    """

    @dataclass
    class Chosen(Message):
        """A choice was taken, by its key."""

        key: str

    def __init__(self, choices: Sequence[tuple[str, str, str, str]]) -> None:
        """`choices` are (name, key shown, title, explanation)."""
        self._names = [name for name, *_ in choices]
        super().__init__(
            *(
                Option(
                    Content.assemble(
                        "\n", (f"{key}  ", "bold $accent"), (title, "bold"), f"\n   {text}\n"
                    )
                )
                for _, key, title, text in choices
            )
        )

    def on_mount(self) -> None:
        """Start on the first."""
        self.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Say what was taken."""
        event.stop()
        self.post_message(self.Chosen(self._names[event.option_index]))
