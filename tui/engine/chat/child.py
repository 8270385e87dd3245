"""A process of ours that answers on a loopback port: started, watched, ended.

It gets its options, the key among them, in one line of JSON on standard input, where other users
cannot read it, says `{"url"}` in one line on standard output, and ends when its standard input is
closed, which the system does when the engine dies in whatever way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

from tui.engine.chat.backend import ChatError
from tui.text import shorten

START_SECONDS = 120.0
_END_SECONDS = 5.0
_TAIL = 4000


class Child:
    """A running process; `start` makes one. `url` and `key` are how it is spoken to."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, key: str) -> None:
        self.url = url
        self.key = key
        self._process = process

    @staticmethod
    async def start(
        module: str, options: dict[str, Any], log: Path, *, patience: float = START_SECONDS
    ) -> Child:
        """Start `python -m module` and wait until it answers.

        Raises ChatError, with the process's own last words from `log`, when it does not.
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
                module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        try:
            url = await asyncio.wait_for(_greeting(process, {**options, "key": key}), patience)
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError | OSError | ValueError | KeyError):
                raise ChatError(
                    f"The model could not be loaded: {_tail(log)}",
                    "If its files are damaged, delete the model and pull it again.",
                ) from error
            raise
        return Child(process, url, key)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def end(self) -> None:
        """End the process."""
        await _end(self._process)

    async def why_cut(self) -> ChatError:
        """Why a connection to it broke."""
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


async def _greeting(process: asyncio.subprocess.Process, options: dict[str, Any]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
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


def _tail(log: Path) -> str:
    try:
        lines = [line for line in log.read_text(errors="replace")[-_TAIL:].splitlines() if line]
    except OSError:
        lines = []
    return shorten(" ".join(lines[-3:]), 300) or "it gave no reason"
