"""Two processes train what one would: the same steps, the same losses, the same files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tui.engine.launchers.command import WorkerCommand
from tui.engine.training import worker
from tui.engine.training.checkpoints import Checkpoints

pytestmark = pytest.mark.train
NewJob = Callable[..., Path]


def _together(job: Path) -> subprocess.Popen[bytes]:
    command = WorkerCommand.of("", job).local(2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    with (job / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*command, str(job)], stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _points(job: Path) -> dict[int, dict[str, Any]]:
    lines = (job / "metrics.jsonl").read_text().splitlines()
    return {point["step"]: point for point in map(json.loads, lines)}


def test_two_processes_train_what_one_would_also_after_an_interruption(new_job: NewJob) -> None:
    # a batch of three shows the processes different numbers of rows
    options = {"batch_size": 3, "early_stopping": 50}
    alone = new_job("alone", training_steps=60, options=options)
    assert worker.main([str(alone)]) == worker.DONE

    job = new_job("together", training_steps=60, options=options)
    process = _together(job)
    checkpoints = Checkpoints(job / "checkpoints")
    while checkpoints.last() is None:
        assert process.poll() is None, (job / "log.txt").read_text()
        os.sched_yield()
    first = json.loads((job / "worker.json").read_text())["pid"]
    os.kill(first, signal.SIGTERM)  # one is told; both stop at the same step
    process.wait(120)
    stopped = checkpoints.last()
    assert stopped is not None
    assert stopped < 60
    assert json.loads((job / "status.json").read_text())["status"] == "RUNNING"

    assert _together(job).wait(100) == 0, (job / "log.txt").read_text()
    assert json.loads((job / "status.json").read_text())["status"] == "SUCCESS"
    one, two = _points(alone), _points(job)
    assert one.keys() == two.keys()
    for step in one:
        assert two[step]["train_loss"] == pytest.approx(one[step]["train_loss"], rel=2e-3)
        assert two[step]["tokens"] == one[step]["tokens"]
        if "validation" in one[step]:
            loss = one[step]["validation"]["memory"]
            assert two[step]["validation"]["memory"] == pytest.approx(loss, rel=2e-3)
    # one process wrote: every step stands there once, but for those done again after the stop
    steps = [json.loads(line)["step"] for line in (job / "metrics.jsonl").open()]
    assert len(steps) == len(set(steps))
    assert (job / "adapter" / "adapter.gguf").stat().st_size
    assert json.loads((job / "took.json").read_text())["device_seconds"] > 0


@pytest.mark.soak
def test_a_process_without_a_row_takes_part(new_job: NewJob) -> None:
    alone = new_job("alone", training_steps=4, options={"batch_size": 1})
    assert worker.main([str(alone)]) == worker.DONE
    job = new_job("together", training_steps=4, options={"batch_size": 1})
    assert _together(job).wait(100) == 0, (job / "log.txt").read_text()
    one, two = _points(alone), _points(job)
    for step in one:
        assert two[step]["train_loss"] == pytest.approx(one[step]["train_loss"], rel=1e-4)


@pytest.mark.soak
def test_cancelled_together_both_end(new_job: NewJob) -> None:
    job = new_job("together", training_steps=100_000)
    process = _together(job)
    while not (job / "metrics.jsonl").exists():
        assert process.poll() is None, (job / "log.txt").read_text()
        os.sched_yield()
    (job / "cancel").touch()
    process.wait(60)
    assert json.loads((job / "status.json").read_text())["status"] == "CANCELLED"
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_checkpointed_activations_give_the_same_losses(new_job: NewJob) -> None:
    losses = []
    for checkpointed in (False, True):
        options = {"gradient_checkpointing": checkpointed}
        job = new_job(f"job-{checkpointed}", training_steps=5, options=options)
        assert worker.main([str(job)]) == worker.DONE
        losses.append([point["train_loss"] for point in _points(job).values()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_chosen_layers_alone_are_trained(new_job: NewJob) -> None:
    job = new_job(training_steps=2, options={"target_modules": ["q_proj", "mlp.down_proj"]})
    assert worker.main([str(job)]) == worker.DONE
    settings = json.loads((job / "adapter" / "adapter_config.json").read_text())
    assert sorted(settings["target_modules"]) == ["mlp.down_proj", "q_proj"]
    wrong = new_job("wrong", training_steps=2, options={"target_modules": ["q_prj"]})
    assert worker.main([str(wrong)]) == worker.FAILED
    said = json.loads((wrong / "status.json").read_text())["message"]
    assert "'q_prj'" in said
    assert "q_proj" in said
