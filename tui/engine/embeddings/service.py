"""Embeddings as the server asks for them: one process a model, started when first asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tui.domain.errors import PapertuneError
from tui.engine.chat.backend import plan_threads
from tui.engine.chat.cores import cores
from tui.engine.server.ports import Embedded, EncoderFiles
from tui.text import shorten

IDLE_SECONDS = 900.0
# What is computed between two looks at who else waits and whether the caller is still there:
# about 1000 tokens, half a second of one core.
_CHUNK_CHARACTERS = 4096
_START_SECONDS = 60.0
_FLOAT = 4


class EmbeddingError(PapertuneError):
    """The encoder's process could not be started, or ended."""


class Embedder:
    """Computes embeddings; `files` tells where a model lies, `logs` is for the processes' words.

    Requests are computed a chunk at a time, in turns, so that a large one does not keep a small
    one waiting.
    """

    def __init__(
        self,
        files: Callable[[str], EncoderFiles],
        logs: Path,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._files = files
        self._logs = logs
        self._idle_seconds = idle_seconds
        self._threads = plan_threads(cores(), 0)
        self._workers: dict[str, _Worker] = {}

    async def embed(self, model_id: str, texts: Sequence[str]) -> Embedded:
        """A vector of length 1 for each text, in order.

        Raises MissingError when the model is not here, EmbeddingError when it cannot be computed.
        """
        files = await asyncio.to_thread(self._files, model_id)
        worker = self._workers.setdefault(
            files.id, _Worker(files, self._logs / f"embed-{files.id}.log", self._idle_seconds)
        )
        vectors: list[array[float]] = []
        tokens = 0
        for chunk in _chunks(texts):
            found = await worker.embed(chunk, self._threads)
            vectors += found.vectors
            tokens += found.tokens
        return Embedded(tuple(vectors), tokens)

    def jobs_changed(self, running: int) -> None:
        """So many jobs train now: the next chunk uses the cores that they leave."""
        self._threads = plan_threads(cores(), running)

    async def close(self) -> None:
        """End every process."""
        for worker in self._workers.values():
            await worker.close()
        self._workers.clear()


class _Worker:
    """The process of one model; one chunk at a time, in the order in which they were asked."""

    def __init__(self, files: EncoderFiles, log: Path, idle_seconds: float) -> None:
        self._files = files
        self._log = log
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def embed(self, texts: Sequence[str], threads: int) -> Embedded:
        """The vectors of a chunk; a caller who goes away leaves the process in order."""
        return await asyncio.shield(asyncio.ensure_future(self._embed(texts, threads)))

    async def close(self) -> None:
        """End the process."""
        self._closed = True
        async with self._turn:
            await self._end()

    async def _embed(self, texts: Sequence[str], threads: int) -> Embedded:
        async with self._turn:
            if self._closed:
                raise EmbeddingError("The engine is stopping.", "Ask again when it runs.")
            try:
                process = await self._running()
                head = await self._ask(process, {"texts": list(texts), "threads": threads})
                width = self._files.dimensions * _FLOAT
                assert process.stdout is not None
                data = await process.stdout.readexactly(head["rows"] * width)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                await self._end()
                raise self._failure() from error
            except BaseException:
                await self._end()
                raise
            self._rest()
        rows = [_floats(data[at : at + width]) for at in range(0, len(data), width)]
        return Embedded(tuple(rows), int(head["tokens"]))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # One thread of OpenBLAS a thread of ours: its own ones spin while they wait.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        with self._log.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tui.engine.embeddings.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        options = {
            "folder": str(self._files.folder),
            "pooling": self._files.pooling,
            "context": self._files.context,
        }
        await asyncio.wait_for(self._ask(self._process, options), _START_SECONDS)
        return self._process

    async def _ask(
        self, process: asyncio.subprocess.Process, request: dict[str, Any]
    ) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _rest(self) -> None:
        """Give the memory back when nobody asks for a while."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._idle_seconds, lambda: loop.create_task(self._unload()))

    async def _unload(self) -> None:
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # it holds nothing that could be lost
        await process.wait()

    def _failure(self) -> EmbeddingError:
        try:
            said = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        except OSError:
            said = []
        why = shorten(said[-1], 300) if said else "it gave no reason"
        return EmbeddingError(
            f"{self._files.id} could not be computed: {why}.",
            "If the files are damaged, delete the model's folder and pull it again.",
        )


def _chunks(texts: Sequence[str]) -> list[Sequence[str]]:
    found, start, characters = list[Sequence[str]](), 0, 0
    for index, text in enumerate(texts):
        if characters and characters + len(text) > _CHUNK_CHARACTERS:
            found.append(texts[start:index])
            start, characters = index, 0
        characters += len(text)
    return [*found, texts[start:]]


def _floats(data: bytes) -> array[float]:
    values = array("f")
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
