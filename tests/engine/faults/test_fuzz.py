"""Whatever is sent: an answer in the contract's shapes, never a fault of the server."""

from __future__ import annotations

import socket
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.engine.faults.fuzzing import drawings, fault, send
from tests.engine.server.conftest import TOKEN, Running, server

__all__ = ["server"]


def fuzz(server: Running, examples: int) -> Counter[int]:
    """Send so many requests of the contract and of our own pages; counts of the statuses."""
    statuses = Counter[int]()
    kinds = drawings(server)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of([kind.requests() for kind in kinds]))
    def one(asked: object) -> None:
        from tests.engine.faults.requests import Asked

        assert isinstance(asked, Asked)
        answer = send(server.client, asked)
        statuses[answer.status_code] += 1
        wrong = fault(answer, asked)
        assert not wrong, f"{asked}\n{wrong}"

    one()
    return statuses


def test_no_request_of_the_schema_is_a_fault_of_the_server(server: Running) -> None:
    statuses = fuzz(server, 150)
    assert statuses[200] and statuses[422]
    assert server.client.get("/v1/models").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
        b"Content-Length: 6\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer %b\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % TOKEN.encode(),
        b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /v1/models/%%ff%%fe%%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer %b\r\nConnection: close\r\n\r\n" % TOKEN.encode(),
    ],
    ids=["noise", "version", "long line", "many headers", "negative", "two lengths", "chunk",
         "odd token", "odd path"],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_closed(server: Running, sent: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:
            pass
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert server.client.get("/v1/models").status_code == 200
