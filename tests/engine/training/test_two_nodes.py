"""One job trained by workers on two nodes of a real Slurm."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.launchers.cluster import Cluster, until
from tests.engine.launchers.conftest import slurm, slurm_session
from tui.engine.launchers.base import Launch
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.slurm.launcher import SlurmLauncher
from tui.engine.settings import Slurm
from tui.engine.supervisor.folder import JobFolder

__all__ = ["slurm", "slurm_session"]


@pytest.mark.train
def test_two_nodes_train_one_job(
    slurm: Cluster,
    new_job: Callable[..., Path],
) -> None:
    job = new_job(training_steps=6)
    folder = JobFolder(job)
    loopback = ("export GLOO_SOCKET_IFNAME=lo", f"export PATH={os.environ['PATH']}")
    settings = Slurm(nodes=2, poll_seconds=0.5, setup=loopback)
    by = SlurmLauncher(WorkerCommand.of("", job), settings)
    folder.write_launch({"launcher": "slurm", "attempt": 1, "at": time.time()})
    by.launch(folder, Launch(job.name, "tiny", 1))

    def ended() -> bool:
        said = folder.status().get("status")
        assert said != "FAILED", folder.log_tail()
        return said == "SUCCESS"

    until(ended, seconds=150, why="\n".join(folder.log_tail()))
    steps = [json.loads(line)["step"] for line in (job / "metrics.jsonl").open()]
    assert steps == [1, 2, 3, 4, 5, 6]
    seconds = json.loads((job / "took.json").read_text())["device_seconds"]
    assert seconds > 0
    assert (job / "adapter" / "adapter.gguf").stat().st_size
