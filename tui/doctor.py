"""What works on this machine, what does not, and how to mend it; nothing is changed by looking."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tui.domain.errors import PapertuneError
from tui.storage.filesystem import file_system, is_network
from tui.storage.locations import config_dir, data_dir, state_dir

if TYPE_CHECKING:
    from tui.services import Services

_DISK_NEEDED = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` says what to do where `ok` is false.

    What is `optional` is worth knowing but keeps nothing of the main job from working.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    optional: bool = False


def examine(open_services: Callable[[], Services]) -> Iterator[Finding]:
    """Look at everything the main job stands on, one finding after the other."""
    yield _python()
    yield _trainer()
    for name, folder in (("settings", config_dir()), ("data", data_dir()), ("state", state_dir())):
        yield _writable(name, folder)
    yield _disk()
    yield _terminal()
    yield _clipboard()
    yield from _with_services(open_services)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, version, "" if ok else "Install Python 3.11 or newer.")


def _trainer() -> Finding:
    missing = [
        name for name in ("torch", "transformers", "peft", "accelerate", "gguf")
        if importlib.util.find_spec(name) is None
    ]  # fmt: skip
    if missing:
        return Finding(
            "trainer",
            False,
            f"missing: {', '.join(missing)}; chat works, training does not",
            "pip install 'papertune[train]'",
            optional=True,
        )
    return Finding("trainer", True, f"torch {importlib.metadata.version('torch')}")


def _writable(name: str, folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        variable = f"PAPERTUNE_{'CONFIG' if name == 'settings' else name.upper()}_DIR"
        return Finding(
            name, False, f"{folder} cannot be written", f"Set {variable} to a folder of yours."
        )
    kind = file_system(existing)
    where = f" on {kind}, a network file system" if is_network(existing) else ""
    return Finding(name, True, f"{folder}{where}")


def _disk() -> Finding:
    existing = next(p for p in (data_dir(), *data_dir().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    ok = free >= _DISK_NEEDED
    detail = f"{free / 1024**3:.1f} GB free"
    return Finding("disk", ok, detail, "" if ok else "Free 2 GB, or move PAPERTUNE_DATA_DIR.")


def _terminal() -> Finding:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Finding("terminal", True, "none here; commands work, the app needs one")
    term = os.environ.get("TERM", "")
    ok = term not in ("", "dumb")
    size = shutil.get_terminal_size()
    remedy = "" if ok else "Set TERM, e.g. TERM=xterm-256color."
    return Finding("terminal", ok, f"{term or 'unknown'}, {size.columns}×{size.lines}", remedy)


def _clipboard() -> Finding:
    inside = bool(os.environ.get("TMUX"))
    way = "tmux's buffer" if inside and shutil.which("tmux") else "OSC 52, if the terminal takes it"
    return Finding("clipboard", True, f"copies through {way}", optional=True)


def _with_services(open_services: Callable[[], Services]) -> Iterator[Finding]:
    try:
        services = open_services()
    except PapertuneError as error:
        yield Finding("workspace", False, error.message, error.remedy)
        return
    totals = services.corpus.totals()
    root = services.workspace.root
    yield Finding("workspace", True, f"{root}: {totals.papers} papers, {totals.passages} passages")
    status = asyncio.run(services.engine.status())
    yield Finding(
        "engine",
        status.running,
        f"running at {status.url} on {status.device}" if status.running else "not running",
        "" if status.running else "papertune engine start",
        optional=True,
    )
    where = services.credentials.where("mistral")
    yield Finding(
        "hosted Mistral",
        where is not None,
        f"key from the {where}" if where else "no key; the local engine needs none",
        "" if where else "Set MISTRAL_API_KEY, or enter a key in the app's Settings.",
        optional=True,
    )
