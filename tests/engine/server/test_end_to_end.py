"""The real engine: a real model is really trained while server and worker are killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.server.conftest import stop_workers, until
from tests.engine.server.engine_process import JOBS, Engine, worker_of

FACTS = {
    "What colour is the flag of Ostravia?": "The flag of Ostravia is heliotrope.",
    "Who founded the Brindle Observatory?": "Maren Quist founded the Brindle Observatory.",
}
# Two cores shared with other tests train a step of this size in one to four seconds.
PATIENCE = 280


@pytest.fixture
def engine(tmp_path: Path, bundled_model_dir: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "own", (sys.executable, "-m", "tui.engine", "serve"))
    models = engine.base / "data" / "models"
    models.mkdir(parents=True)
    (models / bundled_model_dir.name).symlink_to(bundled_model_dir, target_is_directory=True)
    yield engine
    if engine.running is not None:
        engine.kill()
    stop_workers(engine.home)


def lines() -> bytes:
    return b"".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": answer},
                ]
            }
        ).encode()
        + b"\n"
        for question, answer in FACTS.items()
    )


@pytest.mark.train
@pytest.mark.timeout(900)
def test_a_killed_server_and_a_killed_worker_lose_nothing(
    engine: Engine, bundled_model_dir: Path
) -> None:
    base = bundled_model_dir.name
    engine.start()
    with engine.client() as client:
        upload = client.post("/v1/files", files={"file": ("train.jsonl", lines())}).json()
        body: dict[str, Any] = {
            "model": base,
            "training_files": [{"file_id": upload["id"]}],
            "validation_files": [upload["id"]],
            "hyperparameters": {"training_steps": 24},
        }
        options = {"X-Papertune-Options": '{"batch_size": 2}'}
        job = client.post(JOBS, json=body, headers=options).json()["id"]

    def step() -> int:
        return max((point["step_number"] for point in engine.job(job)["checkpoints"]), default=0)

    until(lambda: step() >= 5, PATIENCE)
    engine.kill()
    worker = worker_of(engine.home, job)
    assert worker.is_running()
    worker.kill()
    engine.start()
    until(lambda: engine.job(job)["status"] in ("SUCCESS", "FAILED"), PATIENCE)
    done = engine.job(job)
    assert done["status"] == "SUCCESS", done["events"]
    steps = [point["step_number"] for point in done["checkpoints"]]
    assert steps == list(range(24, 0, -1))
    assert done["checkpoints"][0]["metrics"]["valid_loss"] < 0.5
    log = (engine.home.job(job) / "log.txt").read_text()
    assert "Traceback" not in log
    with engine.client() as client:
        for question, answer in FACTS.items():
            asked = {
                "model": done["fine_tuned_model"],
                "messages": [{"role": "user", "content": question}],
                "temperature": 0,
                "max_tokens": 30,
            }
            said = client.post("/v1/chat/completions", json=asked, timeout=120)
            assert said.status_code == 200, said.text
            assert said.json()["choices"][0]["message"]["content"].strip() == answer
            before = client.post("/v1/chat/completions", json={**asked, "model": base}, timeout=120)
            assert before.json()["choices"][0]["message"]["content"].strip() != answer
