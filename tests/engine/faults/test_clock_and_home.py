"""A clock that is set, a lock that was left, a token that others could read."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.engine.server.conftest import Running, chat_lines, server, stop_workers, until
from tests.engine.server.engine_process import Engine, worker_of
from tui.engine.launchers import serving

__all__ = ["server"]
DAY = 86_400.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    if engine.running is not None:
        engine.kill()
    stop_workers(engine.home)


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_loses_no_job(
    server: Running, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    real = time.time
    began = int(real())
    server.behave("hold")
    job = server.create_job().json()["id"]
    until(lambda: server.job(job)["checkpoints"])
    worker = worker_of(server.home, job)
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    queued = server.create_job(suffix="later").json()
    until(lambda: server.client.get(f"/local/jobs/{queued['id']}").json()["queue"])
    assert server.job(job)["status"] == "RUNNING"
    assert worker.is_running()
    server.behave(None)
    done = server.wait(job, "SUCCESS")
    assert abs(done["created_at"] - began) < 60
    assert [event["data"]["status"] for event in done["events"]].count("RUNNING") == 1
    assert server.wait(queued["id"], "SUCCESS")
    listed = [entry["id"] for entry in server.client.get("/v1/fine_tuning/jobs").json()["data"]]
    assert listed == [queued["id"], job], "newest first, whatever the clock said"
    assert server.upload(chat_lines(3), "other.jsonl")["id"] in {
        file["id"] for file in server.client.get("/v1/files").json()["data"]
    }


def test_a_clock_set_while_the_server_was_dead_makes_no_second_worker(engine: Engine) -> None:
    engine.start()
    engine.behave("hold")
    job = engine.create()
    worker = worker_of(engine.home, job)
    until(lambda: engine.job(job)["checkpoints"])
    engine.kill()
    note = engine.home.job(job) / "worker.json"
    known = json.loads(note.read_text())
    note.write_text(json.dumps(known | {"create_time": known["create_time"] - 3600}))
    engine.start()
    engine.behave(None)
    until(lambda: engine.job(job)["status"] == "SUCCESS")
    assert json.loads((engine.home.job(job) / "launch.json").read_text())["attempt"] == 1
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_lock_left_by_a_reboot_is_taken_though_its_number_lives_again(engine: Engine) -> None:
    engine.home.create()
    left = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "create_time": psutil.Process().create_time() - DAY,
        "started_at": int(time.time() - DAY),
    }
    engine.home.lock.write_text(json.dumps(left))
    engine.state.parent.mkdir(parents=True)
    engine.state.write_text(json.dumps(left | {"url": "http://127.0.0.1:1", "token": "old"}))
    state = engine.start()
    assert json.loads(engine.home.lock.read_text())["pid"] == state["pid"]


def test_a_token_that_others_could_read_is_replaced(engine: Engine) -> None:
    first = engine.start()
    engine.kill()
    engine.home.token.chmod(0o644)
    second = engine.start()
    assert second["token"] != first["token"]
    for path in (engine.home.token, engine.state):
        assert path.stat().st_mode & 0o077 == 0
    assert engine.home.root.stat().st_mode & 0o077 == 0


def test_a_chat_worker_elsewhere_is_forgotten_by_its_own_clock_alone(tmp_path: Path) -> None:
    alive = tmp_path / serving.ALIVE
    now = 100.0
    watch = serving.Forgotten(tmp_path, lambda: now)
    alive.touch()
    for mtime in (time.time() - DAY, time.time() + DAY, time.time()):
        os.utime(alive, (mtime, mtime))
        now += serving.FORGOTTEN_SECONDS - 1
        assert not watch.is_so()
    now += serving.FORGOTTEN_SECONDS + 1
    assert watch.is_so()
