"""Sends drawn requests to a real server and says what is wrong with its answers."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from tests.engine.faults.requests import Asked, Drawing, contract
from tests.engine.server import doubles
from tests.engine.server.conftest import Running, chat_lines

# Measures this machine in a process of its own, for seconds.
_SLOW = ("/local/recommend",)
_SHAPED = ("detail",), ("detail", "message"), ("object", "message", "type", "param", "code")


def drawings(server: Running) -> list[Drawing]:
    """Requests of the contract, and of what the engine says of itself."""
    file = server.upload(chat_lines(8))["id"]
    job = server.create_job(auto_start=False, suffix="known").json()["id"]
    known = {
        "model": [doubles.BASE, doubles.BASE, "nothing", "ft:tiny-base:x"],
        "model_id": [doubles.BASE, "nothing"],
        "id": [doubles.BASE, "nothing"],
        "file_id": [file, "00000000-0000-0000-0000-000000000000", "../engine.db"],
        "job_id": [job, "nothing", "..", "%2e%2e"],
        "role": ["user", "assistant", "system"],
    }
    own = server.client.get("/openapi.json").json()
    return [Drawing(contract(), known), Drawing(own, known, without=_SLOW)]


def send(client: httpx2.Client, asked: Asked) -> httpx2.Response:
    """One request, with a body as its route takes it."""
    if not asked.form:
        headers = {"content-type": "application/json", **asked.headers}
        content = None if asked.body is None else asked.content
        return client.request(
            asked.method, asked.path, params=list(asked.query), content=content, headers=headers
        )
    fields = dict(asked.body) if isinstance(asked.body, dict) else {"file": asked.body}
    file = fields.pop("file", "")
    text = file if isinstance(file, str) else json.dumps(file)
    return client.request(
        asked.method,
        asked.path,
        params=list(asked.query),
        data={name: json.dumps(value) for name, value in fields.items()},
        files={"file": ("train.jsonl", text.encode("utf-8", "replace"))},
    )


def fault(answer: httpx2.Response, asked: Asked) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if answer.status_code == 200:
        return ""
    if not 400 <= answer.status_code < 500:
        return f"{answer.status_code}: {answer.text[:300]}"
    try:
        body = answer.json()
    except ValueError:
        return f"no JSON: {answer.text[:300]}"
    if not isinstance(body, dict) or tuple(body) not in _SHAPED:
        return f"another shape: {body}"
    detail = body.get("detail", body.get("message"))
    if isinstance(detail, list):
        return "" if detail and all(map(_item, detail)) else f"another item: {detail}"
    return "" if isinstance(detail, str) and detail else f"no detail: {body}"


def _item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and {"type", "loc", "msg"} <= item.keys()
        and isinstance(item["loc"], list)
        and all(isinstance(part, str | int) for part in item["loc"])
        and isinstance(item["msg"], str)
    )
