"""Starting, finding and stopping the engine of this machine, which outlives the terminal.

The app and the engine share nothing but HTTP and the state file that a running engine writes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import ConflictError, PapertuneError
from tui.mistral.errors import ApiError
from tui.mistral.http import Connection
from tui.mistral.local import LocalRoutes
from tui.mistral.retries import RetryPolicy
from tui.mistral.types import EngineInfo
from tui.settings import SecretStr
from tui.storage.locations import engine_state_file, state_dir
from tui.text import clean, shorten, visible

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
_TAIL_BYTES = 256 * 1024
_OWN = "papertune: "
# Keys of outside endpoints are none of the engine's business.
_SECRETS = ("MISTRAL_API_KEY", "PAPERTUNE_KEY_")


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Whether the engine runs and where; `jobs` counts those `running` and `queued`."""

    running: bool
    url: str = ""
    token_file: str = ""
    pid: int = 0
    device: str = ""
    version: str = ""
    jobs: dict[str, int] = field(default_factory=lambda: {"running": 0, "queued": 0})


@dataclass(frozen=True, slots=True)
class _State:
    url: str
    token: SecretStr
    pid: int
    started_at: float
    host: str
    version: str


class EngineControl:
    """The engine of this user on this machine; `arguments` follow its command when it starts."""

    # -P: the folder one stands in must not shadow a module of the engine
    command: tuple[str, ...] = (sys.executable, "-P", "-m", "tui.engine", "serve")

    def __init__(self, arguments: tuple[str, ...] = ()) -> None:
        self._arguments = arguments
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the engine writes its log."""
        return state_dir() / "engine.log"

    @property
    def output(self) -> Path:
        """What an engine that was started from here said on its way up, or when it died."""
        return state_dir() / "engine-start.log"

    def address(self) -> tuple[str, SecretStr] | None:
        """URL and token of the running engine; None when its process is gone."""
        state = self._alive()
        return (state.url, state.token) if state else None

    async def status(self) -> EngineStatus:
        """What the engine says of itself; without figures when it is too busy to answer."""
        token_file = str(engine_state_file())
        state = await asyncio.to_thread(self._alive)
        if state is None:
            return EngineStatus(False, token_file=token_file)
        info = await self._ask(state)
        return EngineStatus(
            running=True,
            url=state.url,
            token_file=token_file,
            pid=state.pid,
            device=info.device if info else "",
            version=info.version if info else state.version,
            jobs={
                "running": info.running if info else 0,
                "queued": info.queued if info else 0,
            },
        )

    async def start(self, *, wait: bool = True, seconds: float = _START_SECONDS) -> EngineStatus:
        """Start the engine in a session of its own, or find the one that runs.

        With `wait` it returns once the engine answers. Raises PapertuneError with the engine's
        own reason when it died (port taken, another engine, folder not writable), or when it
        does not answer within `seconds`.
        """
        found = await self.status()
        if found.running:
            return found
        await asyncio.to_thread(self._refuse_foreign)
        await asyncio.to_thread(self._launch)
        if not wait:
            return await self.status()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = await asyncio.to_thread(self._alive)
            if state is not None and await self._ask(state):
                return await self.status()
            if self._child is not None and self._child.poll() is not None and state is None:
                raise await asyncio.to_thread(self._died)
            await asyncio.sleep(_LOOK_SECONDS)
        raise PapertuneError(
            f"The engine does not answer after {seconds:g} s.",
            "See what it says: papertune engine logs",
        )

    async def ensure(self) -> EngineStatus:
        """The running engine, started if need be."""
        return await self.start()

    async def stop(self, *, seconds: float = _STOP_SECONDS) -> bool:
        """End the engine; jobs that train go on and are found again. False: none was running.

        Only a process that is provably the engine gets the signal. Raises PapertuneError when it
        is still there after `seconds`.
        """
        state = await asyncio.to_thread(self._alive)
        if state is None:
            await asyncio.to_thread(self._refuse_foreign)
            return False
        try:
            os.kill(state.pid, signal.SIGTERM)
        except ProcessLookupError:
            return True
        except PermissionError as error:
            raise PapertuneError(
                f"The engine (process {state.pid}) belongs to another user.", "Ask them."
            ) from error
        deadline = time.monotonic() + seconds
        while await asyncio.to_thread(self._is_engine, state):
            if time.monotonic() > deadline:
                raise PapertuneError(
                    f"The engine (process {state.pid}) did not stop within {seconds:g} s.",
                    f"If it must go: kill -9 {state.pid}",
                )
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def logs(self, lines: int = 50) -> list[str]:
        """The log's last lines, made safe; those of its start where it never got to a log."""
        said = _tail(self.log) or _tail(self.output)
        return said.splitlines()[-lines:] if lines > 0 else []

    async def _ask(self, state: _State) -> EngineInfo | None:
        endpoint = Endpoint("local", EndpointKind.LOCAL, state.url, trusted=True)
        once = RetryPolicy(attempts=1)
        connection = Connection(endpoint, state.token, seconds=_ANSWER_SECONDS, policy=once)
        try:
            return await LocalRoutes(connection).status()
        except ApiError:
            return None
        finally:
            await connection.aclose()

    def _state(self) -> _State | None:
        """What the state file says; None when there is none or it is of no use."""
        try:
            raw: dict[str, Any] = json.loads(engine_state_file().read_text(encoding="utf-8"))
            return _State(
                url=str(raw["url"]).rstrip("/"),
                token=SecretStr(str(raw["token"])),
                pid=int(raw["pid"]),
                started_at=float(raw.get("started_at") or 0),
                host=str(raw.get("host") or ""),
                version=str(raw.get("version") or ""),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _alive(self) -> _State | None:
        """The state of an engine whose process is there, on this host, and is an engine."""
        if self._child is not None:
            self._child.poll()  # reaps it: a dead child would look alive
        state = self._state()
        if state is None or self._foreign(state) or not self._is_engine(state):
            return None
        return state

    def _foreign(self, state: _State) -> bool:
        return bool(state.host) and state.host != socket.gethostname()

    def _refuse_foreign(self) -> None:
        """A state file on a shared home may speak of another host, where we can see nothing."""
        state = self._state()
        if state is not None and self._foreign(state):
            host = visible(state.host)
            raise ConflictError(
                f"Your engine was started on {host}, which shares this home.",
                f"Use it there, or stop it there; if {host} is gone, delete {engine_state_file()}.",
            )

    def _is_engine(self, state: _State) -> bool:
        """Whether that pid is still the engine and not a later process with its number."""
        try:
            process = psutil.Process(state.pid)
            command = process.cmdline()
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            started = process.create_time()
        except psutil.Error:
            return False
        known = {*self.command[1:], "tui.engine"} - {"-m", "-P", "serve"}
        ours = any(word in known or Path(word).name == "papertune" for word in command)
        in_time = not state.started_at or started <= state.started_at + 2
        return ours and in_time

    def _launch(self) -> None:
        path = self.output
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            output = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
        except OSError as error:
            raise PapertuneError(
                f"{path} cannot be written: {error.strerror}.",
                "Choose another place with PAPERTUNE_STATE_DIR.",
            ) from error
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)
        }
        try:
            self._child = subprocess.Popen(
                [*self.command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=path.parent,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(output)

    def _died(self) -> PapertuneError:
        code = self._child.returncode if self._child else 1
        said = [line for line in _tail(self.output).splitlines() if line.strip()]
        own = [line for line in said if line.startswith(_OWN)]
        if not said:
            return PapertuneError(
                f"The engine did not start and said nothing (exit code {code}).",
                f"Is the disk of {self.output.parent} full? See: df -h; mend it and start again.",
            )
        reason = shorten((own or said)[-1].removeprefix(_OWN), 400)
        if own:
            return PapertuneError(f"The engine did not start: {reason}")
        return PapertuneError(
            f"The engine did not start: {reason.rstrip('.')}.", f"All it said is in {self.output}"
        )


def _tail(path: Path) -> str:
    """A log's end, made safe."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return clean(file.read().decode(errors="replace"))
    except OSError:
        return ""
