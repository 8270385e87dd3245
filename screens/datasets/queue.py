"""The order in which examples are reviewed, fetched a few at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tui.domain.example import Example, Status
from tui.storage.atomic import write_json
from tui.storage.locations import state_dir

if TYPE_CHECKING:
    from tui.datasets import Datasets

_BATCH = 50
_PLACES_KEPT = 200


@dataclass
class ReviewQueue:
    """Examples one after the other: drafts only, or everything.

    Blocking: screens call it in a thread. A decision is on disk when `decide` returns, and only
    then does `current` change.
    """

    datasets: Datasets
    name: str
    everything: bool = False
    current: Example | None = None
    left: int = 0
    decided: int = 0
    _batch: list[Example] = field(default_factory=list)
    _passed: int = 0  # examples gone by that a new fetch would still return

    def start(self, passed: int = 0) -> None:
        """Fetch the first example, or the one where somebody stopped."""
        self._batch, self._passed = [], passed
        self._fill()
        if self.current is None and passed:
            self._passed = 0  # fewer are left than were passed over then: begin again
            self._fill()

    @property
    def passed(self) -> int:
        """How many examples were skipped, to come back to this place later."""
        return self._passed

    def decide(self, status: Status) -> None:
        """Accept or reject the current example, then go on."""
        if self.current is None:
            return
        self.datasets.decide(self.name, [self.current.id], status)
        self.decided += 1
        self._next(kept=self.everything or status is Status.DRAFT)

    def skip(self) -> None:
        """Leave the current example as it is and go on."""
        if self.current is not None:
            self._next(kept=True)

    def edit(self, question: str | None, answer: str | None, text: str | None) -> None:
        """Give the current example other words; it stays current."""
        if self.current is not None:
            changed = self.datasets.edit(
                self.name, self.current.id, question=question, answer=answer, text=text
            )
            self._batch[0] = self.current = changed

    def undo(self) -> None:
        """Take back the last decision and show its example; NotFoundError when there is none."""
        back = list(self.datasets.undo(self.name))
        self.decided = max(0, self.decided - 1)
        if self.everything and self._passed:
            self._passed -= 1
        self._batch = back + [e for e in self._batch if e.id not in {b.id for b in back}]
        self._show()

    def _next(self, *, kept: bool) -> None:
        self._batch = self._batch[1:]
        self._passed += kept
        self._fill()

    def _fill(self) -> None:
        if not self._batch:
            status = None if self.everything else Status.DRAFT
            self._batch = list(
                self.datasets.examples(self.name, status=status, limit=_BATCH, offset=self._passed)
            )
        self._show()

    def _show(self) -> None:
        self.current = self._batch[0] if self._batch else None
        status = None if self.everything else Status.DRAFT
        self.left = self.datasets.count(self.name, status=status)


def _key(workspace: Path, name: str) -> str:
    return hashlib.sha256(f"{workspace}\n{name}".encode()).hexdigest()[:16]


def _places() -> dict[str, int]:
    try:
        found = json.loads((state_dir() / "review-places.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # only a convenience: without it a review begins with the first draft
    return found if isinstance(found, dict) else {}


def recall_place(workspace: Path, name: str) -> int:
    """How many drafts this person had skipped when they left the review."""
    place = _places().get(_key(workspace, name), 0)
    return place if isinstance(place, int) else 0


def keep_place(workspace: Path, name: str, passed: int) -> None:
    """Remember how many drafts were skipped; a disk that is full only loses the place."""
    places = _places()
    places.pop(_key(workspace, name), None)
    if passed:
        places[_key(workspace, name)] = passed
    try:
        state_dir().mkdir(parents=True, exist_ok=True)
        kept = dict(list(places.items())[-_PLACES_KEPT:])
        write_json(state_dir() / "review-places.json", kept)
    except OSError:
        return
