"""Chat workers on a real Slurm: asked for, ended when idle, asked for anew when taken away."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.engine.launchers.cluster import Cluster
from tui.engine.chat.backend import ChatError
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.serving import ChatWork
from tui.engine.launchers.slurm.chat import SlurmChat
from tui.engine.settings import Slurm
from tui.engine.settings import SlurmChat as ChatSettings

WORKER = str(Path(__file__).with_name("chat_worker.py"))


def work(**options: Any) -> ChatWork:
    return ChatWork("chat-0123", "tiny", (sys.executable, WORKER), options)


def place(base: Path, *, cpus: int = 1, **chat: Any) -> SlurmChat:
    settings = Slurm(poll_seconds=0.1, cpus=cpus, chat=ChatSettings(**chat))
    return SlurmChat(base / "chat", WorkerCommand.of("", base), settings)


async def running(cluster: Cluster) -> list[str]:
    said = await asyncio.to_thread(cluster.ask, "squeue", "-h", "-o", "%i")
    return said.split()


async def gone(cluster: Cluster) -> None:
    deadline = time.monotonic() + 30
    while await running(cluster):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def ask(url: str, key: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(
            f"{url}/completion", headers={"authorization": f"Bearer {key}"}, json={"prompt": [1]}
        )


async def test_a_worker_answers_to_its_key_and_is_shared(slurm: Cluster, tmp_path: Path) -> None:
    where = place(tmp_path)
    async with where.using(work(says="hello")) as first, where.using(work(says="hello")) as second:
        assert first == second
        assert len(await running(slurm)) == 1
        assert first.url.startswith("http://127.0.0.1:")
        assert "hello" in (await ask(first.url, first.key)).text
        assert (await ask(first.url, "wrong")).status_code == 401
        assert first.key not in repr(first)
        folder = next((tmp_path / "chat").iterdir())
        assert (folder / "chat.json").stat().st_mode & 0o777 == 0o600
        assert first.key not in (folder / "job.sh").read_text()
    async with where.using(work(says="hello")) as again:
        assert again == first
    await where.close()
    await gone(slurm)


async def test_a_worker_that_nobody_asks_is_ended(slurm: Cluster, tmp_path: Path) -> None:
    where = place(tmp_path, idle_minutes=0.005)
    async with where.using(work(says="x")) as first:
        pass
    await gone(slurm)
    async with where.using(work(says="x")) as second:
        assert second.key != first.key
        assert "x" in (await ask(second.url, second.key)).text
    await where.close()


async def test_a_worker_that_was_taken_away_is_asked_for_anew(
    slurm: Cluster, tmp_path: Path
) -> None:
    where = place(tmp_path)
    async with where.using(work(says="x")) as first:
        await asyncio.to_thread(slurm.ask, "scancel", *(await running(slurm)))
    await gone(slurm)
    async with where.using(work(says="x")) as second:
        assert second.url != first.url or second.key != first.key
        assert "x" in (await ask(second.url, second.key)).text
    await where.close()


async def test_a_worker_that_cannot_load_says_why(slurm: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ChatError, match="no room for this model"):
        async with place(tmp_path).using(work(fails="no room for this model")):
            pass
    await gone(slurm)


async def test_a_queue_that_is_too_long_is_left_again(slurm: Cluster, tmp_path: Path) -> None:
    blocker = "sbatch --parsable -N 2 -c 4 --output=/dev/null --wrap='sleep 60'"
    await asyncio.to_thread(slurm.ask, "bash", "-c", blocker)
    where = place(tmp_path, cpus=4, wait_minutes=0.02)
    with pytest.raises(ChatError, match="queue"):
        async with where.using(work(says="x")):
            pass
    assert len(await running(slurm)) == 1  # the blocker alone
