"""Models: cards, names, archive, deletion; and the engine's own routes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import Running


@pytest.fixture
def tuned(server: Running) -> dict[str, Any]:
    job = server.create_job().json()
    return server.wait(job["id"], "SUCCESS")


def test_cards_are_those_of_the_contract(server: Running, tuned: dict[str, Any]) -> None:
    listed = server.client.get("/v1/models").json()
    assert listed["object"] == "list"
    base, fine = listed["data"]
    assert (base["id"], base["type"]) == (doubles.BASE, "base")
    assert base["capabilities"]["fine_tuning"] is True
    assert "job" not in base
    assert (fine["type"], fine["job"], fine["root"]) == ("fine-tuned", tuned["id"], doubles.BASE)
    assert fine["archived"] is False
    assert fine["capabilities"]["completion_chat"] is True
    name = tuned["fine_tuned_model"]
    assert server.client.get(f"/v1/models/{name}").json() == fine
    assert server.client.get("/v1/models", params={"model": name}).json()["data"] == [fine]
    assert server.client.get("/v1/models", params={"provider": "mistralai"}).json()["data"] == []
    assert server.client.get("/v1/models/nothing").status_code == 404


def test_a_fine_tuned_model_is_named_archived_and_deleted(
    server: Running, tuned: dict[str, Any]
) -> None:
    name = tuned["fine_tuned_model"]
    path = f"/v1/fine_tuning/models/{name}"
    changed = server.client.patch(path, json={"name": "Ours", "description": "of 2026"}).json()
    assert (changed["name"], changed["description"]) == ("Ours", "of 2026")
    assert changed["model_type"] == "completion"
    assert {"workspace_id", "root_version", "capabilities", "job"} <= set(changed)
    assert server.client.get(f"/v1/models/{name}").json()["name"] == "Ours"
    question = {"model": name, "messages": [{"role": "user", "content": "x"}]}
    assert server.client.post("/v1/chat/completions", json=question).status_code == 200
    answer = server.client.post(f"{path}/archive")
    assert answer.json() == {"id": name, "object": "model", "archived": True}
    assert server.client.post("/v1/chat/completions", json=question).status_code == 400
    assert server.client.delete(f"{path}/archive").json()["archived"] is False
    assert server.client.post("/v1/chat/completions", json=question).status_code == 200
    gone = server.client.delete(f"/v1/models/{name}")
    assert gone.json() == {"id": name, "object": "model", "deleted": True}
    assert server.client.get(f"/v1/models/{name}").status_code == 404
    assert server.job(tuned["id"])["fine_tuned_model"] == name


def test_a_base_model_cannot_be_changed(server: Running) -> None:
    path = f"/v1/fine_tuning/models/{doubles.BASE}"
    for answer in (
        server.client.patch(path, json={"name": "x"}),
        server.client.post(f"{path}/archive"),
        server.client.delete(f"/v1/models/{doubles.BASE}"),
    ):
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["path", "model_id"]


def test_the_engine_says_who_it_is(server: Running) -> None:
    status = server.client.get("/local/status").json()
    assert status["jobs"] == {"running": 0, "queued": 0}
    assert (status["models"], status["device"] != "") == (1, True)


def test_a_client_can_count_as_the_model_does(server: Running) -> None:
    answer = server.client.get(f"/local/models/{doubles.BASE}/tokenizer").json()
    assert answer["chat_template"] == doubles.TEMPLATE
    assert answer["eos_token"] == "</s>"
    assert json.loads(answer["tokenizer"])["model"]["type"] == "WordLevel"
    card = server.client.get(f"/local/models/{doubles.BASE}").json()
    assert card["license"] == "Apache-2.0"


def test_a_pull_tells_how_far_it_is_and_why_it_failed(server: Running) -> None:
    def pulled(model: str) -> list[str]:
        answer = server.client.post("/local/models/pull", json={"id": model})
        return [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]

    *progress, last, end = pulled(doubles.BASE)
    assert json.loads(last)["event"] == "done"
    assert end == "[DONE]"
    assert progress
    failed = json.loads(pulled("other")[-2])
    assert (failed["event"], failed["exit_code"]) == ("error", 3)
    assert failed["remedy"] == "Connect this machine."
    assert server.client.get("/local/catalogue").json()[0]["pulled"] is True
