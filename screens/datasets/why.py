"""The optional reason of a rejection: one more key, which the status line tells."""

from __future__ import annotations

from screens.base import BaseScreen
from tui.actions import ACTIONS

REASONS = {
    "wrong": "wrong",
    "unsupported": "unsupported",
    "duplicate": "duplicate",
    "style": "style",
    "none": "",
}
"""The reason that each action of the scope `why` gives."""

# Actions of the screens themselves whose keys are reasons, or take the question back, meanwhile.
_GIVE_WAY = frozenset({"undo", "skip", "back"})


class AsksWhy(BaseScreen[None]):
    """A screen on which a rejection may be followed by a reason's key; any other key goes on.

    So whoever gives no reasons types on: the next decision's key rejects without one. The focus
    stays where it is, since moving it repaints a screenful. Its `BINDINGS` are its own scope's,
    then those of `why`.
    """

    asking = False

    def ask_why(self, what: str = "") -> None:
        """Say which keys give which reason, in one line of 80 columns."""
        self.asking = True
        keys = [
            f"{self.app.key_for(f'why.{name}')} {ACTIONS[f'why.{name}'].label.lower()}"
            for name in (*REASONS, "keep")
        ]
        self.say(f"Why{what}? {', '.join(keys)}")

    async def answered(self, reason: str | None) -> None:
        """A reason was given, empty for none; None when nothing is to be rejected."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Reasons are there while one is asked for."""
        if action in REASONS or action == "keep":
            return self.asking
        return not self.asking if action in _GIVE_WAY else True

    async def action_wrong(self) -> None:
        """The answer is wrong."""
        await self.answered(REASONS["wrong"])

    async def action_unsupported(self) -> None:
        """The passage does not say so."""
        await self.answered(REASONS["unsupported"])

    async def action_duplicate(self) -> None:
        """It is there already."""
        await self.answered(REASONS["duplicate"])

    async def action_style(self) -> None:
        """It is badly put."""
        await self.answered(REASONS["style"])

    async def action_none(self) -> None:
        """No reason."""
        await self.answered(REASONS["none"])

    async def action_keep(self) -> None:
        """Do not reject."""
        await self.answered(None)
