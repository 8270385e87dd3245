"""The board: there at once, true about its age, and it says what happened meanwhile."""

from __future__ import annotations

import time

from tests.jobs.conftest import Engine
from tests.mistral.faults import FaultServer, answer, job_document
from tui.jobs import Jobs
from tui.jobs.known import SPARKS, thinned
from tui.mistral import Ledger
from tui.storage.workspace import Workspace

LIST = "/v1/fine_tuning/jobs"
MOST = 100


def serve(api: FaultServer, *documents: dict[str, object], points: int = 0) -> None:
    """These jobs at every endpoint that is asked, each with a curve."""
    api.on("GET", LIST, answer({"data": documents, "object": "list", "total": len(documents)}))
    api.on("GET", "/local/status", answer({"detail": "Not Found"}, 404))
    for document in documents:
        curve = [
            {"step": n, "at": 100.0 + n, "train_loss": 3.0 / n, "validation": {}}
            for n in range(1, points + 1)
        ]
        api.on("GET", f"{LIST}/{document['id']}", answer(document))
        api.on(
            "GET",
            f"/local/jobs/{document['id']}",
            answer({"points": curve, "progress": {"step": points, "steps": 40}}),
        )


async def test_the_board_is_there_without_asking_and_says_when_it_was_heard(
    api: FaultServer, jobs: Jobs, engine: Engine
) -> None:
    serve(api, job_document("job-1", "RUNNING"), points=30)
    engine_only(jobs)
    assert jobs.board.known() == ()
    before = time.time()
    board = await jobs.board.refresh()
    assert [known.job.id for known in board.jobs] == ["job-1"]
    asked = len(api.requests)
    known = jobs.board.known()[0]
    assert len(api.requests) == asked
    assert known.heard_at >= before
    assert known.summary is not None
    assert (known.summary.step, known.summary.steps) == (30, 40)
    assert len(known.summary.sparks) == SPARKS
    assert known.summary.seconds_left is not None


async def test_an_endpoint_that_is_silent_keeps_what_it_told_last(
    api: FaultServer, jobs: Jobs, engine: Engine
) -> None:
    serve(api, job_document("job-1", "RUNNING"))
    engine_only(jobs)
    await jobs.board.refresh()
    engine.at = None
    board = await jobs.board.refresh()
    assert [known.job.id for known in board.jobs] == ["job-1"]
    assert "not running" in board.silent["local"]


async def test_a_job_deleted_elsewhere_is_marked_and_can_be_forgotten(
    api: FaultServer, jobs: Jobs
) -> None:
    serve(api, job_document("job-1", "RUNNING"), job_document("job-2", "RUNNING"))
    engine_only(jobs)
    await jobs.board.refresh()
    serve(api, job_document("job-2", "RUNNING"))
    board = await jobs.board.refresh()
    assert {known.job.id: known.gone for known in board.jobs} == {"job-1": True, "job-2": False}
    jobs.board.forget("job-2")
    jobs.board.forget("job-1")
    assert [known.job.id for known in jobs.board.known()] == ["job-2"]


async def test_coming_back_says_what_happened_meanwhile_once(api: FaultServer, jobs: Jobs) -> None:
    engine_only(jobs)
    old = {"created_at": 1_000, "modified_at": 1_000}
    serve(
        api,
        job_document("done-0000", "RUNNING", **old),
        job_document("fail-0000", "RUNNING", **old),
        job_document("gone-0000", "RUNNING", **old),
        job_document("same-0000", "SUCCESS", **old),
    )
    await jobs.board.refresh()
    later = time.time() + 3600
    assert jobs.board.meanwhile(at=later) == []  # nobody has looked yet
    jobs.board.looked()
    serve(
        api,
        job_document("done-0000", "SUCCESS", fine_tuned_model="ft:new", **old),
        job_document("fail-0000", "FAILED", **old),
        job_document("same-0000", "SUCCESS", **old),
        job_document("late-0000", "RUNNING", created_at=int(later), modified_at=int(later)),
    )
    await jobs.board.refresh()
    assert jobs.board.meanwhile() == []  # a moment is no absence
    words = {item.words for item in jobs.board.meanwhile(at=later)}
    assert words == {
        "Job done-000 is done: ft:new.",
        "Job fail-000 ended: failed.",
        "Job gone-000 was deleted at its endpoint.",
        "Job late-000 was launched and is running.",
    }
    jobs.board.looked()
    assert jobs.board.meanwhile(at=later + 7200) == []


async def test_what_ended_while_nobody_watched_is_in_the_ledger(
    api: FaultServer, jobs: Jobs
) -> None:
    engine_only(jobs)
    serve(api, job_document("job-1", "RUNNING"))
    await jobs.board.refresh()
    ran = [{"name": "status-updated", "data": {"status": "RUNNING"}, "created_at": 1795280100}]
    ended = job_document("job-1", "CANCELLED", modified_at=1795280700, events=ran)
    serve(api, ended)
    for _ in range(3):
        await jobs.board.refresh()
    rows = list(Ledger().rows())
    assert [(row.purpose, row.device_seconds) for row in rows] == [("training", 600.0)]


def test_a_sparkline_keeps_the_trend_of_a_long_curve() -> None:
    falling = [1000.0 - n for n in range(1000)]
    found = thinned(falling, SPARKS)
    assert len(found) == SPARKS and found == sorted(found, reverse=True)
    assert thinned([1.0, 2.0], SPARKS) == [1.0, 2.0]


async def test_two_apps_share_a_board_and_one_alert(
    api: FaultServer, jobs: Jobs, workspace: Workspace
) -> None:
    assert jobs.board.claim_alert("job-1", "done")
    assert not jobs.board.claim_alert("job-1", "done")
    assert jobs.board.claim_alert("job-1", "overfitting:30")


def engine_only(jobs: Jobs) -> None:
    """Other endpoints of the fixture are the same server under other names."""
    endpoints = jobs.board._endpoints
    everything = endpoints.all
    endpoints.all = lambda: [e for e in everything() if e.name == "local"]  # type: ignore[method-assign]
