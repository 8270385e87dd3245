"""One engine per home: the second says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import psutil

from tui.domain.errors import ConflictError
from tui.storage.filesystem import is_network
from tui.text import visible


class EngineLock:
    """An advisory lock that dies with its process, and a note of who holds it.

    The kernel releases the lock when the process ends, however it ends, so a lock that can be
    taken belongs to nobody alive on this host. On a network file system another host's lock may
    be invisible here: then the note decides, and only the holder's own host can prove it dead.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises ConflictError that names the holder."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            holder = _read(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise self._conflict(_read(descriptor)) from error
            if holder and not self._provably_dead(holder):
                raise self._conflict(holder)
            note = {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "create_time": psutil.Process().create_time(),
                "started_at": int(time.time()),
            }
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(note).encode(), 0)
            os.fsync(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the empty file stays, so that nobody locks a deleted one."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def _provably_dead(self, holder: dict[str, Any]) -> bool:
        if holder.get("host") != socket.gethostname():
            return not is_network(self.path)
        # Held by nobody on this host, or the flock above would have failed.
        return True

    def _conflict(self, holder: dict[str, Any]) -> ConflictError:
        started = holder.get("started_at")
        since = (
            time.strftime(" since %Y-%m-%d %H:%M", time.localtime(started))
            if isinstance(started, int)
            else ""
        )
        host = visible(str(holder.get("host", "this host")))
        who = f"process {holder.get('pid', '(unknown)')} on {host}{since}"
        if holder.get("host") not in (None, socket.gethostname()):
            remedy = f"Stop it on {host}; if that host is gone for good, delete {self.path}."
        else:
            remedy = "Use that one, or stop it with: papertune engine stop"
        return ConflictError(f"An engine already uses {self.path.parent}: {who}.", remedy)


def _read(descriptor: int) -> dict[str, Any]:
    try:
        value = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
