"""Datasets on their shelf: making, listing, looking into them."""

from __future__ import annotations

import builtins
import getpass
from collections.abc import Sequence
from pathlib import Path

from tui.datasets import frozen
from tui.datasets.library import Library
from tui.datasets.review import Reviews
from tui.datasets.store import Store
from tui.domain.example import DatasetSummary, Example, Kind, Role, Status
from tui.domain.identifiers import dataset_name
from tui.storage.workspace import Workspace
from tui.text import clean


class Shelf:
    """The datasets of one workspace; decisions are written in `person`'s name."""

    def __init__(self, workspace: Workspace, corpus: Library, person: str = "") -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._person = clean(person) or _login()
        self._store = Store(workspace)
        self._reviews = Reviews(workspace, self._person)

    @property
    def person(self) -> str:
        """In whose name decisions are written; it may change while papertune runs."""
        return self._person

    @person.setter
    def person(self, name: str) -> None:
        self._person = clean(name) or _login()
        self._reviews.person = self._person

    def create(self, name: str) -> DatasetSummary:
        """Start a dataset; raises ConflictError when one of that name exists."""
        self._store.create(name)
        return self.show(name)

    def list(self) -> list[DatasetSummary]:
        """Every dataset with its counts, by name."""
        self._reviews.merge()
        return [self._summary(name, created) for name, created in self._store.names()]

    def show(self, name: str) -> DatasetSummary:
        """One dataset with its counts; raises NotFoundError."""
        created = self._store.require(name)
        self._reviews.merge()
        return self._summary(name, created)

    def _summary(self, name: str, created: float) -> DatasetSummary:
        statuses = self._store.counts(name, "status")
        return DatasetSummary(
            name=name,
            examples=sum(statuses.values()),
            kinds=self._store.counts(name, "kind"),
            statuses=statuses,
            split=self._store.counts(name, "role"),
            papers=self._store.paper_count(name),
            versions=tuple(frozen.versions(self._folder(name))),
            created_at=created,
        )

    def remove(self, name: str) -> None:
        """Forget a dataset's examples; frozen versions stay, since models stand on them."""
        self._store.remove(name)

    def examples(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        status: Status | None = None,
        role: Role | None = None,
        paper: str | None = None,
        reason: str | None = None,
        author: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> builtins.list[Example]:
        """Examples that match, in the order in which they were added.

        `reason` is the whole reason of a decision, or a gate's name.
        """
        self._store.require(name)
        self._reviews.merge()
        return self._store.examples(
            name,
            kind=kind,
            status=status,
            role=role,
            paper=paper,
            reason=reason,
            author=author,
            limit=limit,
            offset=offset,
        )

    def count(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        status: Status | None = None,
        role: Role | None = None,
        paper: str | None = None,
        reason: str | None = None,
        author: str | None = None,
    ) -> int:
        """How many examples match."""
        self._store.require(name)
        self._reviews.merge()
        return self._store.count(
            name, kind=kind, status=status, role=role, paper=paper, reason=reason, author=author
        )

    def ids(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        status: Status | None = None,
        role: Role | None = None,
        paper: str | None = None,
        reason: str | None = None,
        author: str | None = None,
    ) -> builtins.list[str]:
        """The ids of the examples that `examples` would give, to be read a few at a time."""
        self._store.require(name)
        self._reviews.merge()
        return self._store.ids(
            name, kind=kind, status=status, role=role, paper=paper, reason=reason, author=author
        )

    def some(self, name: str, ids: Sequence[str]) -> builtins.list[Example]:
        """The examples of these ids, in their order; raises NotFoundError for one that is gone."""
        self._reviews.merge()
        return self._store.get(ids, name)

    def example(self, example_id: str) -> Example:
        """One example by its id or the beginning of it; raises NotFoundError."""
        self._reviews.merge()
        return self._store.get([example_id])[0]

    def papers_of(self, name: str) -> frozenset[str] | None:
        """The papers that a dataset's examples come from; None where there is no such dataset."""
        return self._store.papers_of(name)

    def _folder(self, name: str) -> Path:
        return self._workspace.datasets / dataset_name(name)


def _login() -> str:
    """The login name; containers may run as a user without one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "someone"
