"""Slurm's own commands, asked sparingly and believed only when they answered.

States come from `squeue` (one call for all jobs of this user), then `scontrol`, then `sacct`,
whichever exists and still knows the job.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.domain.errors import MissingError, PapertuneError
from tui.engine.launchers.base import LaterError
from tui.engine.supervisor.process import open_environment
from tui.text import clean, shorten

_PATIENCE_SECONDS = 30.0
_TRANSIENT = (
    "unable to contact",
    "socket timed out",
    "timed out",
    "connection refused",
    "connection reset",
    "standby",
    "temporarily",
    "try again",
    "submit limit",
    "communication",
    "protocol authentication",
)


@dataclass(frozen=True, slots=True)
class State:
    """What Slurm says of a job; `word` is its long state, e.g. `PENDING`, `OUT_OF_MEMORY`."""

    word: str
    reason: str = ""
    comment: str = ""


class SlurmCommands:
    """Runs `sbatch`, `squeue`, `scontrol`, `sacct`, `scancel`.

    What `squeue` said is kept for `fresh_seconds`: a controller serves a whole cluster.
    """

    def __init__(self, fresh_seconds: float) -> None:
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._table: dict[str, State] = {}
        self._read_at = -1e9

    @staticmethod
    def missing() -> str:
        """The first of the commands that is not on this machine, or nothing."""
        return next(
            (name for name in ("sbatch", "squeue", "scancel") if not shutil.which(name)), ""
        )

    def submit(self, script: Path) -> str:
        """Submit a batch script; the job's id.

        Raises LaterError when the controller did not answer (it may have taken the job all the
        same), PapertuneError with Slurm's words when it refused.
        """
        said = _run("sbatch", "--parsable", str(script))
        self.refresh()
        # with several clusters: ID;CLUSTER
        return said.strip().splitlines()[-1].partition(";")[0].strip()

    def cancel(self, job: str) -> None:
        """Take a job out of the queue or end it."""
        _run("scancel", job)
        self.refresh()

    def refresh(self) -> None:
        """Something has changed: what was read before counts no longer."""
        with self._lock:
            self._read_at = -1e9

    def table(self) -> dict[str, State]:
        """Every job of this user that the controller still knows, by id. Raises LaterError."""
        with self._lock:
            if time.monotonic() - self._read_at > self._fresh_seconds:
                user = f"--user={os.getuid()}"
                self._table = _rows(_run("squeue", "-h", "-t", "all", user, "-o", "%i|%T|%r|%k"))
                self._read_at = time.monotonic()
            return self._table

    def state(self, job: str) -> State | None:
        """What is known of a job, or None when nobody knows it. Raises LaterError."""
        found = self.table().get(job)
        if found is not None:
            return found
        return _from_scontrol(job) or _from_sacct(["-j", job])

    def find(self, name: str, comment: str) -> str | None:
        """The id of the job with this comment, or in the accounts of this name; or None."""
        self.refresh()
        for job, state in self.table().items():
            if state.comment == comment:
                return job
        return _id_from_sacct(name)


def _rows(said: str) -> dict[str, State]:
    found: dict[str, State] = {}
    for row in said.splitlines():
        job, _, rest = row.partition("|")
        word, _, rest = rest.partition("|")
        reason, _, comment = rest.partition("|")
        found[job.strip()] = State(word.strip(), reason.strip(), comment.strip())
    return found


def _from_scontrol(job: str) -> State | None:
    if not shutil.which("scontrol"):
        return None
    try:
        said = _run("scontrol", "-o", "show", "job", job)
    except LaterError:
        raise
    except PapertuneError:
        return None  # "Invalid job id specified": it has been forgotten
    words = dict(part.partition("=")[::2] for part in said.split())
    state = words.get("JobState", "")
    return State(state, words.get("Reason", "")) if state else None


def _from_sacct(which: Sequence[str]) -> State | None:
    rows = _sacct([*which, "-o", "State"])
    # "CANCELLED by 0"
    return State(rows[-1].split()[0]) if rows and rows[-1].split() else None


def _id_from_sacct(name: str) -> str | None:
    rows = _sacct(["--name", name, "-S", "now-7days", "-u", str(os.getuid()), "-o", "JobID"])
    return rows[-1] if rows else None


def _sacct(arguments: Sequence[str]) -> list[str]:
    """Rows of `sacct`; none where it is missing or keeps no accounts."""
    if not shutil.which("sacct"):
        return []
    try:
        said = _run("sacct", "-n", "-X", "-P", *arguments)
    except PapertuneError:
        return []
    return [row.strip() for row in said.splitlines() if row.strip()]


def _run(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=open_environment() | {"LC_ALL": "C", "SLURM_TIME_FORMAT": "standard"},
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise MissingError(
            f"{command[0]} is not on this machine.",
            "Start the engine on the cluster's login node, or set launcher = 'process'.",
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaterError(f"Slurm does not answer ({command[0]}).") from error
    said = clean(done.stderr.decode("utf-8", "replace"))
    if done.returncode == 0:
        return clean(done.stdout.decode("utf-8", "replace"))
    why = shorten(" ".join(said.split()) or f"{command[0]} gave no reason", 300)
    if any(word in said.lower() for word in _TRANSIENT):
        raise LaterError(f"Slurm does not answer: {why}")
    raise PapertuneError(
        f"Slurm refused: {why}", "Check [engine.slurm] in config.toml against: sinfo -s"
    )
