"""What a worker tells of itself in its job's folder, written so that a crash cannot garble it."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from tui.domain.job import JobStatus, LossPoint
from tui.engine.training.ranks import Ranks
from tui.storage import atomic

_STATUS_SECONDS = 1.0
_METRICS_SECONDS = 0.5


class Report:
    """Status, measured points and the wish to stop, as files of one job.

    Safe to use from several threads; after `close_with` nothing is written any more, so a thread
    that is stopped half-way cannot overwrite how the job ended. Of several `ranks` the first one
    writes; the others only look.
    """

    def __init__(self, folder: Path, ranks: Ranks = Ranks()) -> None:  # noqa: B008  it is frozen
        self.folder = folder
        self._ranks = ranks
        self._began = time.monotonic()
        self._before = _seconds(folder / "took.json")
        self._lock = threading.RLock()
        self._state: dict[str, Any] = {"status": JobStatus.RUNNING.value, "step": 0, "message": ""}
        self._written = 0.0
        self._pending: list[bytes] = []
        self._flushed = 0.0
        self._closed = False

    def announce(self) -> None:
        """Note which process works here, so that any server finds it again."""
        if not self._ranks.first:
            return
        process = psutil.Process()
        atomic.write_json(
            self.folder / "worker.json",
            {
                "pid": process.pid,
                "create_time": process.create_time(),
                "host": socket.gethostname(),
            },
        )

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self._ranks.first

    @property
    def asked_to_stop(self) -> bool:
        """Whether somebody left the cancel file."""
        return (self.folder / "cancel").exists()

    @property
    def asked_to_finish(self) -> bool:
        """Whether somebody wants the job to end here, with what it has."""
        return (self.folder / "finish").exists()

    @property
    def chosen(self) -> int | None:
        """The step whose checkpoint a person has chosen to keep."""
        try:
            return int(json.loads((self.folder / "keep.json").read_bytes())["step"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def say(self, message: str, **state: Any) -> None:
        """Tell at once what is being done."""
        self.update(message=message, **state)
        self._write(force=True)

    def update(self, **state: Any) -> None:
        """Change what the status tells; written at most once a second."""
        with self._lock:
            self._state |= state
        self._write(force=False)

    def point(self, point: LossPoint, accuracy: dict[str, float] | None = None) -> None:
        """Append a measured point; points that come fast are written together.

        A loss that is no number is left out, as JSON has none for it.
        """
        document = {name: value for name, value in asdict(point).items() if _told(value)}
        if accuracy:
            document["accuracy"] = accuracy
        line = json.dumps(document).encode() + b"\n"
        with self._lock:
            self._pending.append(line)
        if time.monotonic() - self._flushed >= _METRICS_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring the points to disk, whole lines only."""
        with self._lock:
            if self._closed or not self._pending:
                return
            if not self._ranks.first:
                self._pending.clear()
                return
            atomic.append(self.folder / "metrics.jsonl", b"".join(self._pending))
            self._pending.clear()
            self._flushed = time.monotonic()

    def close_with(self, status: JobStatus | None, message: str, **state: Any) -> bool:
        """Say how the job ended and write nothing after it; None leaves the status as it is.

        False when another thread has said so before. An error of the disk is raised only after
        the status has been tried.
        """
        with self._lock:
            if self._closed:
                return False
            try:
                self.flush()
            finally:
                self._state |= state | {"message": message}
                if status is not None:
                    self._state["status"] = status.value
                self._write(force=True)
                self._closed = True
            return True

    def _write(self, *, force: bool) -> None:
        with self._lock:
            if self._closed or not (force or time.monotonic() - self._written >= _STATUS_SECONDS):
                return
            if self._ranks.first:
                atomic.write_json(self.folder / "status.json", self._state | {"at": time.time()})
                took = (time.monotonic() - self._began) * self._ranks.size
                atomic.write_json(
                    self.folder / "took.json", {"device_seconds": round(self._before + took, 2)}
                )
            self._written = time.monotonic()


def _seconds(path: Path) -> float:
    """Device seconds that workers of this job took before."""
    try:
        return float(json.loads(path.read_bytes())["device_seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _told(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value)
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))
