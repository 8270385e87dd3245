"""Fifty kills at random moments of real trainings: always the same losses, nothing left over."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.engine.faults.killing import BOTH, PATIENCE, SERVER, WORKER, Training, training
from tests.engine.server.conftest import until
from tests.engine.training.conftest import TinyModel, tiny_model

__all__ = ["tiny_model"]
# PAPERTUNE_SOAK_KILLS and PAPERTUNE_SOAK_SEED make a run shorter or another one.
KILLS = int(os.environ.get("PAPERTUNE_SOAK_KILLS", "50"))
SEED = int(os.environ.get("PAPERTUNE_SOAK_SEED", "20261122"))
STEPS = 400
KILLS_OF_A_TRAINING = 5
# A worker that dies three times in a row without a new step is given up, and that is right.
_DEATHS_WITHOUT_A_STEP = 2


@pytest.mark.soak
@pytest.mark.train
@pytest.mark.timeout(7200)
def test_trainings_killed_fifty_times_end_as_if_they_never_were(
    tmp_path: Path,
    tiny_model: TinyModel,
) -> None:
    chance = random.Random(SEED)
    hit = Counter[str]()
    began = time.monotonic()
    with training(tmp_path / "own", tiny_model, STEPS) as held:
        straight = held.outcome(held.create())
        trainings = 0
        while (left := KILLS - sum(hit.values())) > 0:
            trainings += 1
            job = held.create()
            hit += _killed(held, job, chance, min(left, KILLS_OF_A_TRAINING))
            assert held.outcome(job) == straight, f"training {trainings}, seed {SEED}"
            assert "Traceback" not in held.folder(job).log.read_text()
            sys.stdout.write(f"{sum(hit.values())} kills in {trainings} trainings: {dict(hit)}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{time.monotonic() - began:.0f} s, seed {SEED}\n")


def _killed(held: Training, job: str, chance: random.Random, kills: int) -> Counter[str]:
    """Kill one training up to so many times; fewer when it comes to its end before."""
    hit = Counter[str]()
    deaths, highest = 0, 0
    for _ in range(kills):
        victim = chance.choice((SERVER, WORKER, BOTH))
        if chance.random() < 0.5:
            # Somewhere in a start: libraries and model are read, a checkpoint is taken up.
            time.sleep(chance.uniform(0, 6))
        else:
            step = held.step(job) + chance.randrange(1, STEPS // 4)
            until(lambda step=step: held.step(job) >= step or held.ended(job), PATIENCE)  # type: ignore[misc]
        if deaths >= _DEATHS_WITHOUT_A_STEP and victim != SERVER:
            until(lambda top=highest: held.step(job) > top or held.ended(job), PATIENCE)  # type: ignore[misc]
        if held.step(job) > highest:
            highest, deaths = held.step(job), 0
        deaths += victim != SERVER
        when = "at the end" if held.ended(job) else "on the way" if highest else "in the start"
        held.kill(job, victim, chance.choice((SERVER, WORKER)))
        hit[f"{victim} {when}"] += 1
    return hit
