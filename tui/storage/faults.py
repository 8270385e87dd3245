"""What was not foreseen: a full disk and the like in a sentence, the rest in a log without values.

The app, the command line and the engine all end here, so a fault reads the same everywhere.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
import traceback
from pathlib import Path

from tui.domain.errors import ConflictError, PapertuneError
from tui.storage import atomic
from tui.storage.locations import state_dir
from tui.text import visible

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MAKE_ROOM = (
    "See which with: df -h; free some space there, or move the folder with -w or "
    "PAPERTUNE_DATA_DIR, then run the same again."
)


def fault_log() -> Path:
    """Where tracebacks of unforeseen faults are kept."""
    return state_dir() / "faults.log"


def log_fault(error: BaseException) -> Path:
    """Append a traceback to the log, without local variables, which may hold keys.

    Never raises: a full disk must not hide the fault itself.
    """
    path = fault_log()
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    entry = f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} pid {os.getpid()}\n" + "".join(lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, atomic.PRIVATE)
        with os.fdopen(descriptor, "wb") as log:
            log.write(entry.encode(errors="replace"))
    except OSError:
        pass
    return path


def explained(error: BaseException) -> PapertuneError:
    """The error as a person can act on it: the system's own refusals in words, ours as they are.

    Anything else is a fault of papertune; it is logged, and the sentence names the log.
    """
    if isinstance(error, PapertuneError):
        return error
    known = _system(error) if isinstance(error, OSError) else None
    if known is None and isinstance(error, sqlite3.Error):
        known = database_fault(error)
    if known is None and isinstance(error, MemoryError):
        known = PapertuneError("The memory of this machine is used up.", "Close something else.")
    if known is not None:
        return known
    path = log_fault(error)
    return PapertuneError(
        f"That failed because of a fault of papertune's own ({type(error).__name__}).",
        f"What was saved is safe; the details are in {path}",
    )


def _system(error: OSError) -> PapertuneError | None:
    """What the system refused, in words; None where not even a file is named."""
    name = _name(error.filename) if isinstance(error.filename, str | bytes) else ""
    if error.errno in _FULL:
        what = f"The disk of {name} is full." if name else "The disk is full."
        return PapertuneError(what, _MAKE_ROOM)
    if error.errno in _FORBIDDEN or name:
        why = (error.strerror or type(error).__name__).lower()
        return PapertuneError(
            f"{name or 'A file'} cannot be used: {why}.",
            f"Look at it, its owner and rights: ls -ld {name}" if name else "Check your rights.",
        )
    return None


def _name(filename: str | bytes) -> str:
    """The file a refusal is about; of one that we write for a moment only, its folder."""
    path = Path(os.fsdecode(filename))
    return visible(str(path.parent if path.suffix == ".tmp" else path))


def database_fault(error: sqlite3.Error) -> PapertuneError | None:
    """What SQLite says of a full, read-only or held disk, in words; None for anything else."""
    said = str(error)
    if "is full" in said:
        return PapertuneError(
            "The disk of the workspace is full; what was saved before is kept.", _MAKE_ROOM
        )
    if "readonly" in said:
        return PapertuneError(
            "This workspace can only be read; nothing was changed.",
            "Get the right to write there, or choose another workspace with -w.",
        )
    if "locked" in said or "busy" in said:
        return ConflictError(
            "Another program holds the database.", "Close it, or try again in a moment."
        )
    if "disk I/O error" in said:
        return PapertuneError(
            "The disk of the workspace cannot be read or written.",
            "Check that it is there and has room (df -h), then run the same again.",
        )
    if "malformed" in said or "not a database" in said:
        return PapertuneError(
            "The workspace's database is damaged.",
            "Move it away and restore a copy; the files in datasets/ and reviews/ are intact.",
        )
    return None
