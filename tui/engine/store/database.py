"""The engine's database: one connection, shared by the event loop and its worker threads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tui.engine.store.schema import MIGRATIONS
from tui.storage import sqlite


class Database:
    """Short reads and transactions under a lock.

    Statements take well under a millisecond and the engine's lock keeps other processes out, so
    calling this from the event loop does not hold it up.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite.connect(path, MIGRATIONS)
        self._lock = threading.RLock()

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
            return row

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; other threads wait."""
        with self._lock, sqlite.transaction(self._connection) as connection:
            yield connection

    def close(self) -> None:
        """Close the connection; the write-ahead log is folded in."""
        with self._lock:
            self._connection.close()
