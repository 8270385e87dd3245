"""llama.cpp as a backend: one process per base model, adapters switched by each request.

Adapters load only when a process starts. A new one therefore waits until the answers under way
have ended, then the process is started again with it; requests that come meanwhile wait too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from tui.engine.chat.backend import ChatError, Served
from tui.engine.chat.llama_process import LlamaProcess, Setup
from tui.engine.server.ports import Piece, Sampling

SLOTS = 4
IDLE_SECONDS = 900.0
_MAX_ADAPTERS = 8


class Llama:
    """Answers with GGUF weights on the CPU.

    `slots` requests are computed at once, others wait their turn; `idle_seconds` after the last
    answer the memory is given back. `logs` is the folder for llama.cpp's own words.
    """

    def __init__(
        self,
        logs: Path,
        *,
        threads: int = 1,
        slots: int = SLOTS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._logs = logs
        self._slots = slots
        self._idle_seconds = idle_seconds
        self._threads = threads
        self._hosts: dict[Path, _Host] = {}

    async def answer(
        self, served: Served, tokens: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """The answer in pieces; see `Backend`. Raises ChatError."""
        host = self._hosts.setdefault(served.weights, self._host(served))
        process = await host.enter(served.adapter, self._threads)
        try:
            stream = process.stream(tokens, sampling, served.adapter)
            async with contextlib.aclosing(stream) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            host.leave()

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next quiet moment on."""
        self._threads = threads

    def processes(self) -> list[LlamaProcess]:
        """The processes that run now."""
        return [host.process for host in self._hosts.values() if host.process is not None]

    async def close(self) -> None:
        """End every process."""
        for host in self._hosts.values():
            await host.close()
        self._hosts.clear()

    def _host(self, served: Served) -> _Host:
        mark = hashlib.sha256(str(served.weights).encode()).hexdigest()[:8]
        log = self._logs / f"chat-{mark}.log"
        return _Host(served.weights, served.context, self._slots, self._idle_seconds, log)


class _Host:
    """The process of one base model and those who use it."""

    def __init__(
        self, weights: Path, context: int, slots: int, idle_seconds: float, log: Path
    ) -> None:
        self.process: LlamaProcess | None = None
        self._weights = weights
        self._context = context
        self._slots = slots
        self._idle_seconds = idle_seconds
        self._log = log
        self._adapters: list[Path] = []  # the least recently used first
        self._gate = asyncio.Lock()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._inside = 0
        self._closed = False
        self._timer: asyncio.Task[None] | None = None

    async def enter(self, adapter: Path | None, threads: int) -> LlamaProcess:
        """A process with this adapter, counted as in use until `leave`."""
        async with self._gate:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._remember(adapter)
            process = self.process
            if process is None or not process.alive or not self._fits(process, adapter, threads):
                process = await self._restart(adapter, threads)
            self._inside += 1
            self._quiet.clear()
            return process

    def leave(self) -> None:
        """The answer has ended."""
        self._inside -= 1
        if self._inside == 0:
            self._quiet.set()
            self._timer = asyncio.get_running_loop().create_task(self._unload())

    async def close(self) -> None:
        """End the process, whatever is under way; nothing is started afterwards."""
        self._closed = True
        await self._stop()
        async with self._gate:
            if self._timer is not None:
                self._timer.cancel()
            await self._stop()

    def _fits(self, process: LlamaProcess, adapter: Path | None, threads: int) -> bool:
        if adapter is not None and adapter not in process.setup.adapters:
            return False
        return process.setup.threads == threads or self._inside > 0

    async def _restart(self, adapter: Path | None, threads: int) -> LlamaProcess:
        await self._quiet.wait()
        await self._stop()
        if self._closed:
            raise ChatError("The engine is stopping.", "Ask again when it runs.")
        adapters = tuple(path for path in self._adapters if path == adapter or path.is_file())
        setup = Setup(self._weights, self._context, self._slots, threads, adapters)
        self.process = await LlamaProcess.start(setup, self._log)
        return self.process

    def _remember(self, adapter: Path | None) -> None:
        if adapter is None:
            return
        if adapter in self._adapters:
            self._adapters.remove(adapter)
        self._adapters = [*self._adapters[1 - _MAX_ADAPTERS :], adapter]

    async def _unload(self) -> None:
        await asyncio.sleep(self._idle_seconds)
        async with self._gate:
            if self._inside == 0:
                await self._stop()

    async def _stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            await process.stop()
