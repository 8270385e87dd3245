"""transformers as a backend: any model that it knows, on a GPU or, slowly, on the CPU.

One process a base model, started when first asked; adapters are loaded and switched while it runs.
Where this machine cannot hold the model, a `ChatPlace` gives a worker elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tui.domain.errors import MissingError
from tui.engine.chat.backend import ChatError, Served
from tui.engine.chat.child import Child
from tui.engine.chat.completion import client_of, completion_body, stream_completion
from tui.engine.launchers.serving import ChatPlace, ChatWork
from tui.engine.server.ports import Piece, Sampling

IDLE_SECONDS = 900.0
MODULE = "tui.engine.chat.torch_worker"
_START_SECONDS = 600.0  # tens of gigabytes from a network disk take minutes


class Torch:
    """Answers with safetensors weights; `place` is where they are computed if not here."""

    def __init__(
        self,
        logs: Path,
        *,
        threads: int = 1,
        idle_seconds: float = IDLE_SECONDS,
        place: ChatPlace | None = None,
    ) -> None:
        self._logs = logs
        self._threads = threads
        self._idle_seconds = idle_seconds
        self._place = place
        self._hosts: dict[Path, _Host] = {}

    async def answer(
        self, served: Served, tokens: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """The answer in pieces; see `Backend`. Raises ChatError, MissingError without torch."""
        body = completion_body(tokens, sampling)
        body["adapter"] = str(served.adapter) if served.adapter else ""
        if self._place is not None:
            async with self._place.using(_work(served, self._threads)) as address:
                client = client_of(address.url, address.key)
                try:
                    stream = stream_completion(client, body, served.context, _cut)
                    async with contextlib.aclosing(stream) as pieces:
                        async for piece in pieces:
                            yield piece
                finally:
                    await client.aclose()
            return
        host = self._hosts.setdefault(served.weights, _Host(served, self._log(served)))
        async with host.using(self._threads, self._idle_seconds) as (child, client):
            stream = stream_completion(client, body, served.context, child.why_cut)
            async with contextlib.aclosing(stream) as pieces:
                async for piece in pieces:
                    yield piece

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next answer on."""
        self._threads = threads

    def processes(self) -> list[Child]:
        """The processes that run now."""
        return [host.child for host in self._hosts.values() if host.child is not None]

    async def close(self) -> None:
        """End every process; workers elsewhere are ended by their place."""
        for host in self._hosts.values():
            await host.stop()
        self._hosts.clear()
        if self._place is not None:
            await self._place.close()

    def _log(self, served: Served) -> Path:
        return self._logs / f"chat-torch-{_mark(served.weights)}.log"


class _Host:
    """The process of one base model."""

    def __init__(self, served: Served, log: Path) -> None:
        self.child: Child | None = None
        self._client: httpx.AsyncClient | None = None
        self._served = served
        self._log = log
        self._gate = asyncio.Lock()
        self._threads = 0
        self._inside = 0
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def using(
        self, threads: int, idle_seconds: float
    ) -> AsyncIterator[tuple[Child, httpx.AsyncClient]]:
        """The process, started if need be, computing with so many threads."""
        async with self._gate:
            if self._timer is not None:
                self._timer.cancel()
            if self.child is None or not self.child.alive or self._client is None:
                await self.stop()
                self.child = await _start(self._served, threads, self._log)
                self._client = client_of(self.child.url, self.child.key)
            elif threads != self._threads:
                with contextlib.suppress(httpx.HTTPError):
                    await self._client.post("/threads", json={"threads": threads})
            self._threads = threads
            child, client = self.child, self._client
        self._inside += 1
        try:
            yield child, client
        finally:
            self._inside -= 1
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(idle_seconds, lambda: loop.create_task(self._unload()))

    async def stop(self) -> None:
        """End the process."""
        child, client, self.child, self._client = self.child, self._client, None, None
        if client is not None:
            await client.aclose()
        if child is not None:
            await child.end()

    async def _unload(self) -> None:
        async with self._gate:
            if self._inside == 0:
                await self.stop()


async def _start(served: Served, threads: int, log: Path) -> Child:
    for module in ("torch", "transformers", "peft"):
        if importlib.util.find_spec(module) is None:
            raise MissingError(
                f"{served.base} is computed by transformers, and {module} is not installed.",
                "Install it: pip install 'papertune[train]'; or pull a GGUF file of the model.",
            )
    return await Child.start(MODULE, _options(served, threads), log, patience=_START_SECONDS)


def _work(served: Served, threads: int) -> ChatWork:
    options = _options(served, threads)
    name = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]
    return ChatWork(f"chat-{name}", served.base, (sys.executable, "-m", MODULE), options)


def _options(served: Served, threads: int) -> dict[str, Any]:
    return {"weights": str(served.weights), "context": served.context, "threads": threads}


async def _cut() -> ChatError:
    return ChatError(
        "The connection to the chat worker broke.", "Ask again; its log: papertune engine logs."
    )


def _mark(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:8]
