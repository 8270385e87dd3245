"""Completing a path while it is typed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.suggester import Suggester

from tui.text import clean

_MOST = 2000  # entries looked at: a folder of a million files must not stop the typing


def typed_path(answer: str) -> Path:
    """The path that a person typed: blanks around it dropped, `~` their home."""
    return Path(answer.strip()).expanduser()


def missing_path(answer: str) -> str:
    """What is wrong with a typed path that has to exist; nothing when it does."""
    if not answer.strip():
        return "Type a path, or esc to go back."
    path = typed_path(answer)
    return "" if path.exists() else f"There is nothing at {path}."


class PathSuggester(Suggester):
    """Suggests the first entry that continues the path; looks at the disk in a thread."""

    def __init__(self, *, folders: bool = False) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._folders = folders

    async def get_suggestion(self, value: str) -> str | None:
        """The completed path, folders ending in a slash."""
        return await asyncio.to_thread(complete, value, folders=self._folders)


def complete(value: str, *, folders: bool = False) -> str | None:
    """The first entry, by name, that continues `value`; None when there is none to offer."""
    head, _, tail = value.rpartition("/")
    if not tail or value == "~":
        return None
    folder = Path(f"{head}/" if head or value.startswith("/") else ".").expanduser()
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST:
                    break
                if entry.name.startswith(tail) and entry.name == clean(entry.name):
                    is_folder = entry.is_dir()
                    if is_folder or not folders:
                        found.append(entry.name + ("/" if is_folder else ""))
    except OSError:
        return None
    return value[: len(value) - len(tail)] + min(found) if found else None
