"""Whoever is killed at whatever step: the same losses, no process left over, no file lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.faults.killing import BOTH, PATIENCE, SERVER, WORKER, steps_to_kill_at, training
from tests.engine.server.conftest import until
from tests.engine.training.conftest import TinyModel, tiny_model

__all__ = ["tiny_model"]
# The last half is left to it: while a killed server starts again, its worker goes on.
STEPS = 400


@pytest.mark.train
@pytest.mark.timeout(900)
def test_three_kills_at_random_steps_change_nothing(
    tmp_path: Path,
    tiny_model: TinyModel,
) -> None:
    with training(tmp_path / "own", tiny_model, STEPS) as held:
        straight = held.outcome(held.create())
        job = held.create()
        for step, victim in steps_to_kill_at(5, (SERVER, WORKER, BOTH), STEPS // 2):
            until(lambda step=step: held.step(job) >= step, PATIENCE)  # type: ignore[misc]
            assert not held.ended(job)
            held.kill(job, victim)
        assert held.outcome(job) == straight
        log = (held.folder(job).path / "log.txt").read_text()
        assert "Traceback" not in log
