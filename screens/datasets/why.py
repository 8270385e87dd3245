"""The optional reason of a rejection: one more key, which the status line tells."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message
from textual.widget import Widget

from tui.actions import ACTIONS
from tui.keymap import bindings

REASONS = {
    "wrong": "wrong",
    "unsupported": "unsupported",
    "duplicate": "duplicate",
    "style": "style",
    "none": "",
}
"""The reason that each action of the scope `why` gives."""


class Why(Widget, can_focus=True):
    """Has the focus while a rejection may be given its reason; other keys are the screen's.

    So whoever gives no reasons types on: the next decision's key rejects without one.
    """

    BINDINGS = bindings("why")
    DEFAULT_CSS = "Why { height: 0; }"

    @dataclass
    class Given(Message):
        """A reason, empty for none; None when nothing is to be rejected."""

        reason: str | None

    def words(self, what: str = "") -> str:
        """What is asked of whom, with the keys that answer; one line of 80 columns."""
        keys = [
            f"{self.app.key_for(f'why.{name}')} {ACTIONS[f'why.{name}'].label.lower()}"  # type: ignore[attr-defined]
            for name in (*REASONS, "keep")
        ]
        return f"Why{what}? {', '.join(keys)}"

    def action_wrong(self) -> None:
        """The answer is wrong."""
        self._give("wrong")

    def action_unsupported(self) -> None:
        """The passage does not say so."""
        self._give("unsupported")

    def action_duplicate(self) -> None:
        """It is there already."""
        self._give("duplicate")

    def action_style(self) -> None:
        """It is badly put."""
        self._give("style")

    def action_none(self) -> None:
        """No reason."""
        self._give("none")

    def action_keep(self) -> None:
        """Do not reject."""
        self.post_message(self.Given(None))

    def _give(self, name: str) -> None:
        self.post_message(self.Given(REASONS[name]))
