"""Opening a SQLite database the safe way, with numbered migrations."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tui.domain.errors import ConflictError, PapertuneError
from tui.storage.faults import database_fault
from tui.storage.filesystem import is_network

BUSY_SECONDS = 10.0


def connect(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open `path`, creating and migrating it as needed; `migrations[i]` leads to version i + 1.

    The connection is in autocommit mode: every write stands in `transaction`. Raises
    PapertuneError when the file was written by a newer papertune, is damaged or cannot be opened;
    the file is left as it was. What may not be written is opened for reading.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PapertuneError(
            f"The folder {path.parent} cannot be made: {error.strerror}.",
            "Name another one, or make it yourself.",
        ) from error
    try:
        writable = not path.is_file() or (
            os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        )
        connection = _opened(path, writable)
        _migrate(connection, path, migrations)
        if writable and is_network(path):
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
        elif writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.OperationalError as error:
        raise database_fault(error) or PapertuneError(
            f"{path} cannot be opened: {error}.", "Check that the folder exists and can be written."
        ) from error
    except sqlite3.DatabaseError as error:
        raise PapertuneError(
            f"{path} is damaged or no database: {error}.",
            "Move it away and restore a copy; the files in datasets/ and reviews/ are intact.",
        ) from error
    return connection


def _opened(path: Path, writable: bool) -> sqlite3.Connection:
    """A connection; a file or folder that may not be written is opened for reading only.

    The log of a writer of ours lies beside the file and is read, too. Without one, nothing but
    `immutable` opens a WAL database in a folder where no log can be made.
    """
    mode = "rwc"
    if not writable:
        log = path.with_name(path.name + "-wal")
        mode = "ro" if log.exists() else "ro&immutable=1"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        connection.close()
        raise PapertuneError(
            f"{path} was written by a newer papertune (schema {version}, this one knows "
            f"{len(migrations)}).",
            "Upgrade papertune, or choose another workspace with -w.",
        )
    while version < len(migrations):
        with transaction(connection):
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version >= len(migrations):
                return
            for statement in statements(migrations[version]):
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")


def statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would commit behind the transaction's back."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One short write transaction: all of it or nothing; waits for other writers.

    Raises ConflictError when another process holds the database longer than `BUSY_SECONDS`.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise ConflictError(
                "Another program holds the database.", "Close it, or try again in a moment."
            ) from error
        raise
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
