"""Walking the named paths: every regular file once, whatever else lies around."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tui.corpus.paths import stored
from tui.domain.errors import UsageError
from tui.text import visible


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file as the walk saw it, or a folder that could not be read (`error`)."""

    path: str
    size: int = 0
    mtime_ns: int = 0
    error: str = ""


def check(paths: Iterable[Path]) -> None:
    """Raises UsageError for a path that does not exist or is neither file nor folder."""
    for path in paths:
        try:
            mode = path.expanduser().stat().st_mode
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{visible(str(path))} cannot be read: "
                f"{getattr(error, 'strerror', None) or error}.",
                "Name a file or a folder that exists.",
            ) from error
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UsageError(
                f"{visible(str(path))} is neither a file nor a folder.",
                "Name a file or a folder of papers.",
            )


def walk(paths: Iterable[Path]) -> Iterator[Found]:
    """Every regular file under the paths in a stable order, hidden ones too, each once.

    Symbolic links are followed after everything else: a folder or file that was met already, by
    whatever name, is passed over, which ends loops. Pipes, sockets and devices are no regular
    files and are never opened. A folder that cannot be listed is reported.
    """
    folders: set[tuple[int, int]] = set()
    files: set[tuple[int, int]] = set()
    links: list[str] = []
    pending = [os.path.abspath(path.expanduser()) for path in reversed(list(paths))]  # noqa: PTH100
    named = set(pending)
    while pending or links:
        followed = not pending
        path = links.pop(0) if followed else pending.pop()
        if not followed and path not in named and os.path.islink(path):  # noqa: PTH114
            links.append(path)
            continue
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            if not os.path.islink(path):  # noqa: PTH114
                yield Found(stored(path), error=_words(error))
            continue
        key = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if key in folders:
                continue
            folders.add(key)
            try:
                names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208
            except OSError as error:
                yield Found(stored(path), error=_words(error))
                continue
            pending.extend(os.path.join(path, name) for name in names)  # noqa: PTH118
        elif stat.S_ISREG(status.st_mode):
            if (followed or path in named) and key in files:
                continue
            files.add(key)
            yield Found(stored(path), status.st_size, status.st_mtime_ns)


def _words(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"
