"""Every answer of the API against the schemas of Mistral's own document."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import Running, chat_lines

JOBS, CHAT = "/v1/fine_tuning/jobs", "/v1/chat/completions"


@cache
def document() -> dict[str, Any]:
    path = Path(__file__).with_name("contract_schemas.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def conforms(value: Any, name: str) -> Any:
    schema = {**document(), "$ref": f"#/components/schemas/{name}"}
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


def good(answer: httpx2.Response, name: str) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return conforms(answer.json(), name)


def test_files(server: Running) -> None:
    sent = {"file": ("train.jsonl", chat_lines(8))}
    file = good(server.client.post("/v1/files", files=sent), "UploadFileOut")
    place = f"/v1/files/{file['id']}"
    good(server.client.get("/v1/files"), "ListFilesOut")
    good(server.client.get(place), "RetrieveFileOut")
    good(server.client.get(f"{place}/url"), "FileSignedURL")
    good(server.client.delete(place), "DeleteFileOut")


def test_jobs_and_models(server: Running) -> None:
    job = good(server.create_job(suffix="mine"), "CompletionJobOut")
    server.wait(job["id"], "SUCCESS")
    good(server.client.get(JOBS), "JobsOut")
    done = good(server.client.get(f"{JOBS}/{job['id']}"), "CompletionDetailedJobOut")
    assert done["events"]
    assert done["checkpoints"]
    held = good(server.create_job(auto_start=False, suffix="held"), "CompletionJobOut")
    server.wait(held["id"], "VALIDATED")
    server.behave("hold")
    good(server.client.post(f"{JOBS}/{held['id']}/start"), "CompletionDetailedJobOut")
    good(server.client.post(f"{JOBS}/{held['id']}/cancel"), "CompletionDetailedJobOut")
    body = {
        "model": doubles.BASE,
        "hyperparameters": {"training_steps": 5},
        "training_files": [{"file_id": done["training_files"][0]}],
    }
    good(server.client.post(f"{JOBS}?dry_run=true", json=body), "LegacyJobMetadataOut")
    good(server.client.get("/v1/models"), "ModelList")
    good(server.client.get(f"/v1/models/{doubles.BASE}"), "BaseModelCard")
    tuned = done["fine_tuned_model"]
    good(server.client.get(f"/v1/models/{tuned}"), "FTModelCard")
    place = f"/v1/fine_tuning/models/{tuned}"
    good(server.client.patch(place, json={"name": "Ours"}), "CompletionFTModelOut")
    good(server.client.post(f"{place}/archive"), "ArchiveFTModelOut")
    good(server.client.delete(f"{place}/archive"), "UnarchiveFTModelOut")
    good(server.client.delete(f"/v1/models/{tuned}"), "DeleteModelOut")


def test_chat_whole_and_streamed(server: Running) -> None:
    body = {"model": doubles.BASE, "messages": [{"role": "user", "content": "Hi"}], "n": 2}
    good(server.client.post(CHAT, json=body), "ChatCompletionResponse")
    answer = server.client.post(CHAT, json={**body, "stream": True})
    lines = [line[6:] for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    for line in lines[:-1]:
        conforms(json.loads(line), "CompletionChunk")


def test_what_is_refused_has_the_shape_of_its_route(server: Running) -> None:
    for path in (CHAT, "/v1/embeddings", "/v1/fim/completions", JOBS, "/v1/classifications"):
        answer = server.client.post(path, json={"model": 5})
        assert answer.status_code == 422, path
        conforms(answer.json(), "HTTPValidationError")
    for path in ("/v1/models/none", f"{JOBS}/none", "/v1/files/none", "/v1/nothing"):
        answer = server.client.get(path)
        assert answer.status_code in (404, 422), path
        assert answer.json()["detail"]
    with httpx2.Client(base_url=server.url) as stranger:
        for path in ("/v1/models", "/local/openapi.json", "/docs", "/"):
            answer = stranger.get(path)
            assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})


@pytest.mark.parametrize("kind", ["/local/status", "/local/models/pull", "/local/jobs/{job_id}"])
def test_the_extras_are_described_on_a_page_of_their_own(server: Running, kind: str) -> None:
    page = server.client.get("/local/openapi.json").json()
    assert kind in page["paths"]
    assert all(path.startswith("/local/") for path in page["paths"])
