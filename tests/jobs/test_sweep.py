"""A grid of jobs: launched once whatever is lost, and the best one named."""

from __future__ import annotations

import pytest

from tests.jobs.test_submit import JOBS, Api
from tests.mistral.faults import FaultServer, answer
from tui.domain.errors import UsageError
from tui.jobs import JobRequest, Jobs
from tui.jobs.sweep import read_grid, spread

REQUEST = JobRequest("answers", "m")


@pytest.fixture
def hosted(api: FaultServer) -> Api:
    api.on("GET", "/local/catalogue", answer([]))
    return Api(api)


async def launched(jobs: Jobs, **grid: list[float | int]) -> list[tuple[str, bool]]:
    return [(job.id, new) async for job, new in jobs.sweeps.launch(REQUEST, grid)]


async def test_each_combination_is_one_job_in_order(hosted: Api, jobs: Jobs) -> None:
    found = await launched(jobs, learning_rate=[1e-3, 5e-4], lora_rank=[8, 16])
    assert [new for _, new in found] == [True] * 4
    bodies = [request.json() for request in hosted.server.asked("POST", JOBS)]
    assert [body["hyperparameters"]["learning_rate"] for body in bodies] == [1e-3, 1e-3, 5e-4, 5e-4]
    assert len(hosted.uploads) == 3  # the files are the same for all


async def test_a_sweep_that_was_cut_in_half_goes_on_where_it_was(hosted: Api, jobs: Jobs) -> None:
    grid: dict[str, list[float | int]] = {"learning_rate": [1e-3, 5e-4, 1e-4]}
    launch = jobs.sweeps.launch(REQUEST, grid)
    first, _ = await anext(launch)
    await launch.aclose()
    hosted.server.on("GET", f"{JOBS}/{first.id}", answer(hosted.jobs[0]))
    again = await launched(jobs, **grid)
    assert [new for _, new in again] == [False, True, True]
    assert len(hosted.jobs) == 3


async def test_a_reply_that_is_swallowed_launches_no_job_of_a_sweep_twice(
    hosted: Api, jobs: Jobs
) -> None:
    hosted.lose = ["create"]
    found = await launched(jobs, learning_rate=[1e-3, 5e-4])
    assert len(found) == len(hosted.jobs) == 2


async def test_the_best_is_the_one_with_the_lowest_memory_loss(hosted: Api, jobs: Jobs) -> None:
    found = await launched(jobs, learning_rate=[1e-3, 5e-4])
    for place, (job_id, _) in enumerate(found):
        document = next(item for item in hosted.jobs if item["id"] == job_id)
        memory = document["validation_files"][0]
        hosted.server.on("GET", f"{JOBS}/{job_id}", answer({**document, "status": "SUCCESS"}))
        loss = [0.9, 0.4][place]
        points = [{"step": 5, "at": 1.0, "train_loss": 1.0, "validation": {memory: loss}}]
        hosted.server.on("GET", f"/local/jobs/{job_id}", answer({"points": points}))
        document["status"] = "SUCCESS"
    board = await jobs.board.refresh()
    result = jobs.sweeps.result("", board.jobs)
    assert [member.settings for member in result.members] == [
        {"learning_rate": 1e-3},
        {"learning_rate": 5e-4},
    ]
    assert result.best is not None and result.best.job == found[1][0]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["learning_rate"],
        ["learning_rate="],
        ["learning_rate=fast"],
        ["lora_rank=1.5"],
        ["learning_rates=1e-3"],
        ["seed=" + ",".join(map(str, range(30)))],
    ],
)
def test_a_grid_that_is_none_is_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        read_grid(texts)


def test_a_grid_is_read_with_short_names_and_spread() -> None:
    grid = read_grid(["lr=1e-3,5e-4", "rank=8", "steps=20,40"])
    assert grid == {"learning_rate": [1e-3, 5e-4], "lora_rank": [8], "training_steps": [20, 40]}
    requests = spread(REQUEST, grid)
    assert len(requests) == 4 and len({one.group for one in requests}) == 1
    assert [one.hyperparameters.training_steps for one in requests] == [20, 40, 20, 40]
    with pytest.raises(UsageError):
        spread(REQUEST, {"learning_rate": [5.0]})
