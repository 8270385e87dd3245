"""One llama.cpp process: started, asked over its loopback port, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tui.engine.chat.backend import ChatError
from tui.engine.server.ports import Piece, Sampling
from tui.text import shorten

_START_SECONDS = 120.0
_END_SECONDS = 5.0
_SILENCE_SECONDS = 600.0
_TAIL = 4000
_SEEDS = 2**32 - 1  # llama.cpp takes 2**32 - 1 itself to mean "any seed"


@dataclass(frozen=True, slots=True)
class Setup:
    """How a process is started; every adapter is loaded switched off."""

    weights: Path
    context: int
    slots: int
    threads: int
    adapters: tuple[Path, ...] = ()


class LlamaProcess:
    """A running process; `start` makes one."""

    def __init__(
        self, setup: Setup, process: asyncio.subprocess.Process, url: str, key: str, log: Path
    ) -> None:
        self.setup = setup
        self.url = url
        self._process = process
        self._log = log
        self.client = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(_SILENCE_SECONDS, connect=10),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        )

    @staticmethod
    async def start(setup: Setup, log: Path) -> LlamaProcess:
        """Load the model in a process of its own and wait until it answers.

        Raises ChatError, with llama.cpp's own last words, when it cannot.
        """
        key = secrets.token_hex(32)
        log.parent.mkdir(parents=True, exist_ok=True)
        # A thread that waits must sleep: one that spins takes the core from the thread that it
        # waits for, and beside a busy process two threads fall from 44 tokens a second to 2.
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tui.engine.chat.llama_worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        try:
            url = await asyncio.wait_for(_greeting(process, setup, key), _START_SECONDS)
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError | OSError | ValueError | KeyError):
                raise ChatError(
                    f"llama.cpp could not load the model: {_tail(log)}",
                    "If the file is damaged, delete the model and pull it again.",
                ) from error
            raise
        return LlamaProcess(setup, process, url, key, log)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def stream(
        self, tokens: Sequence[int], sampling: Sampling, adapter: Path | None
    ) -> AsyncGenerator[Piece, None]:
        """Answer a prompt; closing the generator closes the connection, which ends the work.

        Raises ChatError when the process dies or refuses.
        """
        body = self._body(tokens, sampling, adapter)
        try:
            async with self.client.stream("POST", "/completion", json=body) as response:
                if response.status_code != 200:
                    raise ChatError(_refusal(await response.aread()))
                async for line in response.aiter_lines():
                    if piece := self._piece(line, len(tokens)):
                        yield piece
                        if piece.finish_reason:
                            return
        except httpx.HTTPError as error:
            raise await self._cut(error) from error
        raise await self._cut(None)

    async def stop(self) -> None:
        """End the process."""
        await self.client.aclose()
        await _end(self._process)

    def _body(
        self, tokens: Sequence[int], sampling: Sampling, adapter: Path | None
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "prompt": list(tokens),
            "stream": True,
            "cache_prompt": True,
            "n_predict": -1 if sampling.max_tokens is None else sampling.max_tokens,
            "temperature": 0.3 if sampling.temperature is None else sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "stop": list(sampling.stop),
            # llama.cpp applies every adapter that a request does not name at full strength
            "lora": [
                {"id": index, "scale": 1.0 if path == adapter else 0.0}
                for index, path in enumerate(self.setup.adapters)
            ],
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed % _SEEDS
        if sampling.schema is not None:
            body["json_schema"] = sampling.schema
        return body

    def _piece(self, line: str, prompt_tokens: int) -> Piece | None:
        if line.startswith("error:"):
            raise ChatError(_refusal(line[6:].encode()))
        if not line.startswith("data:"):
            return None
        event = json.loads(line[5:])
        if "error" in event:
            raise ChatError(_refusal(line[5:].encode()))
        text = str(event.get("content") or "")
        if not event.get("stop"):
            return Piece(text) if text else None
        count = int(event.get("tokens_predicted") or 0)
        reason = "stop"
        if event.get("stop_type") == "limit":
            full = event.get("truncated") or prompt_tokens + count >= self.setup.context
            reason = "model_length" if full else "length"
        return Piece(text, reason, prompt_tokens, count)

    async def _cut(self, error: Exception | None) -> ChatError:
        if isinstance(error, httpx.TimeoutException):
            return ChatError("The model did not answer in time.", "Ask again, or ask for less.")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 1)
        code = self._process.returncode
        if code is None:
            return ChatError("The connection to the model broke.", "Ask again.")
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return ChatError(
            f"The chat process ended while it answered ({why}).",
            "Ask again: it is started anew. SIGKILL often means that memory ran out.",
        )


async def _greeting(process: asyncio.subprocess.Process, setup: Setup, key: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    options = {
        "weights": str(setup.weights),
        "context": setup.context,
        "slots": setup.slots,
        "threads": setup.threads,
        "adapters": [str(path) for path in setup.adapters],
        "key": key,
    }
    process.stdin.write(json.dumps(options).encode() + b"\n")
    await process.stdin.drain()
    return str(json.loads(await process.stdout.readline())["url"])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_SECONDS)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _refusal(body: bytes) -> str:
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = body.decode(errors="replace")
    return f"llama.cpp refused the request: {shorten(str(message), 300)}."


def _tail(log: Path) -> str:
    try:
        lines = [line for line in log.read_text(errors="replace")[-_TAIL:].splitlines() if line]
    except OSError:
        lines = []
    return shorten(" ".join(lines[-3:]), 300) or "it gave no reason"
