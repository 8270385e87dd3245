"""Handing text to the user's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from tui.domain.errors import MissingError, PapertuneError


def command() -> list[str]:
    """The editor's command line: $VISUAL, $EDITOR, else vi or nano.

    Raises MissingError when there is none.
    """
    for variable in ("VISUAL", "EDITOR"):
        if words := shlex.split(os.environ.get(variable, "")):
            return words
    for name in ("vi", "nano"):
        if path := shutil.which(name):
            return [path]
    raise MissingError("No editor was found.", "Set EDITOR, e.g. export EDITOR=nano")


def edit(text: str, *, suffix: str = ".md") -> str:
    """Open `text` in the editor and return what was saved; the terminal must be free.

    The temporary file is readable by its owner only and is removed afterwards. Raises
    PapertuneError when the editor fails, so that half an edit is never taken for a whole one.
    """
    words = command()
    with tempfile.TemporaryDirectory(prefix="papertune-") as folder:
        path = Path(folder) / f"text{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run([*words, str(path)], check=False)
        except OSError as error:
            raise PapertuneError(f"{words[0]} cannot be started: {error.strerror}.") from error
        if done.returncode:
            raise PapertuneError(f"{words[0]} ended with code {done.returncode}; nothing changed.")
        return path.read_text(encoding="utf-8", errors="replace")
