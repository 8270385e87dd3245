"""A loopback server that answers as the API does, or as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Request:
    """What a client sent; `closed` is set when it hung up."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """Status line, headers and body; the parts of a stream are sent one by one.

    `cut` closes the connection before the body is complete, `hang` keeps it open and silent.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] | None = None
    cut: bool = False
    hang: bool = False
    silent: bool = False


Handler = Callable[[Request], Answer]


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(
        status, json.dumps(value).encode(), {"content-type": "application/json", **headers}
    )


def sse(*events: Any, done: bool = True, cut: bool = False, hang: bool = False) -> Answer:
    """A stream of chunks; bytes go out as they are."""
    parts = [
        event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in events
    ]
    if done:
        parts.append(b"data: [DONE]\n\n")
    return Answer(
        200, headers={"content-type": "text/event-stream"}, parts=parts, cut=cut, hang=hang
    )


def chunk(text: str, finish: str | None = None, usage: tuple[int, int] | None = None) -> Any:
    value: dict[str, Any] = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1795280400,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}],
    }
    if usage:
        value["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return value


def completion(text: str) -> Any:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1795280400,
        "model": "m",
        "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "prefix": False},
                "finish_reason": "stop",
            }
        ],
    }


def job_document(job_id: str = "c7a2f9d4-6f1b", status: str = "QUEUED", **more: Any) -> Any:
    return {
        "id": job_id,
        "auto_start": False,
        "model": "m",
        "status": status,
        "created_at": 1795280100,
        "modified_at": 1795280100,
        "training_files": ["5f0c0a52"],
        "validation_files": ["0b4ce1d8"],
        "object": "job",
        "fine_tuned_model": None,
        "suffix": None,
        "hyperparameters": {"training_steps": 120, "learning_rate": 0.0001},
        **more,
    }


class FaultServer:
    """Answers each request with the next scripted answer of its route, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._routes: dict[tuple[str, str], list[Answer | Handler]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def on(self, method: str, path: str, *answers: Answer | Handler) -> None:
        self._routes[method, path] = list(answers)

    def asked(self, method: str, path: str) -> list[Request]:
        return [r for r in self.requests if (r.method, r.path) == (method, path)]

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while request := await self._read(reader):
                self.requests.append(request)
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        line, *rest = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {
            name.lower(): value for name, _, value in (item.partition(": ") for item in rest)
        }
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        return Request(method, parts.path, parts.query, headers, body)

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Send one answer; whether the connection stays open."""
        scripted = self._routes.get((request.method, request.path))
        if not scripted:
            reply = answer({"detail": "Not Found"}, 404)
        else:
            step = scripted[0] if len(scripted) == 1 else scripted.pop(0)
            reply = step if isinstance(step, Answer) else step(request)
        if reply.silent:
            await self._until_closed(request, reader)
            return False
        headers = {"date": "Sat, 21 Nov 2026 12:00:00 GMT", **reply.headers}
        if reply.parts is None:
            headers["content-length"] = str(len(reply.body) + (10 if reply.cut else 0))
        else:
            headers["transfer-encoding"] = "chunked"
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode("latin-1") + reply.body)
        for part in reply.parts or []:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
        if reply.hang:
            await self._until_closed(request, reader)
            return False
        if reply.parts is not None and not reply.cut:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not reply.cut

    async def _until_closed(self, request: Request, reader: asyncio.StreamReader) -> None:
        await reader.read()
        request.closed.set()
