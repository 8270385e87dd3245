"""What every request passes before a route sees it: host, token, size, and a line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import time
from collections.abc import Collection
from urllib.parse import parse_qs, unquote

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tui.text import visible

_LOG = logging.getLogger("papertune.engine")
MAX_BODY = 16 * 1024 * 1024
_DRAIN_SECONDS = 5.0
_CLOSE = (b"connection", b"close")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a bind address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Refuses, before anything is read, whoever has no business here.

    The token is compared in constant time. The Host header must name this server, so that a web
    page which rebinds its own name to loopback gets nowhere. Bodies other than uploads are at
    most 16 MB.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str] | None) -> None:
        self._app = app
        self._token = hashlib.sha256(token.encode()).digest()
        self._hosts = hosts
        self._key = hashlib.sha256(b"papertune file url\0" + token.encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        began, status = time.monotonic(), 0
        body = _Body(receive, None if scope["path"] == "/v1/files" else MAX_BODY)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            cut = status >= 400 and not body.ended and _has_body(scope)
            if cut and message["type"] == "http.response.start":
                await send({**message, "headers": [*message["headers"], _CLOSE]})
            elif cut and not message.get("more_body", False):
                # The answer goes out at once, so that a client can stop; a connection closed over
                # unread bytes would lose it on its way.
                await send({**message, "more_body": True})
                await body.drain()
                await send({"type": "http.response.body", "body": b""})
            else:
                await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await _answer(watched, *refusal)
            else:
                await self._app(scope, body.receive, watched)
        finally:
            path = visible(scope["path"])[:200]
            elapsed = (time.monotonic() - began) * 1000
            _LOG.info("%s %s %s %.0f ms", scope["method"], path, status or "cut", elapsed)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = _hostname(headers.get(b"host", ""))
        if self._hosts is not None and host not in self._hosts:
            return 400, "This server does not answer to that Host header."
        if not self._authorised(headers.get(b"authorization", "")) and not self._signed(scope):
            return 401, "Unauthorized"
        if scope["path"] != "/v1/files" and _declared(headers) > MAX_BODY:
            return 413, "Request Entity Too Large"
        return None

    def _authorised(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        digest = hashlib.sha256(given.strip().encode("utf-8", "replace")).digest()
        return hmac.compare_digest(digest, self._token) and scheme.lower() == "bearer"

    def sign(self, file_id: str, until: int) -> str:
        """The signature that lets a link fetch one file until a time, without the token."""
        return hmac.new(self._key, f"{file_id}:{until}".encode(), hashlib.sha256).hexdigest()

    def _signed(self, scope: Scope) -> bool:
        parts = unquote(scope["path"]).split("/")
        if scope["method"] != "GET" or parts[:3] != ["", "v1", "files"] or len(parts) != 5:
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"))
        until, signature = query.get("expires", [""])[0], query.get("signature", [""])[0]
        if parts[4] != "content" or not until.isdecimal() or len(until) > 12:
            return False
        expected = self.sign(parts[3], int(until))
        matches = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        return matches and time.time() < int(until)


def allowed_hosts(host: str, extra: Collection[str] = ()) -> frozenset[str] | None:
    """The names under which a server bound to `host` may be addressed; None means any.

    Bound to every address, the server cannot know the names its users give it: there the token
    alone decides, unless names were configured.
    """
    if is_loopback(host):
        return LOOPBACK | {host} | frozenset(extra)
    if extra:
        return LOOPBACK | {host, socket.gethostname()} | frozenset(extra)
    return None


def _hostname(header: str) -> str:
    header = header.strip().lower()
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header


def _declared(headers: dict[bytes, str]) -> int:
    length = headers.get(b"content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 16 else 0


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


class _Body:
    """A request's body: at most `limit` bytes for the route, what is left over thrown away."""

    def __init__(self, receive: Receive, limit: int | None) -> None:
        self._receive = receive
        self._limit = limit
        self._read = 0
        self.ended = False

    async def receive(self) -> Message:
        """The next message; raises a 413 beyond the limit."""
        message = await self._receive()
        self.ended = not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._limit is not None and self._read > self._limit:
            raise HTTPException(413, "Request Entity Too Large")
        return message

    async def drain(self) -> None:
        """Read what the client still sends, for a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.ended:
                    message = await self._receive()
                    self.ended = not message.get("more_body", False)


async def _answer(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
