"""Chat workers as Slurm jobs: asked for when somebody chats, ended when nobody does.

Each start has a folder and a key of its own. A worker whose engine dies ends by itself, because
nobody touches its `alive` file any more; one whose job is taken away is asked for anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tui.domain.errors import PapertuneError
from tui.engine.background import in_background
from tui.engine.chat.backend import ChatError
from tui.engine.launchers.base import LaterError
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.serving import ADDRESS, ALIVE, ALIVE_SECONDS, LOG, SPEC, Address, ChatWork
from tui.engine.launchers.slurm.client import SlurmCommands, State
from tui.engine.launchers.slurm.script import ATTEMPT, NODE, Batch, chat_script
from tui.engine.settings import Slurm
from tui.engine.supervisor.folder import JobFolder
from tui.storage import atomic

_LOOK_SECONDS = 0.25
_LIVING = frozenset({"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED"})


def chat_settings(slurm: Slurm) -> Slurm:
    """What a chat worker asks for: `[engine.slurm.chat]`, and what is empty there of its parent."""
    chat = slurm.chat
    return replace(
        slurm,
        partition=chat.partition or slurm.partition,
        gpus=chat.gpus or slurm.gpus,
        time=chat.time or slurm.time,
        directives=chat.directives or slurm.directives,
        nodes=1,
    )


@dataclass
class _Up:
    """A worker that was started."""

    job: str
    folder: Path
    address: Address


class SlurmChat:
    """A `ChatPlace` on the cluster; `root` lies where every node sees it."""

    def __init__(self, root: Path, command: WorkerCommand, slurm: Slurm) -> None:
        self._root = root
        self._command = command
        self._slurm = chat_settings(slurm)
        self._chat = slurm.chat
        self._commands = SlurmCommands(slurm.poll_seconds)
        self._workers: dict[str, _Worker] = {}

    @contextlib.asynccontextmanager
    async def using(self, work: ChatWork) -> AsyncIterator[Address]:
        """A worker that answers; see `ChatPlace`."""
        worker = self._workers.setdefault(work.name, _Worker(self, work))
        address = await worker.enter()
        try:
            yield address
        finally:
            worker.leave(self._chat.idle_minutes * 60)

    async def close(self) -> None:
        """End every worker."""
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))

    async def start(self, work: ChatWork) -> _Up:
        """Submit a worker and wait until it answers. Raises ChatError."""
        try:
            return await self._start(work)
        except LaterError as error:
            raise ChatError(error.message, "Ask again in a moment.") from error
        except ChatError:
            raise
        except PapertuneError as error:
            raise ChatError(error.message, error.remedy) from error

    async def living(self, up: _Up) -> bool:
        """Whether Slurm still has the worker; believed where Slurm does not answer."""
        try:
            state = await in_background(partial(self._commands.state, up.job))
        except PapertuneError:
            return True
        return state is not None and state.word in _LIVING

    async def end(self, up: _Up) -> None:
        """Give the worker's node back."""
        with contextlib.suppress(PapertuneError):
            await in_background(partial(self._commands.cancel, up.job))
        (up.folder / SPEC).unlink(missing_ok=True)

    async def _start(self, work: ChatWork) -> _Up:
        key = secrets.token_hex(32)
        folder = self._folder(work)
        options = work.options | {"threads": self._slurm.cpus, "key": key, "host": NODE}
        atomic.write_json(folder / SPEC, options, atomic.PRIVATE)
        atomic.write_text(folder / ATTEMPT, "1\n")
        (folder / ALIVE).touch()
        command = work.command
        if self._command.paths:
            command = (self._command.python, *work.command[1:])
        batch = Batch(
            title=f"papertune: chat with {work.title}",
            name=f"papertune-{work.name[:24]}",
            comment=f"papertune-chat:{work.name}",
            attempt=1,
            folder=folder,
            log=folder / LOG,
        )
        script = folder / "job.sh"
        atomic.write_text(script, chat_script(batch, self._slurm, command, self._command))
        job = await in_background(partial(self._commands.submit, script))
        try:
            url = await self._answering(job, folder, work)
        except BaseException:
            with contextlib.suppress(PapertuneError):
                await in_background(partial(self._commands.cancel, job))
            raise
        return _Up(job, folder, Address(url, key))

    def _folder(self, work: ChatWork) -> Path:
        """A folder of this start alone; what earlier starts have left goes."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in self._root.glob(f"{work.name}-*"):
            if not (old / SPEC).exists():
                shutil.rmtree(old, ignore_errors=True)
        folder = self._root / f"{work.name}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        return folder

    async def _answering(self, job: str, folder: Path, work: ChatWork) -> str:
        deadline = time.monotonic() + self._chat.wait_minutes * 60
        touched = time.monotonic()
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(json.loads((folder / ADDRESS).read_bytes())["url"])
            state = await self._state(job)
            if state is not None and state.word not in _LIVING:
                tail = " / ".join(JobFolder(folder).log_tail(3))
                raise ChatError(
                    f"The chat worker of {work.title} ended in Slurm as {state.word}."
                    + (f" Its log ends: {tail}" if tail else ""),
                    f"The whole log: {folder / LOG}",
                )
            if time.monotonic() > deadline:
                waits = state is not None and state.word == "PENDING"
                raise ChatError(
                    f"The chat worker of {work.title} "
                    + (f"still waits in Slurm's queue ({state.reason})" if waits and state else "")
                    + ("" if waits else "did not load its model in time")
                    + f" after {self._chat.wait_minutes:g} minutes.",
                    "Ask again later, or raise wait_minutes in [engine.slurm.chat].",
                )
            if time.monotonic() - touched > ALIVE_SECONDS:
                touched = time.monotonic()
                (folder / ALIVE).touch()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _state(self, job: str) -> State | None:
        with contextlib.suppress(PapertuneError):
            return await in_background(partial(self._commands.state, job))
        return None


class _Worker:
    """One worker, those who use it, and the time when it is no longer wanted."""

    def __init__(self, place: SlurmChat, work: ChatWork) -> None:
        self._place = place
        self._work = work
        self._gate = asyncio.Lock()
        self._up: _Up | None = None
        self._inside = 0
        self._beat: asyncio.Task[None] | None = None
        self._unwanted_at = float("inf")

    async def enter(self) -> Address:
        """An address that answers, counted as in use until `leave`."""
        self._inside += 1
        try:
            async with self._gate:
                if self._up is not None and not await self._place.living(self._up):
                    self._up = None
                if self._up is None:
                    self._up = await self._place.start(self._work)
                if self._beat is None or self._beat.done():
                    self._beat = asyncio.create_task(self._keep())
                return self._up.address
        except BaseException:
            self._inside -= 1
            raise

    def leave(self, idle_seconds: float) -> None:
        """One user less; after the last one the worker stays so long."""
        self._inside -= 1
        self._unwanted_at = time.monotonic() + idle_seconds

    async def close(self) -> None:
        """End the worker now."""
        if self._beat is not None:
            self._beat.cancel()
        up, self._up = self._up, None
        if up is not None:
            await self._place.end(up)

    async def _keep(self) -> None:
        """Tell the worker that its engine lives, until nobody has asked for long enough."""
        while (up := self._up) is not None:
            with contextlib.suppress(OSError):
                (up.folder / ALIVE).touch()
            left = self._unwanted_at - time.monotonic()
            if self._inside == 0 and left <= 0:
                async with self._gate:
                    if self._inside == 0:
                        self._up = None
                        await self._place.end(up)
                return
            await asyncio.sleep(min(ALIVE_SECONDS, max(0.1, left)))
