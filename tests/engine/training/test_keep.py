"""A person's choice of a checkpoint: while the job runs, and after it has ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tui.domain.errors import NotFoundError
from tui.domain.job import JobStatus
from tui.engine.home import EngineHome
from tui.engine.launchers.command import WorkerCommand
from tui.engine.store.database import Database
from tui.engine.store.jobs import JobStore, StoredJob
from tui.engine.store.models import ModelStore
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.keep import finish, kept, publish_checkpoint
from tui.engine.training import worker

pytestmark = pytest.mark.train
NewJob = Callable[..., Path]
COMMAND = WorkerCommand.of("", Path())


def _stored(folder: Path, status: JobStatus) -> StoredJob:
    return StoredJob(
        folder.name, "tiny", status, True, True, "", 0, 0, [], [], 0.0, {}, {}, {}, launches=1
    )


def test_a_job_ends_with_the_checkpoint_that_was_chosen(new_job: NewJob) -> None:
    job = new_job(training_steps=100_000)
    process = subprocess.Popen([sys.executable, "-m", "tui.engine.training.worker", str(job)])
    folder = JobFolder(job)
    # with so many steps there is no evaluation yet: ending early writes the checkpoint
    while not folder.points():
        assert process.poll() is None
    finish(_stored(job, JobStatus.RUNNING), folder, None)
    assert process.wait(60) == worker.DONE
    assert folder.status()["status"] == "SUCCESS"
    step = folder.points()[-1]["step"]
    assert step < 100_000
    assert json.loads((job / "adapter" / "papertune.json").read_text())["step"] == step
    # asked to go on it is done at once, with the same
    assert worker.main([str(job)]) == worker.DONE
    assert folder.points()[-1]["step"] == step


def test_a_chosen_checkpoint_outlives_better_ones_and_is_published(new_job: NewJob) -> None:
    job = new_job(training_steps=20)
    (job / "keep.json").write_text('{"step": 4}')
    assert worker.main([str(job)]) == worker.DONE
    assert 4 in kept(JobFolder(job))
    assert json.loads((job / "adapter" / "papertune.json").read_text())["step"] == 4
    assert "step 4" in JobFolder(job).status()["message"]


def test_any_kept_checkpoint_of_an_ended_job_becomes_a_model(
    new_job: NewJob, tmp_path: Path
) -> None:
    job = new_job("engine-job", training_steps=20)
    assert worker.main([str(job)]) == worker.DONE
    home = EngineHome(tmp_path / "engine")
    home.create()
    job.rename(home.job(job.name))
    database = Database(home.database)
    jobs, models = JobStore(database), ModelStore(database)
    stored = _stored(home.job(job.name), JobStatus.CANCELLED)
    jobs.create(stored)
    step = kept(JobFolder(home.job(job.name)))[-1]
    name = publish_checkpoint(home, jobs, models, stored, step, COMMAND)
    assert publish_checkpoint(home, jobs, models, stored, step, COMMAND) == name
    assert name.startswith("ft:tiny:")
    card = json.loads((home.model(name) / "papertune.json").read_text())
    assert (card["id"], card["step"], card["job"]) == (name, step, stored.id)
    assert (home.model(name) / "adapter.gguf").stat().st_size
    assert [model.id for model in models.all()] == [name]
    found = jobs.get(stored.id)
    assert found is not None
    assert found.fine_tuned_model == name
    with pytest.raises(NotFoundError, match=str(step)):
        publish_checkpoint(home, jobs, models, stored, 7, COMMAND)
    database.close()
