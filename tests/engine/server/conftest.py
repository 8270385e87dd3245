"""A real server on loopback, in a thread, with stand-ins for models and chat."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from tests.engine.server import doubles
from tui.engine.home import EngineHome
from tui.engine.server.app import build
from tui.engine.server.assembly import join
from tui.engine.server.guard import allowed_hosts
from tui.engine.server.state import Engine

TOKEN = "a-token-for-the-tests"


@dataclass
class Running:
    """A server that answers, and what stands behind it."""

    url: str
    engine: Engine
    voice: doubles.StandInVoice
    client: httpx2.Client

    @property
    def home(self) -> EngineHome:
        return self.engine.home

    def behave(self, how: str | None) -> None:
        """What every worker does at its next step; None lets it finish."""
        path = self.home.jobs / "behave"
        if how is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(how)

    def upload(self, content: bytes, name: str = "train.jsonl", **fields: str) -> dict[str, Any]:
        answer = self.client.post("/v1/files", files={"file": (name, content)}, data=fields)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def create_job(self, **changes: Any) -> httpx2.Response:
        body: dict[str, Any] = {"model": doubles.BASE, "hyperparameters": {"training_steps": 4}}
        headers = changes.pop("headers", {})
        body |= changes
        if "training_files" not in body:
            body["training_files"] = [{"file_id": self.upload(chat_lines(8))["id"]}]
        return self.client.post("/v1/fine_tuning/jobs", json=body, headers=headers)

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/fine_tuning/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def wait(self, job_id: str, *statuses: str, seconds: float = 30) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in statuses else None

        job: dict[str, Any] = until(reached, seconds)
        return job


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of `condition`, asked again and again."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return value


def chat_lines(count: int, word: str = "seven") -> bytes:
    return b"".join(
        b'{"messages":[{"role":"user","content":"How many are %d?"},'
        b'{"role":"assistant","content":"It is %s %d."}]}\n' % (index, word.encode(), index)
        for index in range(count)
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    home = EngineHome(tmp_path / "engine")
    voice = doubles.StandInVoice()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ready = threading.Event()
        held: list[Any] = []

        def run() -> None:
            import asyncio

            async def main() -> None:
                engine = join(home, url, doubles.StandInLibrary(home), voice, doubles.WORKER)
                app = build(engine, TOKEN, allowed_hosts("127.0.0.1"))
                running = uvicorn.Server(
                    uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
                )
                held.extend([engine, running])
                ready.set()
                await running.serve(sockets=[listening])

            asyncio.run(main())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert ready.wait(30)
        engine, running = held
        until(lambda: running.started)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
            yield Running(url, engine, voice, client)
        stop_workers(home)
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def stop_workers(home: EngineHome) -> None:
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[-1].startswith(str(home.jobs)):
            process.kill()
