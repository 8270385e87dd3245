"""Nothing is lost: servers and workers are killed, and every job comes to its end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.engine.server.conftest import Running, stop_workers, until
from tests.engine.server.engine_process import JOBS, Engine, worker_of
from tui.engine.supervisor import process
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.process import Identity


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    if engine.running is not None:
        engine.kill()
    stop_workers(engine.home)


def test_a_job_goes_on_while_the_server_is_dead_and_is_found_again(engine: Engine) -> None:
    engine.start()
    engine.behave("hold")
    job = engine.create()
    until(lambda: engine.job(job)["status"] == "RUNNING")
    until(lambda: engine.job(job)["checkpoints"])
    worker = worker_of(engine.home, job)
    engine.kill()
    assert worker.is_running()
    assert os.getsid(worker.pid) == worker.pid
    engine.behave(None)
    until((engine.home.job(job) / "adapter").is_dir)
    engine.start()
    done = until(lambda: (j := engine.job(job)) and j["status"] == "SUCCESS" and j)
    assert [point["step_number"] for point in done["checkpoints"]] == [6, 5, 4, 3, 2, 1]
    with engine.client() as client:
        assert client.get(f"/v1/models/{done['fine_tuned_model']}").status_code == 200


def test_a_running_worker_is_attached_to_not_doubled(engine: Engine) -> None:
    engine.start()
    engine.behave("hold")
    job = engine.create()
    worker = worker_of(engine.home, job)
    until(lambda: engine.job(job)["checkpoints"])
    engine.kill()
    (engine.home.job(job) / "worker.json").unlink()  # as if it was killed before it could note it
    engine.start()
    until((engine.home.job(job) / "worker.json").exists)
    assert JobFolder(engine.home.job(job)).worker() == Identity.of(worker.pid)
    engine.behave(None)
    until(lambda: engine.job(job)["status"] == "SUCCESS")


def test_a_queue_survives_the_server(engine: Engine) -> None:
    engine.start()
    engine.behave("hold")
    first, second = engine.create(4), engine.create(5)
    until(lambda: engine.job(first)["status"] == "RUNNING")
    engine.kill()
    engine.behave(None)
    engine.start()
    for job in (first, second):
        until(lambda job=job: engine.job(job)["status"] == "SUCCESS")  # type: ignore[misc]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_worker_killed_on_the_way_resumes(server: Running, seed: int) -> None:
    server.behave("hold")
    job = server.create_job(hyperparameters={"training_steps": 4 + seed}).json()["id"]
    until(lambda: server.job(job)["checkpoints"])
    worker_of(server.home, job).kill()
    server.behave(None)
    done = server.wait(job, "SUCCESS")
    assert len(done["checkpoints"]) == 4 + seed
    assert [event["data"]["status"] for event in done["events"]].count("RUNNING") == 1


def test_a_worker_that_dies_again_and_again_without_progress_is_given_up(
    server: Running,
) -> None:
    server.behave("die")
    job = server.create_job(hyperparameters={"training_steps": 2}).json()["id"]
    server.wait(job, "FAILED", "SUCCESS")
    said = server.job(job)["events"][-1]["data"].get("message", "")
    assert server.job(job)["status"] == "FAILED", said
    assert "signal 9" in said
    assert "something terrible" in said


def test_cancelling_a_deaf_worker_still_ends_it(server: Running) -> None:
    server.behave("hold")
    job = server.create_job().json()["id"]
    until(lambda: server.job(job)["checkpoints"])
    worker = worker_of(server.home, job)
    worker.suspend()
    server.client.post(f"{JOBS}/{job}/cancel")
    server.wait(job, "CANCELLATION_REQUESTED")
    worker.resume()
    server.wait(job, "CANCELLED")
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_folder_is_read_whatever_a_crash_left_in_it(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    assert (folder.points(), folder.status(), folder.worker()) == ([], {}, None)
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1, "train_loss": 2.0}\n{"step": 2, "train_loss": NaN}\n{"ste')
    assert [point["step"] for point in folder.points()] == [1, 2]
    assert folder.points(1)[0]["train_loss"] is None
    with metrics.open("a") as file:
        file.write('p": 3}\nnonsense\n[1]\n{"step": 2, "train_loss": 1.0}\n')
    assert [point["step"] for point in folder.points()] == [1, 2, 3]
    assert folder.points(1)[0]["train_loss"] == 1.0
    (tmp_path / "status.json").write_text('{"status": ')
    assert folder.status() == {}
    (tmp_path / "log.txt").write_bytes(b"1%\r50%\r100%\n\x1b[31mred\x1b[0m\n\xff\n")
    assert folder.log_tail() == ["100%", "red", "\ufffd"]


def test_another_process_with_the_same_number_is_not_the_worker(tmp_path: Path) -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    assert process.alive(me, tmp_path)
    assert not process.alive(Identity(me.pid, me.create_time - 100, me.host), tmp_path)
    elsewhere = Identity(me.pid, me.create_time, "another-host")
    assert not process.alive(elsewhere, tmp_path)
    (tmp_path / "status.json").write_text("{}")
    assert process.alive(elsewhere, tmp_path)


def test_a_second_engine_says_who_holds_the_home(engine: Engine) -> None:
    state = engine.start()
    second = engine.popen()
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert str(state["pid"]).encode() in said
    assert b"engine stop" in said
    assert b"Traceback" not in said
    assert json.loads(engine.state.read_text()) == state


def test_a_dead_engines_lock_is_taken_over_and_the_token_stays(engine: Engine) -> None:
    first = engine.start()
    engine.kill()
    second = engine.start()
    assert second["token"] == first["token"]
    assert second["pid"] != first["pid"]
    for path in (engine.state, engine.home.token):
        assert path.stat().st_mode & 0o777 == 0o600


def test_sigterm_ends_the_server_and_takes_the_state_file_away(engine: Engine) -> None:
    engine.start()
    assert engine.running is not None
    engine.running.send_signal(signal.SIGTERM)
    assert engine.running.wait(30) == 0
    assert not engine.state.exists()
    log = (engine.base / "state" / "engine.log").read_text()
    assert engine.home.token.read_text().strip() not in log


def test_a_taken_port_is_one_sentence(engine: Engine) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = engine.popen(str(port))
        _, said = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken".encode() in said
    assert b"Traceback" not in said


def test_beyond_loopback_a_token_must_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.domain.errors import UsageError
    from tui.engine.serve import serve

    monkeypatch.setenv("PAPERTUNE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PAPERTUNE_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("PAPERTUNE_ENGINE_TOKEN", raising=False)
    with pytest.raises(UsageError, match="TLS"):
        serve("0.0.0.0", 0)
    monkeypatch.setenv("PAPERTUNE_ENGINE_TOKEN", "short")
    with pytest.raises(UsageError, match="too short"):
        serve("0.0.0.0", 0)
    monkeypatch.setenv("PAPERTUNE_ENGINE_TOKEN", "x" * 32)
    with pytest.raises(UsageError, match="no address of this machine"):
        serve("host.invalid", 0)
