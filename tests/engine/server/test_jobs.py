"""Jobs: the contract's documents, bounds and statuses, with a worker that only keeps protocol."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.server import doubles
from tests.engine.server.conftest import Running, chat_lines, until

JOBS = "/v1/fine_tuning/jobs"


def statuses(job: dict[str, Any]) -> list[str]:
    return [event["data"]["status"] for event in job["events"]]


def test_a_job_goes_from_upload_to_model(server: Running) -> None:
    train = server.upload(chat_lines(8))["id"]
    memory = server.upload(chat_lines(2, "eight"), "memory.jsonl")["id"]
    transfer = server.upload(chat_lines(2, "nine"), "transfer.jsonl")["id"]
    created = server.create_job(
        training_files=[{"file_id": train}], validation_files=[memory, transfer], suffix="My bot"
    )
    assert created.status_code == 200
    job = created.json()
    assert (job["object"], job["status"], job["job_type"]) == ("job", "QUEUED", "completion")
    assert job["auto_start"] is True
    assert "events" not in job
    assert "checkpoints" not in job
    assert set(job["metadata"].values()) == {None}
    done = server.wait(job["id"], "SUCCESS")
    assert statuses(done) == ["QUEUED", "VALIDATING", "VALIDATED", "RUNNING", "SUCCESS"]
    assert done["trained_tokens"] == 40
    base, name = doubles.BASE, done["fine_tuned_model"]
    kind, root, mark, day, suffix, first = name.split(":")
    assert (kind, root, suffix, first) == ("ft", base, "my-bot", job["id"][:8])
    assert len(mark) == 8
    assert int(mark, 16) >= 0
    assert datetime.strptime(day, "%Y%m%d")
    metadata = done["metadata"]
    assert metadata["train_tokens"] == 4 * metadata["train_tokens_per_step"]
    assert metadata["data_tokens"] > 0
    assert metadata["expected_duration_seconds"] > 0
    hyperparameters = done["hyperparameters"]
    assert (hyperparameters["training_steps"], hyperparameters["epochs"]) == (4, 1.0)
    assert hyperparameters["learning_rate"] == 0.002
    assert hyperparameters["fim_ratio"] is None
    steps = [point["step_number"] for point in done["checkpoints"]]
    assert steps == [4, 3, 2, 1]
    assert done["checkpoints"][0]["metrics"] == {
        "train_loss": 0.5,
        "valid_loss": 0.25,
        "valid_mean_token_accuracy": None,
    }
    assert done["checkpoints"][1]["metrics"]["valid_loss"] is None
    local = server.client.get(f"/local/jobs/{job['id']}", params={"after": 2}).json()
    assert [point["step"] for point in local["points"]] == [3, 4]
    assert local["points"][-1]["validation"] == {memory: 0.25, transfer: 0.25}
    assert local["files"][transfer] == "transfer.jsonl"
    assert local["progress"]["step"] == local["progress"]["steps"] == 4
    assert "stand-in worker began" in local["log"][0]


def test_the_extras_travel_in_a_header_and_reach_worker_and_model(server: Running) -> None:
    options = {
        "lora_rank": 8,
        "batch_size": 4,
        "seed": 3,
        "lineage": {"dataset": "answers@v2", "papers": ["p1", "p2"]},
    }
    job = server.create_job(headers={"X-Papertune-Options": json.dumps(options)}).json()
    done = server.wait(job["id"], "SUCCESS")
    spec = json.loads((server.home.job(job["id"]) / "spec.json").read_text())
    assert spec["options"] == {"lora_rank": 8, "lora_alpha": 16, "batch_size": 4, "seed": 3}
    assert done["hyperparameters"]["epochs"] == 2.0
    model = server.client.get(f"/local/models/{done['fine_tuned_model']}").json()
    assert model["lineage"] == {**options["lineage"], "job": job["id"]}  # type: ignore[dict-item]
    for bad in ("{", '{"lora_rank":0}', '{"rank":4}', '{"seed":NaN}', "[]"):
        answer = server.create_job(headers={"X-Papertune-Options": bad})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][:2] == ["header", "X-Papertune-Options"]


def test_epochs_become_steps(server: Running) -> None:
    job = server.create_job(hyperparameters={"epochs": 2.5}, auto_start=False).json()
    done = server.wait(job["id"], "VALIDATED")
    assert done["hyperparameters"]["training_steps"] == 10
    assert done["hyperparameters"]["epochs"] == 2.5


def test_without_auto_start_a_job_waits_to_be_started(server: Running) -> None:
    job = server.create_job(auto_start=False).json()
    assert job["auto_start"] is False
    server.wait(job["id"], "VALIDATED")
    started = server.client.post(f"{JOBS}/{job['id']}/start")
    assert started.status_code == 200
    assert "events" in started.json()
    server.wait(job["id"], "SUCCESS")
    again = server.client.post(f"{JOBS}/{job['id']}/start")
    assert again.status_code == 409


def test_a_dry_run_tells_the_cost_and_creates_nothing(server: Running) -> None:
    body = {
        "model": doubles.BASE,
        "hyperparameters": {"training_steps": 8},
        "training_files": [{"file_id": server.upload(chat_lines(8))["id"]}],
    }
    answer = server.client.post(JOBS, json=body, params={"dry_run": True}).json()
    assert (answer["object"], answer["deprecated"]) == ("job.metadata", True)
    assert (answer["training_steps"], answer["epochs"]) == (8, 2.0)
    assert answer["train_tokens"] == 8 * answer["train_tokens_per_step"]
    assert answer["details"]
    assert server.client.get(JOBS).json()["total"] == 0


def test_jobs_are_listed_newest_first_filtered_and_paged(server: Running) -> None:
    first = server.create_job(auto_start=False, suffix="one").json()
    second = server.create_job(auto_start=False, suffix="two").json()
    for job in (first, second):
        server.wait(job["id"], "VALIDATED")

    def ids(**query: str | int) -> list[str]:
        answer = server.client.get(JOBS, params=query)
        assert answer.status_code == 200, answer.text
        return [job["id"] for job in answer.json()["data"]]

    newest_first = [second["id"], first["id"]]
    assert ids() == newest_first
    assert ids(page_size=1, page=1) == [first["id"]]
    assert ids(suffix="one") == [first["id"]]
    assert ids(status="VALIDATED", model=doubles.BASE) == newest_first
    assert ids(status="SUCCESS") == []
    assert ids(model="other") == []
    assert ids(wandb_name="x") == []
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    assert ids(created_after=(now - hour).isoformat()) == newest_first
    assert ids(created_after=(now + hour).isoformat()) == []
    assert ids(created_before=(now - hour).isoformat().replace("+00:00", "Z")) == []
    assert server.client.get(JOBS, params={"status": "NONSENSE"}).status_code == 422
    document = server.client.get(JOBS).json()
    assert (document["object"], document["total"]) == ("list", 2)


def test_the_same_job_twice_is_a_conflict_until_the_first_has_ended(server: Running) -> None:
    server.behave("hold")
    job = server.create_job()
    assert job.status_code == 200
    assert server.create_job().status_code == 409
    assert server.create_job(hyperparameters={"training_steps": 5}).status_code == 200
    server.behave(None)
    server.wait(job.json()["id"], "SUCCESS")
    assert server.create_job().status_code == 200


def test_a_second_job_waits_for_the_device(server: Running) -> None:
    server.behave("hold")
    first = server.create_job().json()
    server.wait(first["id"], "RUNNING")
    second = server.create_job(hyperparameters={"training_steps": 3}).json()
    queued = until(
        lambda: (job := server.job(second["id"])) and "VALIDATED" in statuses(job) and job
    )
    assert until(lambda: server.job(second["id"])["status"] == "QUEUED")
    assert queued["fine_tuned_model"] is None
    assert server.client.get("/local/status").json()["jobs"] == {"running": 1, "queued": 1}
    server.behave(None)
    done = server.wait(second["id"], "SUCCESS")
    assert statuses(done)[2:] == ["VALIDATED", "QUEUED", "RUNNING", "SUCCESS"]
    assert max(server.voice.running) == 1


def test_bad_lines_fail_the_validation_unless_they_may_be_skipped(server: Running) -> None:
    content = chat_lines(9) + b'{"messages":[{"role":"user","content":"no answer"}]}\n'
    file = [{"file_id": server.upload(content)["id"]}]
    job = server.create_job(training_files=file).json()
    failed = server.wait(job["id"], "FAILED_VALIDATION")
    said = failed["events"][-1]["data"]["message"]
    assert "train.jsonl" in said
    assert "line 10" in said
    lenient = server.create_job(training_files=file, invalid_sample_skip_percentage=0.1).json()
    server.wait(lenient["id"], "SUCCESS")
    spec = json.loads((server.home.job(lenient["id"]) / "spec.json").read_text())
    assert spec["skip_share"] == 0.1


def test_cancel_stops_a_job_wherever_it_stands(server: Running) -> None:
    waiting = server.create_job(auto_start=False).json()
    server.wait(waiting["id"], "VALIDATED")
    answer = server.client.post(f"{JOBS}/{waiting['id']}/cancel")
    assert answer.json()["status"] == "CANCELLED"
    server.behave("hold")
    running = server.create_job().json()
    server.wait(running["id"], "RUNNING")
    until(lambda: server.job(running["id"])["checkpoints"])
    answer = server.client.post(f"{JOBS}/{running['id']}/cancel")
    assert answer.json()["status"] == "CANCELLATION_REQUESTED"
    done = server.wait(running["id"], "CANCELLED")
    assert statuses(done)[-2:] == ["CANCELLATION_REQUESTED", "CANCELLED"]
    assert server.client.post(f"{JOBS}/{running['id']}/cancel").status_code == 409


def test_what_a_worker_says_of_its_failure_is_told(server: Running) -> None:
    server.behave("fail")
    job = server.create_job().json()
    failed = server.wait(job["id"], "FAILED")
    assert "lower the learning rate" in failed["events"][-1]["data"]["message"]


def test_what_this_engine_does_not_do_is_said_plainly(server: Running) -> None:
    token = "0" * 40
    for changes in (
        {"job_type": "classifier"},
        {"classifier_targets": [{"name": "x", "labels": ["a"]}]},
        {"repositories": [{"type": "github", "owner": "o", "name": "n", "token": "t"}]},
        {"integrations": [{"type": "wandb", "project": "p", "api_key": token}]},
        {"hyperparameters": {"fim_ratio": 0.5}},
    ):
        answer = server.create_job(**changes)
        assert answer.status_code == 422
        assert "this engine" in answer.json()["detail"][0]["msg"]


def test_a_job_needs_training_files_that_exist(server: Running) -> None:
    none = server.create_job(training_files=[])
    assert none.status_code == 422
    assert none.json()["detail"][0]["loc"] == ["body", "job_in"]
    assert "At least one training file or repository is required" in none.text
    unknown = server.create_job(training_files=[{"file_id": str(uuid.uuid4())}])
    assert unknown.json()["detail"][0]["loc"] == ["body", "training_files", 0, "file_id"]


def test_a_model_that_is_not_here_is_refused_with_the_command_that_gets_it(
    server: Running,
) -> None:
    answer = server.create_job(model="open-mistral-7b")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("Model not available")
    assert "model pull" in answer.json()["message"]


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"hyperparameters": {"learning_rate": 5}}, ["hyperparameters", "learning_rate"]),
        ({"hyperparameters": {"learning_rate": 0}}, ["hyperparameters", "learning_rate"]),
        ({"hyperparameters": {"training_steps": 0}}, ["hyperparameters", "training_steps"]),
        ({"hyperparameters": {"epochs": 0}}, ["hyperparameters", "epochs"]),
        ({"hyperparameters": {"seq_len": 99}}, ["hyperparameters", "seq_len"]),
        ({"hyperparameters": {"weight_decay": 1.1}}, ["hyperparameters", "weight_decay"]),
        ({"hyperparameters": {"warmup_fraction": -0.1}}, ["hyperparameters", "warmup_fraction"]),
        ({"hyperparameters": None}, ["hyperparameters"]),
        ({"suffix": "x" * 19}, ["suffix"]),
        ({"invalid_sample_skip_percentage": 0.6}, ["invalid_sample_skip_percentage"]),
        ({"training_files": [{"file_id": "x"}]}, ["training_files", 0, "file_id"]),
        (
            {"integrations": [{"type": "wandb", "project": "p", "api_key": "short"}]},
            ["integrations", 0, "api_key"],
        ),
    ],
)
def test_bounds_are_checked_in_the_list_shape(
    server: Running, changes: dict[str, Any], location: list[str | int]
) -> None:
    answer = server.create_job(**changes)
    assert answer.status_code == 422
    item = answer.json()["detail"][0]
    assert item["loc"] == ["body", *location]
    assert {"type", "loc", "msg"} <= set(item)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["model", "training_files", "validation_files", "suffix", "auto_start", "hyperparameters",
     "invalid_sample_skip_percentage", "job_type", "integrations", "repositories"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    ["training_steps", "learning_rate", "weight_decay", "warmup_fraction", "epochs", "seq_len"]
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.dictionaries(FIELDS, JSON, max_size=4),
    numbers=st.dictionaries(NUMBERS, st.integers() | st.floats() | st.none(), max_size=4),
)
def test_whatever_is_asked_for_is_never_a_fault_of_the_server(
    server: Running, body: dict[str, Any], numbers: dict[str, Any]
) -> None:
    for asked in (
        {"model": doubles.BASE, "auto_start": False, "hyperparameters": numbers, **body},
        body,
    ):
        answer = server.client.post(
            JOBS, content=json.dumps(asked), headers={"content-type": "application/json"}
        )
        assert answer.status_code in (200, 409, 422), answer.text


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.dictionaries(
        st.sampled_from(["page", "page_size", "created_after", "status", "model", "search"]),
        st.text() | st.integers().map(str) | st.datetimes().map(str),
    ),
    name=st.text(min_size=1),
)
def test_whatever_is_looked_for_is_never_a_fault_of_the_server(
    server: Running, query: dict[str, str], name: str
) -> None:
    for path in (JOBS, "/v1/files"):
        assert server.client.get(path, params=query).status_code in (200, 422)
    from urllib.parse import quote

    for path in (JOBS, "/v1/files", "/v1/models", "/local/jobs"):
        answer = server.client.get(f"{path}/{quote(name, safe='', errors='replace')}")
        assert answer.status_code in (200, 400, 404, 405), answer.text
