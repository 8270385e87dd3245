"""The engine with launcher = "slurm": its jobs over HTTP, through its own death too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.launchers.cluster import Cluster, until
from tests.engine.server import doubles
from tests.engine.server.conftest import chat_lines
from tests.engine.server.engine_process import Engine

_CONFIG = """
[engine]
launcher = "slurm"
[engine.slurm]
partition = "main"
time = "1:00:00"
poll_seconds = 0.1
cpus = 4
[engine.price]
device_hour = 3600
currency = "eur"
"""


@pytest.fixture
def engine(slurm: Cluster, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(_CONFIG)
    yield engine
    if engine.running is not None:
        engine.kill()


def _local(engine: Engine, job: str) -> dict[str, Any]:
    with engine.client() as client:
        document: dict[str, Any] = client.get(f"/local/jobs/{job}").json()
    return document


def test_jobs_wait_run_and_are_found_again_through_the_engines_death(
    engine: Engine, slurm: Cluster
) -> None:
    before = len(slurm.jobs())
    engine.start()
    engine.behave("hold")
    jobs = [engine.create(steps) for steps in (4, 5, 6)]  # two nodes: the third one waits
    until(lambda: [engine.job(job)["status"] for job in jobs] == ["RUNNING", "RUNNING", "QUEUED"])
    until(lambda: "free" in (_local(engine, jobs[2])["queue"] or {})["reason"])
    assert _local(engine, jobs[0])["slurm_job"] in slurm.jobs()
    engine.kill()
    engine.start()
    with engine.client() as client:
        client.post(f"/v1/fine_tuning/jobs/{jobs[2]}/cancel")
        client.post(f"/v1/fine_tuning/jobs/{jobs[1]}/cancel")
    until(lambda: engine.job(jobs[1])["status"] == engine.job(jobs[2])["status"] == "CANCELLED")
    number = str(_local(engine, jobs[2])["slurm_job"])
    until(lambda: slurm.state(number) == "CANCELLED")
    engine.behave(None)
    until(lambda: engine.job(jobs[0])["status"] == "SUCCESS")
    assert "stand-in worker began" in _local(engine, jobs[0])["log"]
    assert len(slurm.jobs()) == before + 3  # nothing was submitted twice
    history = [event["data"]["status"] for event in engine.job(jobs[0])["events"]]
    assert history[-1] == "SUCCESS"
    assert "RUNNING" in history


def test_what_somebody_cancels_in_slurm_is_cancelled_here(engine: Engine, slurm: Cluster) -> None:
    engine.start()
    engine.behave("hold")
    job = engine.create()
    until(lambda: engine.job(job)["checkpoints"])
    slurm.ask("scancel", str(_local(engine, job)["slurm_job"]))
    until(lambda: engine.job(job)["status"] == "CANCELLED")
    assert "scancel" in _local(engine, job)["message"]


def test_what_slurm_refuses_fails_with_its_words(engine: Engine) -> None:
    config = engine.base / "config" / "config.toml"
    config.write_text(_CONFIG.replace('"main"', '"nowhere"'))
    engine.start()
    with engine.client() as client:
        file = client.post("/v1/files", files={"file": ("t.jsonl", chat_lines(4))}).json()["id"]
        body = {
            "model": doubles.BASE,
            "training_files": [{"file_id": file}],
            "hyperparameters": {"training_steps": 2},
        }
        job = client.post("/v1/fine_tuning/jobs", json=body).json()["id"]
    until(lambda: engine.job(job)["status"] == "FAILED")
    assert "invalid partition" in _local(engine, job)["message"]


@pytest.mark.soak
def test_a_controller_that_is_down_is_waited_for(engine: Engine, slurm: Cluster) -> None:
    wrapper = engine.base / "bin" / "sbatch"
    wrapper.parent.mkdir()
    down = engine.base / "down"
    down.touch()
    says = "sbatch: error: Unable to contact slurm controller (connect failure)"
    real = shutil.which("sbatch")
    wrapper.write_text(
        f"#!/bin/sh\nif [ -e {down} ]; then echo '{says}' >&2; exit 1; fi\nexec {real} \"$@\"\n"
    )
    wrapper.chmod(0o755)
    engine.environment["PATH"] = f"{wrapper.parent}:{engine.environment['PATH']}"
    before = len(slurm.jobs())
    engine.start()
    job = engine.create()
    until(lambda: "contact" in (_local(engine, job)["queue"] or {}).get("reason", ""))
    assert engine.job(job)["status"] == "QUEUED"
    down.unlink()
    until(lambda: engine.job(job)["status"] == "SUCCESS")
    assert len(slurm.jobs()) == before + 1
