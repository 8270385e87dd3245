"""An engine in a process of its own, to be killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.engine.server import doubles
from tests.engine.server.conftest import chat_lines, until
from tui.engine.home import EngineHome
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.process import Identity

JOBS = "/v1/fine_tuning/jobs"


@dataclass
class Engine:
    """An engine in a process of its own, with places of its own."""

    base: Path
    command: Sequence[str] = (sys.executable, str(Path(doubles.__file__)))
    running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.home = EngineHome(self.base / "data" / "engine")
        self.state = self.base / "state" / "engine.json"
        self.environment = {
            **os.environ,
            "PAPERTUNE_DATA_DIR": str(self.base / "data"),
            "PAPERTUNE_STATE_DIR": str(self.base / "state"),
            "PAPERTUNE_CONFIG_DIR": str(self.base / "config"),
        }
        self.environment.pop("PAPERTUNE_ENGINE_TOKEN", None)

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def start(self) -> dict[str, Any]:
        self.running = self.popen()

        def answers() -> dict[str, Any] | None:
            assert self.running is not None
            assert self.running.poll() is None, self.running.stderr
            with contextlib.suppress(OSError, ValueError):
                state: dict[str, Any] = json.loads(self.state.read_text())
                if state["pid"] == self.running.pid:
                    return state
            return None

        state: dict[str, Any] = until(answers)
        return state

    def client(self) -> httpx2.Client:
        state = json.loads(self.state.read_text())
        headers = {"Authorization": f"Bearer {state['token']}"}
        return httpx2.Client(base_url=state["url"], headers=headers, timeout=30)

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.communicate()

    def job(self, job_id: str) -> dict[str, Any]:
        with self.client() as client:
            document: dict[str, Any] = client.get(f"{JOBS}/{job_id}").json()
        return document

    def create(self, steps: int = 6) -> str:
        with self.client() as client:
            files = {"file": ("train.jsonl", chat_lines(8))}
            file = client.post("/v1/files", files=files).json()["id"]
            body = {
                "model": doubles.BASE,
                "training_files": [{"file_id": file}],
                "hyperparameters": {"training_steps": steps},
            }
            return str(client.post(JOBS, json=body).json()["id"])

    def behave(self, how: str | None) -> None:
        path = self.home.jobs / "behave"
        if how is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(how)


def worker_of(home: EngineHome, job_id: str) -> psutil.Process:
    def found() -> Identity | None:
        return JobFolder(home.job(job_id)).worker()

    return psutil.Process(until(found).pid)
