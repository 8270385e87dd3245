"""A job's folder: what server and worker tell each other, readable by a person."""

from __future__ import annotations

import contextlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tui.engine.supervisor import process
from tui.engine.supervisor.process import Identity
from tui.storage import atomic
from tui.text import clean

_LOG_TAIL_BYTES = 16 * 1024


class JobFolder:
    """Reads and writes one folder; reading never raises over what a crash left half-written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._points: dict[int, dict[str, Any]] = {}
        self._offset = 0

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.path / "log.txt"

    @property
    def adapter(self) -> Path:
        """The result of a finished job."""
        return self.path / "adapter"

    def write_spec(self, spec: dict[str, Any]) -> None:
        """Tell the worker what to do; written once, before it starts."""
        self.path.mkdir(parents=True, exist_ok=True)
        atomic.write_json(self.path / "spec.json", spec)

    def spec(self) -> dict[str, Any]:
        """What the worker was told to do."""
        return _read(self.path / "spec.json")

    def status(self) -> dict[str, Any]:
        """What the worker says of itself."""
        return _read(self.path / "status.json")

    def heard_lately(self) -> bool:
        """Whether the worker wrote its status within the last two minutes."""
        return process.heard_lately(self.path)

    def worker(self) -> Identity | None:
        """Which process works here."""
        return Identity.read(_read(self.path / "worker.json"))

    def write_worker(self, worker: Identity) -> None:
        """Note which process works here, so that any later server finds it."""
        atomic.write_json(self.path / "worker.json", asdict(worker))

    def forget_worker(self) -> None:
        """Before a relaunch: what the last worker said of itself no longer counts."""
        for name in ("worker.json", "status.json"):
            (self.path / name).unlink(missing_ok=True)

    def device_seconds(self) -> float | None:
        """Seconds that workers had their devices, each device counted; None: nobody told."""
        seconds = _read(self.path / "took.json").get("device_seconds")
        return float(seconds) if isinstance(seconds, int | float) else None

    def launched(self) -> dict[str, Any]:
        """Who started the last worker, when, on what; empty before the first start."""
        return _read(self.path / "launch.json")

    def write_launch(self, document: dict[str, Any]) -> None:
        """Note a start before it is done, so that it is never done twice."""
        atomic.write_json(self.path / "launch.json", document)

    def ask_to_stop(self) -> None:
        """Leave the cancel file; where a full disk has no room for it, signals have to do."""
        with contextlib.suppress(OSError):
            (self.path / "cancel").touch()

    @property
    def asked_to_stop(self) -> bool:
        """Whether the cancel file is there."""
        return (self.path / "cancel").exists()

    def log_tail(self, lines: int = 20) -> list[str]:
        """The last lines of the log, made safe to show."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LOG_TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        # Progress bars rewrite their line: only what stood there last counts.
        shown = (clean(line.rstrip("\r").rpartition("\r")[2]).rstrip() for line in text.split("\n"))
        return [line[:500] for line in shown if line][-lines:]

    def points(self, after: int = -1) -> list[dict[str, Any]]:
        """Measured points by step, those beyond `after`; after a resume the later lines win.

        Only what was appended since the last call is read.
        """
        path = self.path / "metrics.jsonl"
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if self._seen != (stat.st_dev, stat.st_ino) or stat.st_size < self._offset:
                    self._seen = (stat.st_dev, stat.st_ino)
                    self._points, self._offset = {}, 0
                if stat.st_size > self._offset:
                    file.seek(self._offset)
                    complete = file.read().rpartition(b"\n")[0]
                    self._offset += len(complete) + 1 if complete else 0
                    self._take(complete)
        except OSError:
            return []
        return [self._points[step] for step in sorted(self._points) if step > after]

    def _take(self, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            try:
                point = json.loads(line)
                step = int(point["step"])
            except (ValueError, KeyError, TypeError):
                continue
            self._points[step] = self._points.get(step, {}) | _finite(point)


def _finite(value: Any) -> Any:
    """JSON knows no NaN; a loss that is none was not measured."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return _finite(value) if isinstance(value, dict) else {}
