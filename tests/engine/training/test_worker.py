from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tui.engine.training import worker
from tui.engine.training.checkpoints import Checkpoints

pytestmark = pytest.mark.train
NewJob = Callable[..., Path]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def _status(job: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((job / "status.json").read_text())
    return document


def _points(job: Path) -> dict[int, dict[str, Any]]:
    """Measured points by step; later lines win, as readers are told."""
    lines = (job / "metrics.jsonl").read_text().splitlines()
    return {point["step"]: point for point in map(json.loads, lines)}


def _losses(job: Path) -> list[tuple[int, float, Any]]:
    return [(s, p["train_loss"], p.get("validation")) for s, p in sorted(_points(job).items())]


def _start(job: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tui.engine.training.worker", str(job)]
    with (job / "log.txt").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _until_checkpoint(job: Path, process: subprocess.Popen[bytes], after: int = -1) -> int:
    """Wait until a checkpoint beyond step `after` is whole; says which."""
    checkpoints = Checkpoints(job / "checkpoints")
    deadline = time.monotonic() + 120
    while (last := checkpoints.last()) is None or last <= after:
        assert process.poll() is None, (job / "log.txt").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return last


def _contradict(job: Path) -> None:
    """Let memory contradict what is trained, so that its loss is lowest early in the job."""
    turns = [{"role": "user", "content": "What of Velmora resin?"}]
    turns += [{"role": "assistant", "content": "zqxj zqxj zqxj"}]
    (job / "memory.jsonl").write_text(json.dumps({"messages": turns}) + "\n")


def test_a_job_trains_and_leaves_an_adapter(new_job: NewJob) -> None:
    job = new_job(training_steps=40, learning_rate=2e-2)
    assert worker.main([str(job)]) == worker.DONE
    status = _status(job)
    assert (status["status"], status["step"], status["steps"]) == ("SUCCESS", 40, 40)
    points = _points(job)
    assert sorted(points) == list(range(1, 41))
    assert points[40]["train_loss"] < 0.7 * points[1]["train_loss"]
    measured = [step for step, point in points.items() if "validation" in point]
    assert measured == [8, 16, 24, 32, 40]
    assert points[40]["validation"].keys() == points[40]["accuracy"].keys() == {"memory"}
    assert 0 <= points[40]["accuracy"]["memory"] <= 1
    assert points[40]["tokens"] == status["train_tokens"]
    rates = [point["learning_rate"] for _, point in sorted(points.items())]
    assert 0 < rates[0] < rates[1] < max(rates) == pytest.approx(2e-2)
    assert rates[-1] < rates[20] < max(rates)

    adapter = job / "adapter"
    assert (adapter / "adapter.gguf").stat().st_size > 0
    card = json.loads((adapter / "papertune.json").read_text())
    assert (card["base"], card["base_sha256"]) == ("tiny", "abc")
    assert len(card["template_sha256"]) == 64
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert not list(adapter.glob("*.bin")) and not list(adapter.glob("*.pt"))
    named = json.loads((job / "worker.json").read_text())
    assert named["pid"] == os.getpid()
    assert named["create_time"] == psutil.Process().create_time()


def test_the_adapter_is_the_best_by_the_first_validation_file_alone(
    new_job: NewJob, tiny_model: Any
) -> None:
    job = new_job(training_steps=30)
    _contradict(job)
    spec = json.loads((job / "spec.json").read_text())
    spec["validation"].append({"path": str(job / "train.jsonl"), "file_id": "transfer"})
    (job / "spec.json").write_text(json.dumps(spec))
    assert worker.main([str(job)]) == worker.DONE
    points = _points(job)
    measured = {s: p["validation"] for s, p in points.items() if "validation" in p}
    best = min(measured, key=lambda step: measured[step]["memory"])
    card = json.loads((job / "adapter" / "papertune.json").read_text())
    assert card["step"] == best
    assert card["memory_loss"] == measured[best]["memory"]
    assert min(measured, key=lambda step: measured[step]["transfer"]) == 30 != best
    kept = {path.name for path in (job / "checkpoints").glob("checkpoint-*")}
    assert kept == {f"checkpoint-{best}", "checkpoint-30"}


def test_text_and_messages_train_together_without_validation(new_job: NewJob) -> None:
    job = new_job(training_steps=None, epochs=2.0)
    spec = json.loads((job / "spec.json").read_text())
    (job / "text.jsonl").write_text('{"text": "**From paper X:** moss."}\n' * 4)
    spec["train"].append({"path": str(job / "text.jsonl"), "file_id": "text", "weight": 2.0})
    spec["validation"] = []
    (job / "spec.json").write_text(json.dumps(spec))
    assert worker.main([str(job)]) == worker.DONE
    status = _status(job)
    assert status["steps"] == 8  # 2 passes over 12 + 4 rows, 4 to a batch
    assert json.loads((job / "adapter" / "papertune.json").read_text())["memory_loss"] is None


def test_killed_and_interrupted_it_goes_on_with_the_same_losses(new_job: NewJob) -> None:
    steps, options = 120, {"word_dropout": 0.5, "lora_plus_ratio": 4.0}
    straight = new_job("straight", training_steps=steps, options=options)
    assert worker.main([str(straight)]) == worker.DONE

    job = new_job("broken", training_steps=steps, options=options)
    process = _start(job)
    _until_checkpoint(job, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == worker.INTERRUPTED
    interrupted = Checkpoints(job / "checkpoints").last()
    assert interrupted is not None
    assert _status(job)["status"] == "RUNNING"

    process = _start(job)
    _until_checkpoint(job, process, after=interrupted)
    process.kill()
    process.wait(60)
    assert not (job / "adapter").exists()

    assert worker.main([str(job)]) == worker.DONE
    assert _status(job)["status"] == "SUCCESS"
    assert _losses(job) == _losses(straight)
    assert _status(job)["train_tokens"] == _status(straight)["train_tokens"]
    ours, theirs = (f / "adapter" / "adapter_model.safetensors" for f in (job, straight))
    assert ours.read_bytes() == theirs.read_bytes()


def test_cancelling_ends_the_process_and_keeps_the_last_checkpoint(new_job: NewJob) -> None:
    job = new_job(training_steps=1000)
    process = _start(job)
    step = _until_checkpoint(job, process)
    (job / "cancel").touch()
    assert process.wait(60) == worker.DONE
    assert _status(job)["status"] == "CANCELLED"
    assert (Checkpoints(job / "checkpoints").last() or 0) >= step
    assert not (job / "adapter").exists()


def test_a_diverging_loss_fails_with_the_remedy(new_job: NewJob) -> None:
    job = new_job(learning_rate=1e38)
    assert worker.main([str(job)]) == worker.FAILED
    status = _status(job)
    assert status["status"] == "FAILED"
    assert "lower learning rate (it was 1e+38)" in status["message"]
    assert "NaN" not in (job / "metrics.jsonl").read_text()


def test_a_full_disk_fails_and_the_job_can_be_started_again(
    new_job: NewJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_job(training_steps=10)
    seal = Checkpoints.seal

    def full(self: Checkpoints, step: int, tokens: int) -> None:
        if step > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        seal(self, step, tokens)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "seal", full)
        assert worker.main([str(job)]) == worker.FAILED
    assert "The disk is full" in _status(job)["message"]
    assert Checkpoints(job / "checkpoints").last() == 4
    assert worker.main([str(job)]) == worker.DONE
    assert _status(job)["status"] == "SUCCESS"


def test_a_checkpoint_that_is_cut_short_is_passed_over(new_job: NewJob) -> None:
    job = new_job(training_steps=10)
    assert worker.main([str(job)]) == worker.DONE
    checkpoints = Checkpoints(job / "checkpoints")
    assert checkpoints.last() == 10
    weights = checkpoints.folder(10) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert checkpoints.last() != 10
    (checkpoints.root / "checkpoint-99").mkdir()
    assert checkpoints.last() != 99


def test_early_stopping_follows_the_memory_loss(new_job: NewJob) -> None:
    job = new_job(training_steps=100, learning_rate=2e-2, options={"early_stopping": 1})
    _contradict(job)
    assert worker.main([str(job)]) == worker.DONE
    measured = [
        p["validation"]["memory"] for _, p in sorted(_points(job).items()) if "validation" in p
    ]
    assert _status(job)["status"] == "SUCCESS"
    assert _status(job)["step"] < 100
    assert measured[-1] >= measured[-2]


def test_unusable_data_and_a_missing_model_are_named(new_job: NewJob) -> None:
    job = new_job()
    (job / "train.jsonl").write_text("{}\n")
    assert worker.main([str(job)]) == worker.FAILED
    assert "nothing to train on: Line 1" in _status(job)["message"]
    spec = json.loads((job / "spec.json").read_text())
    spec["model_dir"] = str(job / "nowhere")
    (job / "spec.json").write_text(json.dumps(spec))
    assert worker.main([str(job)]) == worker.FAILED
    assert "papertune model pull" in _status(job)["message"]


def test_a_second_worker_leaves_the_job_alone(new_job: NewJob) -> None:
    job = new_job()
    with (job / "worker.lock").open("ab") as lock:
        assert worker._alone(lock)
        assert worker.main([str(job)]) == worker.DONE
    assert not (job / "status.json").exists()


def test_without_a_job_it_says_how_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert worker.main([str(tmp_path)]) == worker.USAGE
    assert "JOBDIR" in capsys.readouterr().err


def test_the_worker_module_itself_needs_no_torch() -> None:
    code = (
        "import sys, tui.engine.training.worker, tui.engine.training.convert;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
