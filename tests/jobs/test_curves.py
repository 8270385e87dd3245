"""The rules on curves of real training runs; `curves/record.py` says how they were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tui.domain.job import JobStatus, LossPoint
from tui.jobs import best_step, diagnose
from tui.jobs.diagnose import Remedy, about_transfer
from tui.mistral.local import point

CURVES = sorted((Path(__file__).parent / "curves").glob("*.jsonl"))
MEMORY = "memory"


@dataclass(frozen=True)
class Recorded:
    """A run as the worker wrote it down."""

    name: str
    made_to: str
    status: JobStatus
    steps: int
    points: tuple[LossPoint, ...]

    @property
    def evaluations(self) -> list[int]:
        return [n for n, one in enumerate(self.points) if MEMORY in one.validation]


def read(path: Path) -> Recorded:
    head, *lines = map(json.loads, path.read_text().splitlines())
    points = tuple(point(line) for line in lines)
    return Recorded(path.stem, head["made_to"], JobStatus(head["status"]), head["steps"], points)


def codes(run: Recorded, upto: int, status: JobStatus = JobStatus.RUNNING) -> list[Any]:
    return diagnose(run.points[:upto], memory=MEMORY, status=status, steps=run.steps)


RUNS = [read(path) for path in CURVES]
OVERFIT = [run for run in RUNS if run.made_to == "overfit"]
HEALTHY = [run for run in RUNS if run.made_to == "learn"]


def test_there_are_several_runs_of_each_kind() -> None:
    assert len(OVERFIT) >= 3 and len(HEALTHY) >= 3


@pytest.mark.parametrize("run", OVERFIT, ids=lambda run: run.name)
def test_overfitting_is_raised_within_two_evaluations_of_the_minimum(run: Recorded) -> None:
    best = best_step(run.points, MEMORY)
    at = next(n for n in run.evaluations if run.points[n].step == best)
    due = run.evaluations[run.evaluations.index(at) + 2]
    found = [item for item in codes(run, due + 1) if item.code == "overfitting"]
    assert found, "two evaluations after the minimum it is not raised"
    assert found[0].best_step == best
    assert found[0].remedy is Remedy.KEEP
    assert found[0].advice == f"stop here and keep checkpoint {best}"


@pytest.mark.parametrize("run", HEALTHY, ids=lambda run: run.name)
def test_a_healthy_run_raises_no_alarm_at_any_step(run: Recorded) -> None:
    for upto in range(1, len(run.points) + 1):
        assert [item.code for item in codes(run, upto)] == []


@pytest.mark.parametrize("run", HEALTHY, ids=lambda run: run.name)
def test_a_healthy_run_ends_with_a_note_at_most(run: Recorded) -> None:
    found = codes(run, len(run.points), run.status)
    assert {item.severity for item in found} <= {"note"}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_rising_transfer_loss_is_explained_and_alarms_nobody(run: Recorded) -> None:
    only = [
        LossPoint(p.step, p.at, p.train_loss, validation={"transfer": p.validation["transfer"]})
        for p in run.points
        if "transfer" in p.validation
    ]
    found = diagnose(only, memory=None, status=JobStatus.RUNNING, steps=run.steps)
    assert not [item for item in found if item.code == "overfitting"]
    losses = [one.validation["transfer"] for one in only]
    if losses and losses[-1] > 1.05 * min(losses):
        assert "no alarm" in about_transfer(only, "transfer")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no-rate", "not-learning"),
        ("too-high-rate", "diverging"),
        ("far-too-high-rate", "diverging"),
        ("too-short", "too-few-steps"),
    ],
)
def test_a_run_that_was_set_up_wrongly_is_told_what_is_wrong(name: str, code: str) -> None:
    run = next(run for run in RUNS if run.name == name)
    assert code in [item.code for item in codes(run, len(run.points), run.status)]
