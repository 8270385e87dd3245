"""Starting a worker that outlives the server, and telling later whether it is still alive."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

# A worker on another host cannot be looked up; while its status file is younger than this it lives.
_SILENCE_SECONDS = 120.0
_CLOCK_SLACK_SECONDS = 1.0
# Secrets that a worker has no use for.
_SECRET = re.compile(r"PAPERTUNE_ENGINE_TOKEN|.*(API_?KEY|SECRET|PASSWORD|PAPERTUNE_KEY).*")


def open_environment() -> dict[str, str]:
    """The environment without what looks like a secret."""
    return {name: value for name, value in os.environ.items() if not _SECRET.fullmatch(name)}


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    create_time: float
    host: str

    @staticmethod
    def of(pid: int) -> Identity | None:
        """The identity of a process of this host, or None when it has gone."""
        try:
            return Identity(pid, psutil.Process(pid).create_time(), socket.gethostname())
        except psutil.Error:
            return None

    @staticmethod
    def read(document: dict[str, Any]) -> Identity | None:
        """An identity from `worker.json`; None when it is unreadable."""
        try:
            pid, began = int(document["pid"]), float(document["create_time"])
            return Identity(pid, began, str(document["host"]))
        except (KeyError, TypeError, ValueError):
            return None


def launch(
    command: Sequence[str],
    folder: Path,
    log: Path,
    threads: int,
    more: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own: no terminal, no server and no hang-up ends it.

    `more` is added to its environment.
    """
    environment = open_environment()
    environment |= {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1", **more}
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, str(folder)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def alive(worker: Identity | None, folder: Path) -> bool:
    """Whether the worker of a job's folder is still running."""
    if worker is None:
        return False
    if worker.host != socket.gethostname():
        return heard_lately(folder)
    process = _process(worker, folder)
    return process is not None


def send(worker: Identity | None, folder: Path, number: signal.Signals) -> None:
    """Send a signal to a worker and to what it started, if it is still that worker."""
    process = _process(worker, folder) if worker is not None else None
    if process is None:
        return
    try:
        if os.getpgid(process.pid) == process.pid and number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except (ProcessLookupError, psutil.Error):
        return


def _process(worker: Identity, folder: Path) -> psutil.Process | None:
    if worker.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(worker.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if abs(process.create_time() - worker.create_time) <= _CLOCK_SLACK_SECONDS:
            return process
        # A clock that was set moves every start time; the job's folder on the command line stays.
        return process if str(folder) in process.cmdline() else None
    except psutil.Error:
        return None


def heard_lately(folder: Path) -> bool:
    """Whether the worker of a folder wrote its status within the last two minutes."""
    try:
        return time.time() - (folder / "status.json").stat().st_mtime < _SILENCE_SECONDS
    except OSError:
        return False


def find(folder: Path) -> Identity | None:
    """The worker of a folder among all processes: for a server killed before it could note it."""
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[-1] == str(folder):
            return Identity.of(process.pid)
    return None
