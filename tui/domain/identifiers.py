"""Names and identifiers: short, readable, safe as file names."""

from __future__ import annotations

import re
import secrets
import time
import unicodedata

from tui.domain.errors import UsageError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


def slug(text: str, fallback: str = "untitled") -> str:
    """Lower-case ASCII letters, digits and hyphens; never empty."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-") or fallback


def dataset_name(text: str) -> str:
    """A dataset's name, which is also a folder's; raises UsageError when it cannot be one."""
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"'{text}' cannot be a dataset's name.",
            "Use lower-case letters, digits, dots, hyphens and underscores, at most 64.",
        )
    return text


def new_id(prefix: str) -> str:
    """A fresh identifier that sorts by time: `r-20261121-101500-3f9a`."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{prefix}-{stamp}-{secrets.token_hex(2)}"
