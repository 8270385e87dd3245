"""Jobs against the real engine server, with a worker that trains nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.engine.server.doubles import BASE
from tests.jobs.conftest import Shelf
from tui.domain.job import Hyperparameters, JobStatus
from tui.jobs import JobRequest, Jobs, Pace, WatchEvent
from tui.mistral import Endpoints, EngineControl, Ledger
from tui.settings import Credentials, Settings
from tui.storage.locations import data_dir
from tui.storage.workspace import Workspace

ROOT = Path(__file__).parents[2]
QUICK = Pace(shortest=0.05, longest=0.2, longest_offline=0.2)


class StandInControl(EngineControl):
    """The engine of this test's own folders, with stand-ins behind its routes."""

    command = (sys.executable, "-m", "tests.engine.server.doubles")


@pytest.fixture
async def control(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineControl]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    control = StandInControl()
    await control.start()
    yield control
    await control.stop()
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[-1].startswith(str(data_dir() / "engine")):
            process.kill()


@pytest.fixture
async def live(control: EngineControl, workspace: Workspace, shelf: Shelf) -> AsyncIterator[Jobs]:
    endpoints = Endpoints(Settings(), Credentials(environment={}), control, Ledger())
    yield Jobs(workspace, shelf, endpoints, Ledger(), engine=control)
    await endpoints.aclose()


def behave(how: str | None) -> None:
    path = data_dir() / "engine" / "jobs" / "behave"
    path.unlink(missing_ok=True)
    if how is not None:
        path.write_text(how)


def steps(events: list[WatchEvent]) -> list[int]:
    return [event.point.step for event in events if event.point]


async def test_a_job_goes_from_estimate_to_model(live: Jobs) -> None:
    request = JobRequest(
        "answers@v1",
        BASE,
        hyperparameters=Hyperparameters(training_steps=6),
        options={"batch_size": 2},
    )
    estimate = await live.estimate(request)
    assert estimate.exact
    assert (estimate.examples, estimate.steps) == (8, 6)
    assert estimate.seconds and estimate.memory_present
    assert (estimate.measured, estimate.launcher) == (False, "process")
    job = await live.create(request)
    names = await live.validation_names(job)
    assert sorted(names.values()) == ["memory", "transfer"]
    events = [event async for event in live.watch(job.id, pace=QUICK)]
    assert steps(events) == [1, 2, 3, 4, 5, 6]
    assert events[-1].event == "done"
    assert events[-1].status == JobStatus.SUCCESS
    evaluated = [
        event.point.validation for event in events if event.point and event.point.step == 6
    ]
    assert set(evaluated[0]) == set(names)
    done = await live.get(job.id[:8])
    assert done.fine_tuned_model is not None
    assert done.fine_tuned_model.startswith(f"ft:{BASE}:")
    assert done.metadata["train_tokens"] == estimate.tokens
    assert [item.id for item in await live.list()] == [job.id]
    assert [row.model for row in Ledger().rows()] == [done.fine_tuned_model]


async def test_a_measured_estimate_leaves_no_job_and_no_folder(live: Jobs) -> None:
    request = JobRequest("answers@v1", BASE, hyperparameters=Hyperparameters(training_steps=6))
    told = await live.estimate(request, measure=True)
    assert (told.examples, told.steps, told.truncated) == (8, 6, 0)
    assert not await live.list()
    assert not list((data_dir() / "engine").glob("warm-up-*"))


async def test_what_the_engine_would_refuse_stands_beside_the_estimate(live: Jobs) -> None:
    request = JobRequest("answers@v1", BASE, options={"lora_rank": 5000})
    told = await live.estimate(request)
    assert told.examples == 8
    assert any("1024" in note for note in told.notes)


async def test_a_watch_outlives_the_engine_and_tells_each_step_once(
    live: Jobs, control: EngineControl
) -> None:
    (data_dir() / "engine" / "jobs").mkdir(parents=True, exist_ok=True)
    behave("hold")
    job = await live.create(
        JobRequest("answers", BASE, hyperparameters=Hyperparameters(training_steps=5))
    )
    events: list[WatchEvent] = []
    async for event in live.watch(job.id, pace=QUICK):
        events.append(event)
        if event.point and event.point.step == 1:
            await control.stop()
            behave(None)
        if event.event == "warning" and event.diagnosis is None:
            assert "papertune engine start" in event.message
            await control.start()
    assert steps(events) == [1, 2, 3, 4, 5]
    assert [event.event for event in events].count("done") == 1
    assert events[-1].status == JobStatus.SUCCESS


async def test_a_job_that_waits_is_started_and_cancelled_by_hand(live: Jobs) -> None:
    (data_dir() / "engine" / "jobs").mkdir(parents=True, exist_ok=True)
    behave("hold")
    job = await live.create(JobRequest("answers", BASE, start=False))

    seen = []
    async for event in live.watch(job.id, pace=QUICK):
        seen.append(str(event.status))
        if event.event == "status" and event.status == JobStatus.VALIDATED:
            await live.start(job.id)
        if event.event == "status" and event.status == JobStatus.RUNNING:
            await live.cancel(job.id)
    assert seen[-1] == JobStatus.CANCELLED
    assert JobStatus.VALIDATED in seen


async def test_a_job_that_fails_says_why(live: Jobs) -> None:
    (data_dir() / "engine" / "jobs").mkdir(parents=True, exist_ok=True)
    behave("fail")
    job = await live.create(JobRequest("answers", BASE))
    events = [event async for event in live.watch(job.id, pace=QUICK)]
    assert events[-1].status == JobStatus.FAILED
    assert "lower the learning rate" in events[-1].message
