"""Nobody gets anything without the token, from another name, or with a body that never ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI

from tests.engine.server.conftest import TOKEN, Running
from tui.engine.server import chat, files, jobs, local, models, unavailable
from tui.engine.server.guard import MAX_BODY, allowed_hosts


def every_route() -> list[tuple[str, str]]:
    """Method and path of all routes of the application, its own documentation included."""
    app = FastAPI()
    for module in (files, jobs, models, chat, local, unavailable):
        app.include_router(module.routes(cast(Any, None)))
    found = [("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/"), ("GET", "/nowhere")]
    for path, methods in app.openapi()["paths"].items():
        found += [(method.upper(), re.sub(r"{.*?}", "x", path)) for method in methods]
    assert len(found) > 25
    return found


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    return every_route()


def test_no_route_answers_without_the_token(server: Running, routes: list[tuple[str, str]]) -> None:
    anonymous = httpx2.Client(base_url=server.url)
    for method, path in routes:
        for header in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": TOKEN},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {TOKEN}x"},
        ):
            answer = anonymous.request(method, path, headers=header)
            assert answer.status_code == 401, (method, path)
            assert answer.json() == {"detail": "Unauthorized"}


def test_another_hosts_name_is_refused(server: Running) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
        answer = server.client.get("/v1/models", headers={"Host": host})
        assert answer.status_code == 400, host
    for host in ("localhost:9999", "127.0.0.1", "[::1]:80", "LOCALHOST"):
        answer = server.client.get("/v1/models", headers={"Host": host})
        assert answer.status_code == 200, host


def test_a_server_on_every_address_knows_no_names_unless_it_is_told() -> None:
    assert allowed_hosts("0.0.0.0") is None
    told = allowed_hosts("0.0.0.0", ["engine.example"])
    assert told is not None
    assert "engine.example" in told


def test_a_body_that_never_ends_is_cut_off(server: Running) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 1_000_000 + 10):
            yield b" " * 1_000_000

    json = {"content-type": "application/json"}
    for path in ("/v1/chat/completions", "/v1/fine_tuning/jobs"):
        assert server.client.post(path, content=body(), headers=json).status_code == 413
    declared = server.client.post(
        "/v1/chat/completions", content=b" " * (MAX_BODY + 1), headers=json
    )
    assert declared.status_code == 413


def test_odd_bodies_are_the_clients_fault(server: Running) -> None:
    for path in ("/v1/chat/completions", "/v1/fine_tuning/jobs", "/local/models/pull"):
        for body in (b"", b"{", b"null", b"[]", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}",
                     b"\xff\xfe", b'{"model":"\\ud800"}'):  # fmt: skip
            answer = server.client.post(
                path, content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code in (400, 422), (path, body[:20], answer.text)
