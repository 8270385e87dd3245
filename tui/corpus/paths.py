"""File names as text that a database can hold, whatever bytes they are made of."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

# No absolute path begins like this, so the two forms cannot be mistaken for one another.
_BYTES = "bytes:"


def stored(path: str | Path) -> str:
    """A path as text: itself, or percent-encoded after `bytes:` where it is not UTF-8."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _BYTES + quote_from_bytes(raw)


def real(text: str) -> str:
    """The path that `stored` was given, as `os` functions take it."""
    if text.startswith(_BYTES):
        return os.fsdecode(unquote_to_bytes(text.removeprefix(_BYTES)))
    return text
