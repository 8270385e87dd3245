"""What the supervisor asks of whoever runs workers: start, look, stop, and find again.

All a launcher knows of a job lies in the job's folder, so a server that starts after another was
killed finds every worker. Calls may block (a scheduler answers in seconds): use a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tui.domain.errors import PapertuneError
from tui.engine.launchers.command import WorkerCommand
from tui.engine.supervisor.folder import JobFolder


class LaterError(PapertuneError):
    """It did not work now and may in a moment: the scheduler does not answer."""


class Where(Enum):
    """Where a worker stands; `UNKNOWN`: nobody could say, so nothing follows from it."""

    WAITING = "waiting"
    RUNNING = "running"
    GONE = "gone"
    UNKNOWN = "unknown"


class Verdict(Enum):
    """What follows when a worker has gone without having said how its job ended."""

    AGAIN = "again"
    CANCELLED = "cancelled"
    HOPELESS = "hopeless"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a worker showed; `reason` says why it waits, or how it ended."""

    where: Where
    reason: str = ""
    verdict: Verdict = Verdict.AGAIN


@dataclass(frozen=True, slots=True)
class Room:
    """The devices a job may start on now; None: it waits, and `reason` says for what."""

    devices: tuple[str, ...] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of a job's worker; `attempt` counts a job's starts from 1 and never repeats."""

    job: str
    model: str
    attempt: int
    devices: tuple[str, ...] = ()


class Launcher(Protocol):
    """Starts workers somewhere and tells what became of them."""

    @property
    def name(self) -> str:
        """Its word in the settings, and in a job's `launch.json`."""
        ...

    @property
    def command(self) -> WorkerCommand:
        """What it starts."""
        ...

    @property
    def queues(self) -> bool:
        """Whether it has a queue of its own, so that what is launched may wait there."""
        ...

    @property
    def threads(self) -> int:
        """Threads that a worker may use."""
        ...

    @property
    def devices(self) -> int:
        """How many devices a job has: GPUs, or machines without any."""
        ...

    def warm_up_command(self) -> tuple[str, ...]:
        """The worker's command for a short training on this machine; empty: it trains elsewhere."""
        ...

    def problem(self) -> str:
        """Why no worker could be started at all, with the remedy; empty: nothing is known."""
        ...

    def room(self, taken: Collection[str]) -> Room:
        """Devices for one more job when those of `taken` are in use by ours."""
        ...

    def launch(self, folder: JobFolder, launch: Launch) -> None:
        """Start a worker; done twice for the same attempt, it starts one.

        Raises LaterError when it should be tried again, PapertuneError when that is no use.
        """
        ...

    def look(self, folder: JobFolder) -> Seen:
        """What became of the last launch."""
        ...

    def press(self, folder: JobFolder, waited: float) -> None:
        """Make a worker end that was asked to by the cancel file `waited` seconds ago."""
        ...

    def sweep(self, over: Callable[[str], bool]) -> None:
        """End workers whose job, by its id, is `over`: a killed server may have left some."""
        ...

    def forget(self, folder: JobFolder) -> None:
        """The job has come to its end: nobody will ask about it again."""
        ...
