"""A chat worker on another node: what the engine asks for and what the worker must do.

A worker is started as `command + [folder]`, wherever a launcher puts it. It

* reads `folder/chat.json` (0600): `{"key", "host", …options}`; `host` is the address to bind;
* loads its model, binds a free port and writes `folder/address.json`, `{"url"}`, at once whole;
* answers `POST /completion` as llama.cpp's server does (token ids in, server-sent events out; see
  `tui.engine.chat.llama_process`), and nothing at all without `Authorization: Bearer <key>`;
* says why it cannot in `folder/log.txt` and ends with a status other than 0;
* ends on SIGTERM, and when `folder/alive` has not been touched for `FORGOTTEN_SECONDS`: then the
  engine that asked for it is dead.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

SPEC, ADDRESS, ALIVE, LOG = "chat.json", "address.json", "alive", "log.txt"
FORGOTTEN_SECONDS = 180.0
ALIVE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ChatWork:
    """A chat worker to be: `name` is the same for the same weights and options, and safe as a path.

    `title` is the model as a person knows it. `adapters` may be part of `options`; a worker with
    other options is another worker.
    """

    name: str
    title: str
    command: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a worker answers, and the key without which it does not."""

    url: str
    key: str = field(repr=False)


class Forgotten:
    """Whether the engine has stopped touching the `alive` file of a worker's folder.

    Counted by `clock`, the worker's own monotonic one, between changes of the file: the clocks of
    two nodes differ, and either may be set.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._alive = folder / ALIVE
        self._clock = clock
        self._touched = 0.0
        self._since = clock()

    def is_so(self) -> bool:
        """Whether it was not touched for `FORGOTTEN_SECONDS`; to be asked again and again."""
        with contextlib.suppress(OSError):
            touched = self._alive.stat().st_mtime
            if touched != self._touched:
                self._touched, self._since = touched, self._clock()
        return self._clock() - self._since > FORGOTTEN_SECONDS


class ChatPlace(Protocol):
    """Somewhere a chat worker can run when this machine cannot hold its model."""

    def using(self, work: ChatWork) -> AbstractAsyncContextManager[Address]:
        """A worker that answers, started if there is none, kept while the context is entered.

        It is ended some time after the last user has left. Raises ChatError with what Slurm or
        the worker's log says when it does not come up in time.
        """
        ...

    async def close(self) -> None:
        """End every worker."""
        ...
