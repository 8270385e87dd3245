"""Writing whole files and appending lines so that a crash leaves the old or the new, never half."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

PRIVATE = 0o600


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, and only then.

    Written beside it, synced and renamed; an error in the block leaves `path` as it was. Without
    `mode` the file follows the user's umask, so team folders work; credentials pass `PRIVATE`,
    which is set before the first byte is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(temporary, flags, 0o666 if mode is None else mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_bytes(path: Path, data: bytes, mode: int | None = None) -> None:
    """Replace `path` by `data` through a temporary file, fsync and rename; see `replacing`."""
    with replacing(path, mode) as file:
        file.write(data)


def write_text(path: Path, text: str, mode: int | None = None) -> None:
    """Replace `path` by `text` in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode(), mode)


def write_json(path: Path, value: Any, mode: int | None = None) -> None:
    """Replace `path` by an indented JSON document; see `write_bytes`."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n", mode)


def append_line(path: Path, value: Any, mode: int | None = None) -> None:
    """Append one JSON line and fsync it; see `append`."""
    append(path, json.dumps(value, ensure_ascii=False).encode() + b"\n", mode)


def append(path: Path, lines: bytes, mode: int | None = None) -> None:
    """Append whole lines and fsync them; a torn last line of an earlier crash is closed first.

    All of them or none: what a full disk took of them is cut off again before the OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(
        path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666 if mode is None else mode
    )
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                lines = b"\n" + lines
        left = memoryview(lines)
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            written = len(lines) - len(left)
            if file.seek(0, os.SEEK_END) == size + written:  # nobody has appended since
                file.truncate(size)
            raise
    if not size:
        sync_directory(path.parent)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a JSON Lines file, in order; unreadable lines are passed over.

    A crash can tear the last line only, and what is appended after it starts on a line of its own.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            try:
                value = json.loads(raw)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def sync_directory(path: Path) -> None:
    """Make a rename in `path` durable, where the file system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems cannot sync a directory; the rename itself stands
    finally:
        os.close(descriptor)
