"""Uploaded files: rows in the database, contents in `files/<id>`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tui.engine.home import EngineHome
from tui.engine.store.database import Database

_COLUMNS = (
    "id, filename, purpose, sample_type, mimetype, bytes, num_lines, sha256, visibility, "
    "created_at, expires_at"
)


_CURRENT = "(expires_at IS NULL OR expires_at > ?)"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One uploaded file; times are UNIX seconds."""

    id: str
    filename: str
    purpose: str
    sample_type: str
    mimetype: str
    bytes: int
    num_lines: int
    sha256: str
    visibility: str
    created_at: int
    expires_at: int | None = None

    def document(self) -> dict[str, Any]:
        """The file as the API gives it; `signature` is the content's SHA-256."""
        value = asdict(self)
        value["signature"] = value.pop("sha256")
        return {**value, "object": "file", "source": "upload"}


@dataclass(frozen=True, slots=True)
class FileFilter:
    """What a listing asks for; empty means anything."""

    sample_types: Sequence[str] = ()
    sources: Sequence[str] = ()
    mimetypes: Sequence[str] = ()
    purpose: str = ""
    search: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """The SQL condition and its values."""
        conditions, values = [_CURRENT], list[Any]([time.time()])
        for column, wanted in (
            ("sample_type", self.sample_types),
            ("'upload'", self.sources),
            ("mimetype", self.mimetypes),
        ):
            if wanted:
                conditions.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values += wanted
        if self.purpose:
            conditions.append("purpose = ?")
            values.append(self.purpose)
        if self.search:
            conditions.append("instr(lower(filename), lower(?)) > 0")
            values.append(self.search)
        return " AND ".join(conditions), values


class FileStore:
    """Adds, finds and deletes uploaded files."""

    def __init__(self, database: Database, home: EngineHome) -> None:
        self._database = database
        self._home = home

    def add(self, file: StoredFile) -> StoredFile:
        """Register a file, or give back the one with the same name, purpose and content."""
        with self._database.transaction() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM files WHERE sha256 = ? AND filename = ? AND purpose = ? "
                f"AND {_CURRENT}",
                (file.sha256, file.filename, file.purpose, time.time()),
            ).fetchone()
            if row is not None:
                return _file(row)
            values = asdict(file)
            connection.execute(
                f"INSERT INTO files ({_COLUMNS}) VALUES ({','.join('?' * len(values))})",
                [values[name.strip()] for name in _COLUMNS.split(",")],
            )
        return file

    def get(self, file_id: str) -> StoredFile | None:
        """One file, or None."""
        row = self._database.row(
            f"SELECT {_COLUMNS} FROM files WHERE id = ? AND {_CURRENT}", (file_id, time.time())
        )
        return None if row is None else _file(row)

    def page(self, wanted: FileFilter, page: int, size: int) -> tuple[list[StoredFile], int]:
        """One page, newest first, and how many there are in all."""
        where, values = wanted.where()
        count = self._database.row(f"SELECT count(*) FROM files WHERE {where}", values)
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM files WHERE {where} ORDER BY position DESC LIMIT ? OFFSET ?",
            [*values, size, page * size],
        )
        return [_file(row) for row in rows], int(count[0]) if count else 0

    def total_bytes(self) -> int:
        """What all current files take."""
        row = self._database.row(
            f"SELECT coalesce(sum(bytes), 0) FROM files WHERE {_CURRENT}", (time.time(),)
        )
        return int(row[0]) if row else 0

    def delete(self, file_id: str) -> bool:
        """Forget a file and its content; whether it existed."""
        with self._database.transaction() as connection:
            deleted = connection.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount
        if deleted:
            self._home.file(file_id).unlink(missing_ok=True)
        return bool(deleted)

    def sweep(self) -> None:
        """Delete what has expired, and contents without a row: uploads that a crash cut short."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM files WHERE expires_at <= ?", (time.time(),))
        known = {row["id"] for row in self._database.rows("SELECT id FROM files")}
        for path in self._home.files.iterdir():
            if path.is_file() and path.name not in known:
                path.unlink(missing_ok=True)


def _file(row: sqlite3.Row) -> StoredFile:
    return StoredFile(**dict(row))
