"""What an action is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    `keys` is comma separated, the first one is shown. `label` is the footer's word, `description`
    the sentence of help and palette. `rank` orders the footer, 1 first; 0 keeps an action out of
    it. `call` is the textual action when it is not the id's own name. `hides` names actions of the
    enclosing screen whose key this one takes on purpose while its widget has the focus.
    """

    id: str
    keys: str
    label: str
    description: str
    rank: int = 0
    call: str = ""
    palette: bool = True
    hides: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """Where the action is alive."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """What textual runs: `corpus.add-folder` calls `action_add_folder`."""
        return self.call or self.id.partition(".")[2].replace("-", "_")
