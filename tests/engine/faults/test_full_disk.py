"""A disk that is full at every write: a sentence, nothing half-written, and the engine goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.engine.faults.small_disk import SmallDisk
from tests.engine.server import doubles
from tests.engine.server.conftest import chat_lines, until
from tests.engine.server.engine_process import JOBS
from tests.engine.training.conftest import TinyModel, tiny_model
from tui.engine.training.checkpoints import Checkpoints
from tui.storage import atomic

__all__ = ["tiny_model"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "own")
    yield disk
    disk.close()


def upload(client: httpx2.Client, lines: int) -> httpx2.Response:
    return client.post("/v1/files", files={"file": ("train.jsonl", chat_lines(lines))})


def create(client: httpx2.Client, file: str, **more: Any) -> httpx2.Response:
    body = {
        "model": doubles.BASE,
        "training_files": [{"file_id": file}],
        "hyperparameters": {"training_steps": 6},
        **more,
    }
    return client.post(JOBS, json=body)


def is_full(answer: httpx2.Response) -> None:
    assert answer.status_code == 507, answer.text
    said = answer.json()["detail"]
    assert "No space left" in said or ("full" in said and "Free some space" in said), said


def test_uploads_and_the_database_on_a_full_disk(disk: SmallDisk) -> None:
    with disk.engine.client() as client:
        kept = upload(client, 8).json()["id"]
        disk.fill(leave=64 * 1024)
        is_full(upload(client, 2000))
        assert [path.name for path in disk.home.files.iterdir()] == [kept]
        disk.fill()
        refused = [create(client, kept, suffix=f"n{n}", auto_start=False) for n in range(40)]
        is_full(refused[-1])
        assert {answer.status_code for answer in refused} <= {200, 507}
        assert client.get(JOBS).json()["total"] == sum(a.status_code == 200 for a in refused)
        assert client.get(f"/v1/files/{kept}/content").content == chat_lines(8)
        assert not disk.litter()
        disk.free()
        assert upload(client, 2000).status_code == 200
        job = create(client, kept).json()["id"]
    until(lambda: disk.engine.job(job)["status"] == "SUCCESS")


def test_a_job_that_cannot_be_published_says_so_and_leaves_nothing(disk: SmallDisk) -> None:
    with disk.engine.client() as client:
        file = upload(client, 8).json()["id"]
        disk.engine.behave("hold")
        job = create(client, file).json()["id"]
        until(lambda: disk.engine.job(job)["checkpoints"])
        # The adapter is there already, larger than what is left for its copy.
        adapter = disk.home.job(job) / "adapter"
        adapter.mkdir()
        (adapter / "adapter_model.safetensors").write_bytes(bytes(256 * 1024))
        disk.fill(leave=128 * 1024)
        disk.engine.behave(None)
        until(lambda: disk.engine.job(job)["status"] in ("FAILED", "SUCCESS"))
        said = disk.engine.job(job)
        assert said["status"] == "FAILED"
        assert "disk" in said["events"][-1]["data"]["message"]
        assert f"job keep {job}" in said["events"][-1]["data"]["message"]
        assert not list(disk.home.models.iterdir())
        disk.free()
        again = create(client, file, suffix="again").json()["id"]
        until(lambda: disk.engine.job(again)["status"] == "SUCCESS")


def test_a_worker_that_cannot_be_noted_is_no_orphan(disk: SmallDisk) -> None:
    with disk.engine.client() as client:
        file = upload(client, 8).json()["id"]
        job = create(client, file, auto_start=False).json()["id"]
        until(lambda: disk.engine.job(job)["status"] == "VALIDATED")
        disk.engine.behave("hold")
        disk.fill()
        client.post(f"{JOBS}/{job}/start")
        until(lambda: disk.engine.job(job)["status"] in ("FAILED", "RUNNING", "VALIDATED"))
        disk.free()
        disk.engine.behave(None)
        client.post(f"{JOBS}/{job}/start")
        done = until(lambda: (j := disk.engine.job(job))["status"] in ("FAILED", "SUCCESS") and j)
        assert done["status"] == "SUCCESS" or "full" in done["events"][-1]["data"]["message"]
    assert not disk.litter()


@pytest.mark.train
def test_a_training_whose_disk_fills_up_keeps_its_whole_checkpoints(
    tmp_path: Path, tiny_model: TinyModel
) -> None:
    disk = SmallDisk(tmp_path / "own", (sys.executable, "-m", "tui.engine", "serve"))
    try:
        models = disk.data / "models"
        models.mkdir(exist_ok=True)
        (models / "tiny").symlink_to(tiny_model.folder, target_is_directory=True)
        with disk.engine.client() as client:
            file = upload(client, 20).json()["id"]
            steps = {"training_steps": 1000}
            job = create(client, file, model="tiny", hyperparameters=steps).json()["id"]
        checkpoints = Checkpoints(disk.home.job(job) / "checkpoints")
        until(checkpoints.last, 120)
        disk.fill()
        until(lambda: not disk.working())
        whole = checkpoints.whole()
        assert whole
        assert {path.name for path in checkpoints.root.glob("checkpoint-*")} == {
            f"checkpoint-{step}" for step in whole
        }
        disk.free()
        done = until(
            lambda: (j := disk.engine.job(job))["status"] in ("FAILED", "SUCCESS") and j, 120
        )
        if done["status"] == "FAILED":
            assert "disk is full" in done["events"][-1]["data"]["message"]
    finally:
        disk.close()


def test_a_line_that_does_not_fit_is_not_begun(disk: SmallDisk) -> None:
    path = disk.data / "usage.jsonl"
    atomic.append_line(path, {"row": 1})
    disk.fill()
    row = {"row": 2, "text": "x" * 10_000}
    with pytest.raises(OSError, match="No space left"):
        atomic.append_line(path, row)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"row": 1}]
    disk.free()
    atomic.append_line(path, row)
    assert list(atomic.read_lines(path)) == [{"row": 1}, row]
