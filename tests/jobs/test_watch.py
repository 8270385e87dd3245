from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.jobs.conftest import AT_ONCE, Engine
from tests.mistral.faults import Answer, FaultServer, answer, job_document
from tui.jobs import Jobs, WatchEvent, as_plain
from tui.mistral import AbsentError, AuthError, Endpoints, Ledger
from tui.settings import SecretStr
from tui.storage.workspace import Workspace

JOB = "/v1/fine_tuning/jobs/job-1"
LOCAL = "/local/jobs/job-1"


def job(status: str, *history: tuple[str, int], **more: Any) -> Answer:
    events = [
        {"name": "status-updated", "data": {"status": name}, "created_at": at}
        for name, at in history
    ]
    return answer(job_document("job-1", status=status, events=events, **more))


def local(*points: dict[str, Any], **more: Any) -> Answer:
    return answer({"points": list(points), "progress": {"step": 1, "steps": 4}, **more})


def point(step: int, train: float | None = None, **validation: float) -> dict[str, Any]:
    loss = 0.2 / step if train is None else train
    return {"step": step, "at": 100.0 + step, "train_loss": loss, "validation": validation}


@pytest.fixture(autouse=True)
def listed(api: FaultServer) -> None:
    everything = {"data": [job_document("job-1")], "object": "list", "total": 1}
    api.on("GET", "/v1/fine_tuning/jobs", answer(everything))


async def watched(jobs: Jobs) -> list[WatchEvent]:
    return [event async for event in jobs.watch("job-1", pace=AT_ONCE)]


def told(events: list[WatchEvent]) -> list[str | int]:
    """Statuses and steps in the order in which they were told."""
    return [
        event.point.step if event.point else f"{event.event}:{event.status}" for event in events
    ]


Q, R, S = ("QUEUED", 100), ("RUNNING", 101), ("SUCCESS", 110)


async def test_everything_is_told_once_and_in_time_order(api: FaultServer, jobs: Jobs) -> None:
    api.on(
        "GET",
        JOB,
        job("QUEUED", Q),
        job("RUNNING", Q, R),
        job("RUNNING", R, Q),
        job("SUCCESS", S, R, Q),
    )
    api.on(
        "GET",
        LOCAL,
        local(),
        local(point(1), point(2)),
        local(point(2), point(3)),
        local(point(3), point(4)),
    )
    events = await watched(jobs)
    assert told(events) == [
        "status:QUEUED",
        "status:RUNNING",
        1,
        2,
        3,
        4,
        "status:SUCCESS",
        "done:SUCCESS",
    ]


async def test_a_step_whose_validation_comes_later_is_told_whole(
    api: FaultServer, jobs: Jobs
) -> None:
    api.on(
        "GET", JOB, job("RUNNING", R), job("RUNNING", R), job("RUNNING", R), job("SUCCESS", R, S)
    )
    api.on("GET", LOCAL, local(point(1)), local(point(1, m=0.5)), local(point(1, m=0.5)), local())
    events = await watched(jobs)
    points = [event.point for event in events if event.point]
    assert [(item.step, item.validation) for item in points] == [(1, {"m": 0.5})]


async def test_a_status_without_history_is_told_once(api: FaultServer, jobs: Jobs) -> None:
    api.on("GET", JOB, job("RUNNING"), job("RUNNING", R), job("SUCCESS", R, S))
    api.on("GET", LOCAL, local())
    assert told(await watched(jobs)) == ["status:RUNNING", "status:SUCCESS", "done:SUCCESS"]


async def test_faults_are_told_once_and_nothing_is_lost_or_doubled(
    api: FaultServer, jobs: Jobs
) -> None:
    faults = (
        [Answer(500)] * 4 + [Answer(429)] * 4 + [Answer(200, b"{")] + [Answer(200, cut=True)] * 4
    )
    api.on("GET", JOB, job("RUNNING", Q, R), *faults, job("RUNNING", Q, R), job("SUCCESS", Q, R, S))
    api.on(
        "GET",
        LOCAL,
        local(point(1), point(2)),
        local(point(2), point(3)),
        local(point(3), point(4)),
    )
    events = await watched(jobs)
    warnings = [event for event in events if event.event == "warning"]
    assert len(warnings) == 1
    assert "(500)" in warnings[0].message
    assert [event.message for event in events if "answers again" in event.message]
    assert [event.point.step for event in events if event.point] == [1, 2, 3, 4]
    assert told(events).count("status:SUCCESS") == 1


async def test_an_engine_that_restarts_elsewhere_is_found_again(
    api: FaultServer, jobs: Jobs, engine: Engine
) -> None:
    home = engine.at
    api.on("GET", JOB, job("RUNNING", R), job("SUCCESS", R, S))
    api.on("GET", LOCAL, local(point(1), point(2)), local(point(2)))
    events = []
    async for event in jobs.watch("job-1", pace=AT_ONCE):
        events.append(event)
        if event.point:
            engine.at = None
        if event.event == "warning":
            assert "papertune engine start" in event.message
            assert "goes on by itself" in event.message
            engine.at = (home[0], SecretStr("another-token-of-it")) if home else None
    assert told(events)[-2:] == ["status:SUCCESS", "done:SUCCESS"]
    assert api.requests[-1].headers["authorization"] == "Bearer another-token-of-it"


async def test_a_watch_may_start_the_engine(
    api: FaultServer, workspace: Workspace, endpoints: Endpoints, engine: Engine, shelf: Any
) -> None:
    home = engine.at

    class Control:
        started = 0

        async def ensure(self) -> None:
            self.started += 1
            engine.at = home

    api.on("GET", JOB, job("SUCCESS", R, S))
    api.on("GET", LOCAL, local(point(1)))
    control = Control()
    jobs = Jobs(workspace, shelf, endpoints, Ledger(), engine=control)  # type: ignore[arg-type]
    await jobs.list("local")
    engine.at = None
    events = [event async for event in jobs.watch("job-1", pace=AT_ONCE, revive=True)]
    assert events[0].event == "warning"
    assert control.started == 1
    assert told(events)[-1] == "done:SUCCESS"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer({"detail": "Not Found"}, 404), AbsentError),
        (answer({"detail": "Unauthorized"}, 401), AuthError),
    ],
)
async def test_what_waiting_does_not_mend_ends_the_watch(
    api: FaultServer, jobs: Jobs, reply: Answer, kind: type[Exception]
) -> None:
    api.on("GET", JOB, job("RUNNING", R), reply)
    api.on("GET", LOCAL, local())
    with pytest.raises(kind):
        await watched(jobs)


async def test_a_diagnosis_is_told_once_with_its_evidence(api: FaultServer, jobs: Jobs) -> None:
    memory = {2: 0.9, 4: 0.5, 6: 0.7, 8: 0.9}
    curve = [
        point(step, **({"0b4ce1d8": memory[step]} if step in memory else {}))
        for step in range(1, 9)
    ]
    api.on("GET", JOB, job("RUNNING", R), job("RUNNING", R), job("SUCCESS", R, S))
    api.on("GET", LOCAL, local(*curve), local(*curve), local(curve[-1]))
    warnings = [event for event in await watched(jobs) if event.event == "warning"]
    assert [
        (item.diagnosis.code, item.diagnosis.best_step) for item in warnings if item.diagnosis
    ] == [("overfitting", 4)]


async def test_checkpoints_make_the_curve_where_there_is_no_engine(
    api: FaultServer, jobs: Jobs, engine: Engine
) -> None:
    engine.at = None
    api.on("GET", "/local/status", answer({"detail": "Not Found"}, 404))

    def checkpoint(step: int, valid: float) -> dict[str, Any]:
        return {
            "metrics": {"train_loss": 1.0, "valid_loss": valid},
            "step_number": step,
            "created_at": 100 + step,
        }

    first, second = checkpoint(1, 0.0), checkpoint(2, 0.8)
    api.on(
        "GET",
        JOB,
        job("RUNNING", R, checkpoints=[first]),
        job("SUCCESS", R, S, checkpoints=[second, first]),
    )
    events = await watched(jobs)
    points = [event.point for event in events if event.point]
    assert [(item.step, item.validation) for item in points] == [(1, {}), (2, {"0b4ce1d8": 0.8})]


async def test_a_finished_job_is_in_the_ledger_once(api: FaultServer, jobs: Jobs) -> None:
    done = job(
        "SUCCESS", R, S, fine_tuned_model="ft:m:1", trained_tokens=640, modified_at=1795280170
    )
    api.on("GET", JOB, done)
    api.on("GET", LOCAL, local())
    await watched(jobs)
    await watched(jobs)
    [row] = Ledger().rows()
    assert (row.purpose, row.model, row.prompt_tokens) == ("training", "ft:m:1", 640)
    assert row.device_seconds == 1795280170 - 101


async def test_an_event_as_json_names_what_was_validated(api: FaultServer, jobs: Jobs) -> None:
    api.on("GET", JOB, job("SUCCESS", R, S))
    api.on("GET", LOCAL, local(point(1, a=0.5, b=1.5), message="saved"))
    events = await watched(jobs)
    names = {"a": "memory", "b": "transfer"}
    lines = [as_plain(event, names) for event in events]
    assert lines[1]["validation"] == {"memory": 0.5, "transfer": 1.5}
    assert lines[1]["steps"] == 4
    assert lines[-1]["event"] == "done"
    assert lines[-1]["message"] == "saved"
    assert all(line["job"] == "job-1" for line in lines)


async def test_a_loss_that_is_no_number_is_told_and_does_not_stop_the_watch(
    api: FaultServer, jobs: Jobs
) -> None:
    api.on("GET", JOB, job("RUNNING", R), job("FAILED", R, ("FAILED", 120)))
    api.on("GET", LOCAL, local(point(1), point(2, math.nan), point(3, math.nan)))
    events = await watched(jobs)
    assert [event.diagnosis.code for event in events if event.diagnosis] == ["not-a-number"]
    assert told(events)[-1] == "done:FAILED"
    lines = [json.loads(json.dumps(as_plain(event), allow_nan=False)) for event in events]
    assert [line["train_loss"] for line in lines if "step" in line] == [0.2, None, None]


async def test_jobs_side_by_side_say_what_differs(api: FaultServer, jobs: Jobs) -> None:
    two = [job_document("job-1"), job_document("job-2")]
    api.on("GET", "/v1/fine_tuning/jobs", answer({"data": two, "total": 2}))
    api.on(
        "GET", JOB, job("SUCCESS", hyperparameters={"training_steps": 4, "learning_rate": 0.001})
    )
    other = job_document("job-2", hyperparameters={"training_steps": 4, "learning_rate": 0.01})
    api.on("GET", "/v1/fine_tuning/jobs/job-2", answer(other))
    api.on("GET", LOCAL, local(point(1, **{"0b4ce1d8": 0.4}), point(2, **{"0b4ce1d8": 0.6})))
    api.on("GET", "/local/jobs/job-2", local())
    found = await jobs.compare(["job-1", "job-2"])
    assert found.differs == ("learning_rate",)
    first, second = found.jobs
    assert (first.best_step, first.best_loss, first.train_loss) == (1, 0.4, 0.1)
    assert first.validation == {"memory": 0.6}
    assert (second.best_step, second.train_loss) == (None, None)


async def test_what_a_queued_job_waits_for_is_told_whenever_it_changes(
    api: FaultServer, jobs: Jobs
) -> None:
    def waits(reason: str) -> Answer:
        return local(queue={"place": 1, "reason": reason})

    api.on("GET", JOB, job("QUEUED", Q), job("QUEUED", Q), job("QUEUED", Q), job("SUCCESS", Q, S))
    api.on("GET", LOCAL, waits("no GPU is free"), waits("no GPU is free"), waits("held"), local())
    events = await watched(jobs)
    assert [event.message for event in events if event.message] == ["no GPU is free", "held"]
    assert told(events)[-2:] == ["status:SUCCESS", "done:SUCCESS"]


async def test_the_ledger_has_the_device_seconds_that_the_engine_counted(
    api: FaultServer, jobs: Jobs
) -> None:
    counted = {"device_seconds": 41.5, "cost": 0.02, "cost_currency": "EUR"}
    api.on("GET", JOB, job("SUCCESS", Q, R, S, metadata=counted))
    api.on("GET", LOCAL, local(point(1)))
    await watched(jobs)
    (row,) = Ledger().rows()
    assert (row.device_seconds, row.cost, row.currency) == (41.5, 0.02, "EUR")
