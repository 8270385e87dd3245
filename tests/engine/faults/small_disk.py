"""A real file system with little room: a tmpfs that only the engine and its children see."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import stop_workers
from tests.engine.server.engine_process import Engine
from tui.engine.home import EngineHome

SIZE = 3 * 1024 * 1024
STAND_IN = (sys.executable, str(Path(doubles.__file__)))
_MOUNT = 'mount -t tmpfs -o size="$1",mode=700 small "$2" && shift 2 && exec "$@"'


def require_namespaces() -> None:
    """Skip where a mount of one's own is not allowed."""
    command = ["unshare", "-Urm", "mount", "-t", "tmpfs", "small", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("no mount namespaces of one's own here")


class SmallDisk:
    """An engine whose data lie on a disk of `SIZE` bytes; its log and state lie elsewhere."""

    def __init__(self, base: Path, serve: Sequence[str] = STAND_IN) -> None:
        require_namespaces()
        data = base / "data"
        data.mkdir(parents=True)
        inside = ["sh", "-c", _MOUNT, "sh", str(SIZE), str(data), *serve]
        self.engine = Engine(base, ["unshare", "-Urm", "--", *inside])
        state = self.engine.start()
        # What the engine's process sees at a path of its own, seen from here.
        self.data = Path(f"/proc/{state['pid']}/root{data}")
        self.home = EngineHome(self.data / "engine")
        self.engine.home = self.home
        self._inside = EngineHome(data / "engine")
        self._ballast = self.data / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Use up the room, all but `leave` bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
            if leave:
                file.truncate(max(0, file.seek(0, 2) - leave))

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink()

    def litter(self) -> list[str]:
        """Files that are written for a moment only."""
        return [path.name for path in self.home.root.rglob("*.tmp*")]

    def working(self) -> bool:
        """Whether a worker of a job lives."""
        begins = str(self._inside.jobs)
        return any(
            (process.info["cmdline"] or [""])[-1].startswith(begins)
            and process.info["status"] != psutil.STATUS_ZOMBIE
            for process in psutil.process_iter(["cmdline", "status"])
        )

    def close(self) -> None:
        """End the engine and its workers; the disk goes with them."""
        self.engine.kill()
        stop_workers(self._inside)
