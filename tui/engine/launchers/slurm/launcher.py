"""Training workers as Slurm jobs, submitted once each however often the engine dies."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection

from tui.domain.errors import PapertuneError
from tui.engine.launchers.base import LaterError, Launch, Room, Seen, Verdict, Where
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.slurm.client import SlurmCommands, State
from tui.engine.launchers.slurm.script import ATTEMPT, Batch, claim, training_script
from tui.engine.settings import Slurm
from tui.engine.supervisor.folder import JobFolder
from tui.storage import atomic

_COMMENT = re.compile(r"papertune:([0-9a-f-]{36}):(\d+)")
# How long a submission whose reply was lost may take to show in the queue.
_UNSEEN_SECONDS = 15.0
_SCANCEL_AFTER_SECONDS = 1.0
_SCANCEL_AGAIN_SECONDS = 5.0
_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"})
_WAITING_TOO = frozenset({"SPECIAL_EXIT", "RESV_DEL_HOLD", "SUSPENDED", "STOPPED", "PREEMPTED"})
_RUNNING = frozenset({"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING"})
_REASONS = {
    "Priority": "others come first",
    "Resources": "until nodes are free",
    "BeginTime": "it was requeued a moment ago",
    "None": "it was submitted a moment ago",
    "Dependency": "for another job",
    "JobHeldAdmin": "an administrator holds it; ask them",
    "JobHeldUser": "held; release it with: scontrol release",
    "launch failed requeued held": "its node failed to start it; release it: scontrol release",
}


class SlurmLauncher:
    """Gives every job to Slurm at once: its queue is the queue."""

    name = "slurm"
    queues = True

    def __init__(self, command: WorkerCommand, slurm: Slurm) -> None:
        self.command = command
        self._slurm = slurm
        self._commands = SlurmCommands(slurm.poll_seconds)
        self._pressed = dict[str, float]()

    @property
    def threads(self) -> int:
        """Threads that a worker may use: the CPUs asked of a node."""
        return self._slurm.cpus

    @property
    def devices(self) -> int:
        """GPUs of all nodes, or nodes."""
        return self._slurm.nodes * max(1, self._slurm.gpus_per_node)

    def warm_up_command(self) -> tuple[str, ...]:
        """Nothing: a login node tells nothing about the nodes."""
        return ()

    def problem(self) -> str:
        """Which of Slurm's commands is missing here; the worker's Python is seen on its node."""
        missing = self._commands.missing()
        if not missing:
            return ""
        return (
            f"{missing} is not on this machine, and launcher = 'slurm' is set."
            " Start the engine on the cluster's login node."
        )

    def room(self, taken: Collection[str]) -> Room:  # noqa: ARG002  Slurm counts devices itself
        """Always: what does not fit now waits in Slurm's queue."""
        return Room(())

    def launch(self, folder: JobFolder, launch: Launch) -> None:
        """Write the script and submit it, unless it was submitted already."""
        batch = Batch(
            title=f"papertune: fine-tuning job {launch.job} on {launch.model}",
            name=_job_name(launch.job, launch.attempt),
            comment=_comment(launch.job, launch.attempt),
            attempt=launch.attempt,
            folder=folder.path,
            log=folder.log,
        )
        script = folder.path / "job.sh"
        atomic.write_text(script, training_script(batch, self._slurm, self.command))
        atomic.write_text(folder.path / ATTEMPT, f"{launch.attempt}\n")
        note = folder.launched() | {"job": launch.job}
        folder.write_launch(note)
        folder.write_launch(note | {"id": self._commands.submit(script)})

    def look(self, folder: JobFolder) -> Seen:
        """What Slurm says; where nobody answers or knows, what the job's own files say."""
        try:
            job = self._id(folder)
            if job is None:
                return self._unsubmitted(folder)
            state = self._commands.state(job)
        except LaterError as error:
            return Seen(Where.UNKNOWN, str(error))
        except PapertuneError as error:
            return Seen(Where.UNKNOWN, str(error))
        if state is None:
            living = folder.heard_lately()
            return Seen(Where.RUNNING if living else Where.GONE, "is no longer known to Slurm")
        return _seen(state, self._slurm)

    def press(self, folder: JobFolder, waited: float) -> None:
        """scancel: at once for what has not begun, else a second after the cancel file."""
        key = str(folder.path)
        if waited < _SCANCEL_AFTER_SECONDS and folder.status():
            return
        if time.monotonic() - self._pressed.get(key, -1e9) < _SCANCEL_AGAIN_SECONDS:
            return
        self._pressed[key] = time.monotonic()
        try:
            job = self._id(folder)
            if job is not None:
                self._commands.cancel(job)
        except PapertuneError:
            return  # asked again in a moment; the worker sees its cancel file meanwhile

    def sweep(self, over: Callable[[str], bool]) -> None:
        """Cancel what is still queued of jobs that were cancelled here."""
        if self._commands.missing():
            return
        for job, state in list(self._commands.table().items()):
            match = _COMMENT.fullmatch(state.comment)
            if match and state.word in _WAITING | _RUNNING and over(match[1]):
                self._commands.cancel(job)

    def forget(self, folder: JobFolder) -> None:
        """Nothing is kept but the time of the last scancel."""
        self._pressed.pop(str(folder.path), None)

    def _id(self, folder: JobFolder) -> str | None:
        """The Slurm job of the last launch: noted, claimed by the job itself, or found by name."""
        note = folder.launched()
        if note.get("id"):
            return str(note["id"])
        attempt = int(note.get("attempt") or 0)
        try:
            job: str | None = str(claim(folder.path, attempt).readlink())
        except OSError:
            name = str(note.get("job") or folder.path.name)
            job = self._commands.find(_job_name(name, attempt), _comment(name, attempt))
        if job is not None:
            folder.write_launch(note | {"id": job})
        return job

    def _unsubmitted(self, folder: JobFolder) -> Seen:
        at = folder.launched().get("at")
        age = time.time() - at if isinstance(at, int | float) else _UNSEEN_SECONDS
        if 0 <= age < _UNSEEN_SECONDS:
            return Seen(Where.UNKNOWN)
        return Seen(Where.GONE, "was not submitted")


def _job_name(job: str, attempt: int) -> str:
    return f"papertune-{job[:8]}-{attempt}"


def _comment(job: str, attempt: int) -> str:
    return f"papertune:{job}:{attempt}"


def _seen(state: State, slurm: Slurm) -> Seen:
    word = state.word.rstrip("+")
    if word in _WAITING or word in _WAITING_TOO:
        why = _REASONS.get(state.reason, state.reason) or word.lower()
        return Seen(Where.WAITING, f"waits in Slurm's queue: {why}")
    if word in _RUNNING:
        return Seen(Where.RUNNING)
    if word == "CANCELLED":
        return Seen(Where.GONE, "It was cancelled in Slurm (scancel).", Verdict.CANCELLED)
    if word == "OUT_OF_MEMORY":
        asked = slurm.memory or "the partition's default"
        return Seen(
            Where.GONE,
            f"Slurm ended the job because it took more memory than it had asked for ({asked})."
            " Raise memory in [engine.slurm], or create the job with a smaller batch or seq_len.",
            Verdict.HOPELESS,
        )
    if word == "DEADLINE":
        return Seen(Where.GONE, "Slurm's deadline for the job has passed.", Verdict.HOPELESS)
    endings = {
        "TIMEOUT": f"reached Slurm's time limit ({slurm.time or 'the default'})",
        "NODE_FAIL": "lost its node",
        "BOOT_FAIL": "got a node that did not boot",
        "COMPLETED": "ended without a result",
    }
    return Seen(Where.GONE, endings.get(word, f"ended in Slurm as {word}"))
