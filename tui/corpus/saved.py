"""Searches that were given a name, kept in the workspace for everybody."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tui.domain.errors import NotFoundError, UsageError
from tui.storage.workspace import Workspace
from tui.text import visible

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A query with its name."""

    name: str
    query: str


class SavedSearches:
    """A workspace's saved searches."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def all(self) -> list[SavedSearch]:
        """All, by name."""
        rows = self._workspace.connection().execute(
            "SELECT name, query FROM saved_search ORDER BY name COLLATE NOCASE, name"
        )
        return [SavedSearch(row[0], row[1]) for row in rows]

    def get(self, name: str) -> SavedSearch:
        """One by its name. Raises NotFoundError."""
        row = (
            self._workspace.connection()
            .execute("SELECT name, query FROM saved_search WHERE name = ?", (_clean(name),))
            .fetchone()
        )
        if row is None:
            raise _unknown(name)
        return SavedSearch(row[0], row[1])

    def save(self, name: str, query: str) -> SavedSearch:
        """Keep a query under a name; a name that is taken gets the new query. Raises UsageError."""
        found = SavedSearch(_clean(name), visible(" ".join(query.split())))
        if not found.name or not found.query:
            raise UsageError(
                "A saved search needs a name and a query.",
                "For example: papertune corpus saved save recent year:2022..",
            )
        with self._workspace.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO saved_search VALUES (?,?,?)",
                (found.name, found.query, time.time()),
            )
        return found

    def forget(self, name: str) -> None:
        """Forget one. Raises NotFoundError."""
        with self._workspace.transaction() as db:
            done = db.execute("DELETE FROM saved_search WHERE name = ?", (_clean(name),)).rowcount
        if not done:
            raise _unknown(name)


def _clean(name: str) -> str:
    return visible(" ".join(name.split()))[:_LONGEST_NAME].strip()


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"There is no saved search '{visible(name)}'.", "See them with: papertune corpus saved"
    )
