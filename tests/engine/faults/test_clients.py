"""Clients that send too much or vanish: refused early, closed cleanly, nothing kept."""

from __future__ import annotations

import json
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import TOKEN, Running, server, stop_workers, until
from tests.engine.server.engine_process import Engine

__all__ = ["server"]
GIGABYTE = 1 << 30
CHUNK = b" " * (1 << 20)
JSON_ROUTES = (
    "/v1/chat/completions", "/v1/embeddings", "/v1/fine_tuning/jobs", "/local/models/pull",
)  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.kill()
    stop_workers(engine.home)


@pytest.mark.parametrize("announced", [True, False])
def test_a_gigabyte_of_json_is_refused_early_and_with_little_memory(
    engine: Engine, announced: bool
) -> None:
    state = engine.start()
    process = psutil.Process(state["pid"])
    for route in JSON_ROUTES:
        before = process.memory_info().rss
        sent, answer = _send_gigabyte(state, route, announced)
        assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
        assert b'{"detail":"Request Entity Too Large"}' in answer.replace(b": ", b":")
        assert process.memory_info().rss - before < 96 * (1 << 20)
        assert sent < GIGABYTE // 8
    with engine.client() as client:
        assert client.get("/v1/models").status_code == 200


def _send_gigabyte(state: dict[str, object], route: str, announced: bool) -> tuple[int, bytes]:
    """Send until the server answers or has all; bytes sent and its answer."""
    host, port = str(state["url"]).removeprefix("http://").split(":")
    length = f"Content-Length: {GIGABYTE}" if announced else "Transfer-Encoding: chunked"
    head = (
        f"POST {route} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {state['token']}\r\n"
        f"Content-Type: application/json\r\n{length}\r\n\r\n"
    )
    piece = CHUNK if announced else b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)
    sent, answer = 0, b""
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            while sent < GIGABYTE and not _readable(connection):
                connection.sendall(piece)
                sent += len(CHUNK)
            while not answer.endswith(b"}") and (part := connection.recv(65536)):
                answer += part
        except ConnectionError:
            pass
    return sent, answer


def _readable(connection: socket.socket) -> bool:
    import select

    return bool(select.select([connection], [], [], 0)[0])


def test_clients_that_vanish_at_any_byte_leave_nothing_open(server: Running) -> None:
    chance = random.Random(20261122)
    host, port = server.url.removeprefix("http://").split(":")
    content = b'{"messages":[{"role":"user","content":"Hi"}]}\n' * 4000
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
        + content
        + b"\r\n--b--\r\n"
    )
    question = json.dumps(
        {
            "model": doubles.BASE,
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
        }
    ).encode()
    server.voice.endless = True
    server.client.get("/v1/models")
    before = psutil.Process().num_fds()
    streams = 0
    for _ in range(40):
        upload = chance.random() < 0.5
        route, kind, body = (
            ("/v1/files", "multipart/form-data; boundary=b", form)
            if upload
            else ("/v1/chat/completions", "application/json", question)
        )
        head = (
            f"POST {route} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        whole = head + body
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            if upload:
                connection.sendall(whole[: chance.randrange(1, len(whole))])
            else:
                connection.sendall(whole)
                streams += 1
                assert connection.recv(64)
            if chance.random() < 0.5:  # a reset, not a farewell
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    until(lambda: server.voice.closed == streams)
    until(lambda: not list(server.home.files.iterdir()))
    until(lambda: psutil.Process().num_fds() <= before)
    assert server.client.get("/v1/files").json()["total"] == 0
