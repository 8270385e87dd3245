from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.conftest import Engine, Shelf
from tests.mistral.faults import Answer, FaultServer, Request, answer, job_document
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import UsageError
from tui.domain.job import Hyperparameters
from tui.domain.usage import Amount
from tui.jobs import BudgetError, JobRequest, Jobs
from tui.mistral import (
    ApiError,
    ConsentNeeded,
    DuplicateError,
    Endpoints,
    EngineOff,
    Gate,
    Ledger,
    PrivateTextError,
    RefusedError,
    RetiredError,
    Unreachable,
)
from tui.settings import Settings
from tui.storage.workspace import Workspace

JOBS = "/v1/fine_tuning/jobs"
REQUEST = JobRequest(
    "answers", "m", hyperparameters=Hyperparameters(training_steps=4), suffix="team"
)


class Api:
    """Files and jobs in memory behind the scripted server; replies can be lost on purpose."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.files: dict[str, dict[str, Any]] = {}
        self.jobs: list[dict[str, Any]] = []
        self.lose: list[str] = []
        server.on("POST", "/v1/files", self.upload)
        server.on("GET", "/v1/files", self.list_files)
        server.on("POST", JOBS, self.create)
        server.on("GET", JOBS, lambda _: answer(self.listing(self.jobs)))

    @property
    def uploads(self) -> list[Request]:
        return self.server.asked("POST", "/v1/files")

    def upload(self, request: Request) -> Answer:
        name = request.body.partition(b'filename="')[2].partition(b'"')[0].decode()
        boundary = request.body.partition(b"\r\n")[0]
        content = request.body.partition(b'filename="')[2].partition(b"\r\n\r\n")[2]
        content = content.partition(b"\r\n" + boundary)[0]
        file_id = f"file-{len(self.files) + 1}"
        document = {
            "id": file_id,
            "object": "file",
            "bytes": len(content),
            "created_at": 1,
            "filename": name,
            "purpose": "fine-tune",
            "sample_type": "instruct",
            "source": "upload",
        }
        self.files[file_id] = document
        self.server.on("GET", f"/v1/files/{file_id}", answer({**document, "deleted": False}))
        return self.reply("upload", document)

    def list_files(self, request: Request) -> Answer:
        return answer(self.listing(list(self.files.values())))

    def create(self, request: Request) -> Answer:
        body = request.json()
        ids = [item["file_id"] for item in body["training_files"]]
        document = job_document(f"job-{len(self.jobs) + 1}", **{**body, "training_files": ids})
        self.jobs.insert(0, document)
        return self.reply("create", document)

    def reply(self, what: str, document: dict[str, Any]) -> Answer:
        if what in self.lose:
            self.lose.remove(what)
            return Answer(200, b'{"id":', {"content-type": "application/json"}, cut=True)
        return answer(document)

    def listing(self, data: list[dict[str, Any]]) -> dict[str, Any]:
        return {"data": data, "object": "list", "total": len(data)}


@pytest.fixture
def hosted(api: FaultServer) -> Api:
    return Api(api)


async def test_a_job_gets_training_then_memory_then_transfer_and_no_test(
    hosted: Api, jobs: Jobs
) -> None:
    job = await jobs.create(REQUEST)
    names = [file["filename"] for file in hosted.files.values()]
    assert [name.split(".")[1] for name in names] == ["train", "validation", "validation-transfer"]
    body = hosted.server.asked("POST", JOBS)[0].json()
    assert body["training_files"] == [{"file_id": "file-1", "weight": 1.0}]
    assert body["validation_files"] == ["file-2", "file-3"]
    assert body["hyperparameters"] == {"training_steps": 4}
    assert (body["auto_start"], body["suffix"]) == (True, "team")
    options = json.loads(hosted.server.asked("POST", JOBS)[0].headers["x-papertune-options"])
    assert options["lineage"] == {"dataset": "answers@v1", "papers": ["keller2024", "open2020"]}
    assert await jobs.validation_names(job) == {"file-2": "memory", "file-3": "transfer"}
    assert jobs.dataset_of(job.id) == "answers@v1"
    assert jobs.newest_for("answers@v1") == job.id
    assert jobs.newest_for("answers@v2") is None


async def test_the_same_content_is_uploaded_once_and_again_when_it_is_gone(
    hosted: Api, jobs: Jobs
) -> None:
    await jobs.create(REQUEST)
    await jobs.create(JobRequest("answers", "m"))
    assert len(hosted.uploads) == 3
    hosted.server.on("GET", "/v1/files/file-2", answer({"detail": "Not Found"}, 404))
    job = await jobs.create(JobRequest("answers", "m", suffix="third"))
    assert len(hosted.uploads) == 4
    assert job.validation_files == ("file-4", "file-3")


async def test_an_upload_whose_reply_is_lost_is_not_sent_twice(hosted: Api, jobs: Jobs) -> None:
    hosted.lose = ["upload"]
    job = await jobs.create(REQUEST)
    assert len(hosted.uploads) == 3
    assert job.training_files == ("file-1",)


async def test_a_job_whose_reply_is_lost_is_found_and_not_created_twice(
    hosted: Api, jobs: Jobs
) -> None:
    hosted.lose = ["create"]
    job = await jobs.create(REQUEST)
    assert job.id == "job-1"
    assert len(hosted.server.asked("POST", JOBS)) == 1
    again = await jobs.create(REQUEST)
    assert again.id == "job-2"  # asked for on purpose this time


async def test_a_job_is_found_even_when_the_next_try_comes_later(
    hosted: Api, jobs: Jobs, workspace: Workspace, shelf: Shelf, endpoints: Endpoints
) -> None:
    listing = answer(hosted.listing([]))
    hosted.server.on("GET", JOBS, listing, Answer(500), Answer(500))
    hosted.lose = ["create"]
    with pytest.raises(ApiError):
        await jobs.create(REQUEST)
    hosted.server.on("GET", JOBS, lambda _: answer(hosted.listing(hosted.jobs)))
    later = Jobs(workspace, shelf, endpoints, Ledger())
    assert (await later.create(REQUEST)).id == "job-1"
    assert len(hosted.server.asked("POST", JOBS)) == 1
    assert later.dataset_of("job-1") == "answers@v1"


async def test_a_request_that_never_arrived_is_sent_again(hosted: Api, jobs: Jobs) -> None:
    hosted.server.on("POST", JOBS, Answer(500))
    with pytest.raises(ApiError):
        await jobs.create(REQUEST)
    hosted.server.on("POST", JOBS, hosted.create)
    assert (await jobs.create(REQUEST)).id == "job-1"


async def test_alike_jobs_from_before_are_not_taken_for_ours(
    hosted: Api, jobs: Jobs, tmp_path: Path, shelf: Shelf, endpoints: Endpoints
) -> None:
    await jobs.create(REQUEST)
    other_workspace = Workspace.open(tmp_path / "other")
    others = Jobs(other_workspace, shelf, endpoints, Ledger())
    hosted.server.on("POST", JOBS, Answer(500))
    with pytest.raises(ApiError):
        await others.create(REQUEST)
    hosted.server.on("POST", JOBS, hosted.create)
    assert (await others.create(REQUEST)).id == "job-2"
    other_workspace.close()


async def test_the_same_job_under_way_is_named(hosted: Api, jobs: Jobs) -> None:
    await jobs.create(REQUEST)
    hosted.server.on("POST", JOBS, answer({"detail": "duplicate"}, 409))
    hosted.jobs[0]["training_files"] = ["file-1"]
    with pytest.raises(DuplicateError, match="papertune job watch job-1"):
        await jobs.create(REQUEST)


async def test_a_refusal_is_the_servers_word_and_leaves_nothing_open(
    hosted: Api, jobs: Jobs
) -> None:
    detail = [{"loc": ["body", "hyperparameters", "learning_rate"], "msg": "too large"}]
    hosted.server.on("POST", JOBS, answer({"detail": detail}, 422))
    with pytest.raises(RefusedError, match=r"hyperparameters\.learning_rate: too large"):
        await jobs.create(REQUEST)
    hosted.server.on("POST", JOBS, hosted.create)
    assert (await jobs.create(REQUEST)).id == "job-1"


async def test_a_retired_service_says_so_before_anything_is_uploaded(
    hosted: Api, jobs: Jobs
) -> None:
    hosted.server.on("GET", JOBS, Answer(410))
    with pytest.raises(RetiredError, match="papertune engine start"):
        await jobs.create(JobRequest("answers", "m", endpoint="lab"))
    assert not hosted.uploads


async def test_nothing_is_uploaded_before_the_gate_lets_it_pass(
    hosted: Api, workspace: Workspace, shelf: Shelf, endpoints: Endpoints
) -> None:
    gate = Gate(Settings(), lambda ids: frozenset(ids) & {"keller2024"}, lambda _: None)
    jobs = Jobs(workspace, shelf, endpoints, Ledger(), gate=gate)
    request = JobRequest("answers", "m", endpoint="lab")
    with pytest.raises(PrivateTextError, match="keller2024"):
        await jobs.create(request)
    open_gate = Gate(Settings(), lambda _: frozenset(), lambda _: None)
    jobs = Jobs(workspace, shelf, endpoints, Ledger(), gate=open_gate)
    with pytest.raises(ConsentNeeded):
        await jobs.create(request)
    assert not hosted.server.requests
    open_gate.consent(Endpoint("lab", EndpointKind.URL, ""))
    hosted.server.on("GET", "/local/status", answer({"detail": "Not Found"}, 404))
    assert (await jobs.create(request)).endpoint == "lab"
    assert "x-papertune-options" not in hosted.server.asked("POST", JOBS)[0].headers


async def test_a_budget_is_kept_before_anything_is_uploaded(hosted: Api, jobs: Jobs) -> None:
    with pytest.raises(BudgetError, match=r"more than the budget of 0\.1ktok"):
        await jobs.create(
            JobRequest(
                "answers",
                "m",
                hyperparameters=Hyperparameters(training_steps=100),
                budget=Amount.parse("0.1ktok"),
            )
        )
    assert not hosted.uploads


async def test_an_estimate_needs_no_engine(jobs: Jobs, engine: Engine) -> None:
    engine.at = None
    found = await jobs.estimate(JobRequest("answers", "m"))
    assert (found.examples, found.data_tokens) == (8, 80)
    assert (found.steps, found.epochs, found.tokens) == (20, 10.0, 800)
    assert not found.exact
    assert found.seconds is None
    with pytest.raises(EngineOff):
        await jobs.create(REQUEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"hyperparameters": Hyperparameters(learning_rate=5.0)},
        {"hyperparameters": Hyperparameters(training_steps=0)},
        {"hyperparameters": Hyperparameters(epochs=-1.0)},
        {"hyperparameters": Hyperparameters(epochs=1.0, training_steps=3)},
        {"suffix": "a-suffix-that-is-too-long"},
        {"options": {"rank": 4}},
        {"model": ""},
    ],
)
async def test_what_no_endpoint_takes_is_refused_at_once(
    jobs: Jobs, api: FaultServer, changes: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        await jobs.create(JobRequest(**{"dataset": "answers", "model": "m", **changes}))
    assert not api.requests


async def test_jobs_of_all_endpoints_are_one_list(hosted: Api, jobs: Jobs, engine: Engine) -> None:
    await jobs.create(REQUEST)
    hosted.server.on("GET", f"{JOBS}/job-1", answer(job_document("job-1", status="RUNNING")))
    assert [job.id for job in await jobs.list("local")] == ["job-1"]
    assert (await jobs.get("job-1")).status == "RUNNING"
    engine.at = None
    assert [job.endpoint for job in await jobs.list()] == ["lab"]
    with pytest.raises(EngineOff):
        await jobs.list("local")
    with pytest.raises((EngineOff, Unreachable)):
        await jobs.get("job-1")
