"""The order in which examples are reviewed: ids first, the examples a few at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Kind, Role, Status
from tui.storage.atomic import write_json
from tui.storage.locations import state_dir

if TYPE_CHECKING:
    from tui.datasets import Datasets

_BATCH = 20
_PLACES_KEPT = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Which examples are looked at; an empty value leaves all through."""

    status: str = Status.DRAFT.value
    kind: str = ""
    role: str = ""
    paper: str = ""
    reason: str = ""
    author: str = ""

    def ids(self, datasets: Datasets, name: str) -> list[str]:
        """The examples that pass, in their order."""
        return datasets.ids(
            name,
            status=Status(self.status) if self.status else None,
            kind=Kind(self.kind) if self.kind else None,
            role=Role(self.role) if self.role else None,
            paper=self.paper or None,
            reason=self.reason or None,
            author=self.author or None,
        )

    @property
    def words(self) -> str:
        """What passes, as a person reads it."""
        given = [value for value in asdict(self).values() if value]
        return ", ".join(given) if given else "all"

    def changed(self, facet: str, value: str) -> Filter:
        """The filter with another value; one for a reason lets decided examples through."""
        found = replace(self, **{facet: value})
        if facet == "reason" and value and found.status == Status.DRAFT:
            found = replace(found, status="")
        return found


EVERYTHING = Filter(status="")


@dataclass
class ReviewQueue:
    """Examples one after the other: those that pass a filter, or a list of ids.

    Blocking: screens call it in a thread. A decision is on disk when `decide` returns, and only
    then does `current` change. `decided` counts this session's decisions.
    """

    datasets: Datasets
    name: str
    filter: Filter = field(default_factory=Filter)
    only: Sequence[str] | None = None
    current: Example | None = None
    decided: int = 0
    _ids: list[str] = field(default_factory=list)
    _at: int = 0
    _done: set[str] = field(default_factory=set)
    _near: dict[str, Example] = field(default_factory=dict)

    def start(self, at: str = "", place: int = 0) -> None:
        """Fetch the order and go to the example `at`, else to the `place`, else to the first."""
        if self.only is None:
            self._ids = self.filter.ids(self.datasets, self.name)
        else:
            self._ids = list(self.only)
        self._done, self._near = set(), {}
        if at and at in self._ids:
            place = self._ids.index(at)
        self._at = place if 0 <= place < len(self._ids) else 0
        self._show()

    @property
    def left(self) -> int:
        """How many wait for a decision, this one included."""
        return len(self._ids) - len(self._done)

    @property
    def position(self) -> int:
        """The place in the order, from 0."""
        return self._at

    def decide(self, status: Status, reason: str = "") -> None:
        """Accept or reject the current example, then go on."""
        if self.current is None:
            return
        self.datasets.decide(self.name, [self.current.id], status, reason=reason)
        self._decided()

    def repeat(self) -> None:
        """Decide as this person did last, then go on; after a note the example stays."""
        if self.current is None:
            return
        last = self.datasets.last_decision(self.name)
        changed = self.datasets.repeat(self.name, [self.current.id])
        if last is not None and last.status is None:
            self._take(changed[0])
        else:
            self._decided()

    def note(self, text: str) -> None:
        """Write a note on the current example; it stays current."""
        if self.current is not None:
            self._take(self.datasets.note(self.name, [self.current.id], text)[0])

    def edit(self, question: str | None, answer: str | None, text: str | None) -> None:
        """Give the current example other words; it stays current."""
        if self.current is not None:
            self._take(
                self.datasets.edit(
                    self.name, self.current.id, question=question, answer=answer, text=text
                )
            )

    def skip(self) -> None:
        """Leave the current example as it is and go on; behind the last one, begin again."""
        if self.current is not None:
            self._at += 1
        elif self.left:
            self._at = 0
        self._show()

    def back(self) -> None:
        """Show the example before this one, decided or not."""
        self._at = max(0, self._at - 1)
        self._show(passing=False)

    def undo(self) -> None:
        """Take back the last decision and show its example; NotFoundError when there is none."""
        back = self.datasets.undo(self.name)
        self.decided = max(0, self.decided - 1)
        for example in back:
            self._done.discard(example.id)
            self._near[example.id] = example
        if back:
            first = back[0].id
            if first not in self._ids:
                self._ids.insert(self._at, first)
            self._at = self._ids.index(first)
        self._show(passing=False)

    def _take(self, changed: Example) -> None:
        self._near[changed.id] = self.current = changed

    def _decided(self) -> None:
        self.decided += 1
        if self.current is not None:
            self._done.add(self.current.id)
            self._near.pop(self.current.id, None)
        self._at += 1
        self._show()

    def _show(self, *, passing: bool = True) -> None:
        """Make the example of this place current, or the next one that waits."""
        while passing and self._at < len(self._ids) and self._ids[self._at] in self._done:
            self._at += 1
        if self._at >= len(self._ids):
            self.current = None
            return
        wanted = self._ids[self._at]
        if wanted not in self._near:
            self._near = {e.id: e for e in self._fetch(self._ids[self._at : self._at + _BATCH])}
        if wanted in self._near:
            self.current = self._near[wanted]
            return
        self._ids.pop(self._at)  # it left the dataset meanwhile
        self._show()

    def _fetch(self, ids: Sequence[str]) -> list[Example]:
        try:
            return list(self.datasets.some(self.name, ids))
        except NotFoundError:
            found = []
            for example in ids:
                try:
                    found += self.datasets.some(self.name, [example])
                except NotFoundError:
                    continue
            return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody was in a review: the filter, the example, and how far that was."""

    filter: Filter = field(default_factory=Filter)
    example: str = ""
    position: int = 0


def _key(workspace: Path, name: str) -> str:
    return hashlib.sha256(f"{workspace}\n{name}".encode()).hexdigest()[:16]


def _places() -> dict[str, object]:
    try:
        found = json.loads((state_dir() / "review-places.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # only a convenience: without it a review begins with the first draft
    return found if isinstance(found, dict) else {}


def recall_place(workspace: Path, name: str) -> Place:
    """Where this person was when they left the review; the first draft where that is not known."""
    kept = _places().get(_key(workspace, name))
    if not isinstance(kept, dict):
        return Place()
    position, example = kept.get("position"), kept.get("example")
    return Place(
        _filter(kept.get("filter")),
        example if isinstance(example, str) else "",
        position if isinstance(position, int) else 0,
    )


def _filter(kept: object) -> Filter:
    if not isinstance(kept, Mapping):
        return Filter()
    known = asdict(Filter())
    given = {k: v for k, v in kept.items() if k in known and isinstance(v, str)}
    try:
        found = Filter(**given)
        for kind, value in ((Status, found.status), (Kind, found.kind), (Role, found.role)):
            if value:
                kind(value)
    except ValueError:
        return Filter()
    return found


def keep_place(workspace: Path, name: str, place: Place) -> None:
    """Remember where this person is; a disk that is full only loses the place."""
    places = _places()
    places.pop(_key(workspace, name), None)
    if place != Place():
        places[_key(workspace, name)] = asdict(place)
    try:
        state_dir().mkdir(parents=True, exist_ok=True)
        kept = dict(list(places.items())[-_PLACES_KEPT:])
        write_json(state_dir() / "review-places.json", kept)
    except OSError:
        return
