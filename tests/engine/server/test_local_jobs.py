"""What the contract has no room for: estimates, places in the queue, ending early with success."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import Running, chat_lines, until

OPTIONS = "X-Papertune-Options"


def local(server: Running, job_id: str) -> dict[str, Any]:
    document: dict[str, Any] = server.client.get(f"/local/jobs/{job_id}").json()
    return document


def test_waiting_jobs_have_their_place_and_say_what_for(server: Running) -> None:
    server.behave("hold")
    jobs = [
        server.create_job(hyperparameters={"training_steps": steps}).json()["id"]
        for steps in (2, 3, 4)
    ]
    until(lambda: server.job(jobs[0])["status"] == "RUNNING")
    for job in jobs[1:]:
        until(lambda job=job: "trains" in (local(server, job)["queue"] or {}).get("reason", ""))  # type: ignore[misc]
    assert [local(server, job)["queue"] for job in jobs] == [
        None,
        {"place": 1, "reason": "another job trains on this machine"},
        {"place": 2, "reason": "another job trains on this machine"},
    ]
    server.client.post(f"/v1/fine_tuning/jobs/{jobs[1]}/cancel")
    until(lambda: local(server, jobs[2])["queue"]["place"] == 1)
    assert local(server, jobs[0])["devices"] == ["cpu"]


def test_a_job_is_ended_early_with_success(server: Running) -> None:
    server.behave("hold")
    job = server.create_job(hyperparameters={"training_steps": 50}).json()["id"]
    until(lambda: server.job(job)["checkpoints"])
    answer = server.client.post(f"/local/jobs/{job}/stop")
    assert answer.status_code == 200, answer.text
    done = server.wait(job, "SUCCESS")
    assert len(done["checkpoints"]) < 50
    assert server.client.get(f"/v1/models/{done['fine_tuned_model']}").status_code == 200
    assert server.client.post(f"/local/jobs/{job}/stop").status_code == 409


def test_a_checkpoint_that_is_not_kept_is_refused_with_those_that_are(server: Running) -> None:
    server.behave("hold")
    job = server.create_job().json()["id"]
    until(lambda: server.job(job)["checkpoints"])
    answer = server.client.post(f"/local/jobs/{job}/keep", json={"step": 3})
    assert answer.status_code == 404
    assert "none yet" in answer.json()["detail"]
    assert local(server, job)["kept"] == []
    waiting = server.create_job(hyperparameters={"training_steps": 9}).json()["id"]
    until(lambda: server.job(waiting)["status"] == "QUEUED")
    assert server.client.post(f"/local/jobs/{waiting}/stop").status_code == 409


def test_an_estimate_counts_and_stores_nothing(server: Running) -> None:
    file = server.upload(chat_lines(10))["id"]
    body = {
        "model": doubles.BASE,
        "training_files": [{"file_id": file}],
        "hyperparameters": {"epochs": 2},
    }
    answer = server.client.post(
        "/local/jobs/estimate", json=body, headers={OPTIONS: json.dumps({"batch_size": 5})}
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["steps"], found["examples"], found["truncated"]) == (4, 10, 0)
    assert found["tokens"] == pytest.approx(2 * found["data_tokens"], rel=0.1)
    assert found["memory"]["present"] > 0
    assert found["seconds"] > 0
    assert found["cost"] is None
    assert server.client.get("/v1/fine_tuning/jobs").json()["total"] == 0
    wrong = {**body, "training_files": [{"file_id": server.upload(b'{"text": 1}\n')["id"]}]}
    refused = server.client.post("/local/jobs/estimate", json=wrong)
    assert refused.status_code == 422
    assert "line 1" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["q_proj", "v_proj"], ["q_proj", "v_proj"]),
        ("q_proj, v_proj", ["q_proj", "v_proj"]),
        ("all-linear", None),
        (["all-linear"], None),
    ],
)
def test_target_modules_are_taken(server: Running, given: Any, taken: list[str] | None) -> None:
    headers = {OPTIONS: json.dumps({"target_modules": given})}
    job = server.create_job(headers=headers)
    assert job.status_code == 200, job.text
    server.wait(job.json()["id"], "SUCCESS")
    assert local(server, job.json()["id"])["options"].get("target_modules") == taken


def test_a_name_that_cannot_be_a_layer_is_refused(server: Running) -> None:
    headers = {OPTIONS: json.dumps({"target_modules": ["../x"]})}
    assert server.create_job(headers=headers).status_code == 422
