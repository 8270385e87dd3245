"""What the system refuses the server, a full disk above all, as a sentence with the next step."""

from __future__ import annotations

import errno
import shutil
import sqlite3

from tui.domain.errors import PapertuneError
from tui.storage.faults import explained

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = ("no space left", "quota exceeded", "is full")


def disk_full(error: BaseException) -> bool:
    """Whether a disk or a quota is used up, in the words of the system, of shutil or of SQLite."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    if isinstance(error, shutil.Error | sqlite3.Error):
        return any(words in str(error).lower() for words in _FULL_WORDS)
    return error.__cause__ is not None and disk_full(error.__cause__)


def told(error: BaseException) -> PapertuneError:
    """The error as a person can act on it."""
    if disk_full(error):
        return PapertuneError(
            "The disk of the engine's files is full.",
            "Free some space there (papertune engine status shows where), then try again.",
        )
    return explained(error)
