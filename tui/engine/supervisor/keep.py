"""A person's choice among a job's checkpoints: end here with one, or make a model of one later."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tui.domain.errors import ConflictError, NotFoundError, PapertuneError
from tui.engine.home import EngineHome
from tui.engine.launchers.command import WorkerCommand
from tui.engine.store.jobs import JobStore, StoredJob
from tui.engine.store.models import ModelStore
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.process import open_environment
from tui.engine.supervisor.publish import model_id, publish
from tui.engine.supervisor.queue import handed_over
from tui.engine.training.checkpoints import Checkpoints
from tui.storage import atomic
from tui.text import clean, shorten

_EXPORT_SECONDS = 600


def kept(folder: JobFolder) -> list[int]:
    """The steps whose checkpoints lie whole in a job's folder."""
    return Checkpoints(folder.path / "checkpoints").whole()


def finish(job: StoredJob, folder: JobFolder, step: int | None) -> None:
    """Let a job under way end with the checkpoint of `step`, or with its best one.

    The worker ends after the step it is at; what it has becomes the job's model. Raises
    ConflictError when nothing is under way, NotFoundError when that checkpoint is not kept.
    """
    if not handed_over(job):
        raise ConflictError(f"The job is {job.status}; there is nothing to end.")
    if step is not None:
        _require(folder, step)
        atomic.write_json(folder.path / "keep.json", {"step": step})
    (folder.path / "finish").touch()


def publish_checkpoint(
    home: EngineHome,
    jobs: JobStore,
    models: ModelStore,
    job: StoredJob,
    step: int,
    command: WorkerCommand,
) -> str:
    """Make a model of a kept checkpoint of a job that has ended; its id. Blocking.

    `command` is the worker's: its Python exports the adapter. The model is the job's from then on;
    one that it had before stays what it is. Done again it changes nothing.
    """
    folder = JobFolder(home.job(job.id))
    _require(folder, step)
    name = model_id(job, step)
    exported = folder.path / f"adapter-{step}"
    _export(folder.path, step, exported, command)
    publish(job, exported, home.model(name), step)
    models.add(name, job.id, job.model, int(time.time()))
    jobs.update(job.id, fine_tuned_model=name, modified_at=int(time.time()))
    return name


def _require(folder: JobFolder, step: int) -> None:
    there = kept(folder)
    if step not in there:
        steps = ", ".join(map(str, there)) or "none yet"
        raise NotFoundError(
            f"The checkpoint of step {step} is not kept.", f"Those that are kept: {steps}."
        )


def _export(job: Path, step: int, destination: Path, command: WorkerCommand) -> None:
    """In a process of its own: numpy and the adapter have no place in the server."""
    python = command.python or sys.executable
    try:
        done = subprocess.run(
            [python, "-m", "tui.engine.training.export", job, str(step), destination],
            env=open_environment() | command.environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_EXPORT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PapertuneError(f"The checkpoint could not be exported: {error}.") from error
    if done.returncode:
        why = shorten(clean(done.stderr.decode("utf-8", "replace")).strip(), 300)
        raise PapertuneError(f"The checkpoint could not be exported: {why}")
