"""Training jobs on a real Slurm: submitted once, followed, requeued, cancelled, found again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.engine.launchers.cluster import Cluster, until
from tests.engine.server import doubles
from tui.domain.errors import PapertuneError
from tui.engine.launchers.base import LaterError, Launch, Seen, Verdict, Where
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.slurm.launcher import SlurmLauncher
from tui.engine.settings import Slurm
from tui.engine.supervisor.folder import JobFolder

WORKER = WorkerCommand(tuple(doubles.WORKER))


def launcher(**settings: Any) -> SlurmLauncher:
    return SlurmLauncher(WORKER, Slurm(poll_seconds=0.1, **settings))


class Job:
    """A job's folder as the supervisor leaves it, and how the stand-in worker is to behave."""

    def __init__(self, base: Path, steps: int = 3) -> None:
        self.id = str(uuid.uuid4())
        self.folder = JobFolder(base / "jobs" / self.id)
        hyperparameters = {"training_steps": steps}
        self.folder.write_spec(
            {"model": "tiny", "validation": [], "hyperparameters": hyperparameters}
        )

    def launch(self, by: SlurmLauncher, attempt: int = 1) -> None:
        import time

        note = {"launcher": "slurm", "attempt": attempt, "devices": [], "at": time.time()}
        self.folder.write_launch(note)
        by.launch(self.folder, Launch(self.id, "tiny", attempt))

    def behave(self, how: str | None) -> None:
        path = self.folder.path.parent / "behave"
        if how is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(how)

    @property
    def status(self) -> str:
        return str(self.folder.status().get("status"))

    @property
    def steps(self) -> list[int]:
        return [point["step"] for point in self.folder.points()]


def until_seen(by: SlurmLauncher, job: Job, *wanted: Where) -> Seen:
    seen: list[Seen] = []

    def looked() -> bool:
        seen.append(by.look(job.folder))
        return seen[-1].where in wanted

    until(looked, why=f"{seen[-1:]} {job.folder.log_tail()}")
    return seen[-1]


def test_a_job_is_submitted_by_a_readable_script_and_done(slurm: Cluster, tmp_path: Path) -> None:
    by = launcher(partition="main", time="10:00", directives=("--nice=5",), setup=("echo set up",))
    job = Job(tmp_path)
    job.launch(by)
    until(lambda: job.status == "SUCCESS", why="\n".join(job.folder.log_tail()))
    assert job.steps == [1, 2, 3]
    assert job.folder.launched()["id"] in slurm.jobs()
    script = (job.folder.path / "job.sh").read_text()
    for line in ("--partition=main", "--time=10:00", "--nice=5", "--requeue", job.id):
        assert f"{line}" in script
    assert subprocess.run(["bash", "-n", str(job.folder.path / "job.sh")], check=True)
    # what setup lines and the worker print is the job's log
    assert "set up" in job.folder.log_tail()
    assert until_seen(by, job, Where.GONE)


def test_a_path_with_blanks_and_signs_is_taken(slurm: Cluster, tmp_path: Path) -> None:
    job = Job(tmp_path / "50% of $HOME; 'ours'")
    job.launch(launcher())
    until(lambda: job.status == "SUCCESS", why="\n".join(job.folder.log_tail()))
    with pytest.raises(PapertuneError, match="PAPERTUNE_DATA_DIR"):
        Job(tmp_path / 'a "quote"').launch(launcher())


def test_what_waits_says_why_and_scancel_takes_it_out(slurm: Cluster, tmp_path: Path) -> None:
    by = launcher(cpus=4)
    jobs = [Job(tmp_path) for _ in range(3)]
    jobs[0].behave("hold")
    for job in jobs:
        job.launch(by)
    until(lambda: len(jobs[0].steps) == len(jobs[1].steps) == 1)
    until(lambda: "free" in by.look(jobs[2].folder).reason)
    assert by.look(jobs[2].folder).where is Where.WAITING
    jobs[2].folder.ask_to_stop()
    by.press(jobs[2].folder, 0.0)
    seen = until_seen(by, jobs[2], Where.GONE)
    assert seen.verdict is Verdict.CANCELLED
    assert jobs[2].steps == []


def test_a_running_job_is_cancelled_through_its_file(slurm: Cluster, tmp_path: Path) -> None:
    by, job = launcher(), Job(tmp_path)
    job.behave("hold")
    job.launch(by)
    until(lambda: job.steps)
    job.folder.ask_to_stop()
    until(lambda: job.status == "CANCELLED")
    by.press(job.folder, 2.0)
    until_seen(by, job, Where.GONE)


@pytest.mark.parametrize("how", ["requeue", "preempt"])
def test_a_requeued_job_goes_on_where_it_was(slurm: Cluster, tmp_path: Path, how: str) -> None:
    by, job = launcher(partition="main", cpus=4, directives=("--nodelist=n1",)), Job(tmp_path)
    job.behave("hold")
    job.launch(by)
    until(lambda: job.steps == [1])
    number = str(job.folder.launched()["id"])
    if how == "requeue":
        slurm.ask("scontrol", "requeue", number)
    else:
        taker = "sbatch --parsable -p high -w n1 -c 4 --output=/dev/null --wrap='sleep 1'"
        assert slurm.ask("bash", "-c", taker)
    until_seen(by, job, Where.WAITING)
    job.behave(None)
    # Slurm holds a requeued job back until old credentials have expired; the test need not wait
    until(lambda: slurm.ask("scontrol", "update", f"JobId={number}", "StartTime=now") == "")
    until(lambda: job.status == "SUCCESS", why=slurm.ask("scontrol", "show", "job", number))
    assert job.steps == [1, 2, 3]
    assert job.folder.launched()["id"] == number  # the same job: nothing was submitted anew
    lines = (job.folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_a_lost_reply_submits_nothing_twice(
    slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("sbatch")
    deaf = tmp_path / "bin" / "sbatch"
    deaf.parent.mkdir()
    deaf.write_text(
        f"#!/bin/sh\n{real} \"$@\" >/dev/null\necho 'sbatch: error: Socket timed out' >&2\nexit 1\n"
    )
    deaf.chmod(deaf.stat().st_mode | stat.S_IXUSR)
    before = len(slurm.jobs())
    by, job = launcher(), Job(tmp_path)
    job.behave("hold")
    with monkeypatch.context() as context:
        context.setenv("PATH", f"{deaf.parent}{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(LaterError):
            job.launch(by)
    assert "id" not in job.folder.launched()
    until_seen(by, job, Where.RUNNING)
    assert len(slurm.jobs()) == before + 1
    assert job.folder.launched()["id"] in slurm.jobs()


def test_a_server_killed_before_it_noted_the_job_finds_it(slurm: Cluster, tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.behave("hold")
    job.launch(launcher())
    until(lambda: job.steps)
    note = job.folder.launched()
    number = note.pop("id")
    job.folder.write_launch(note)
    assert until_seen(launcher(), job, Where.RUNNING)
    assert job.folder.launched()["id"] == number


def test_a_script_that_was_submitted_twice_works_once(slurm: Cluster, tmp_path: Path) -> None:
    by, job = launcher(), Job(tmp_path)
    job.behave("hold")
    job.launch(by)
    until(lambda: job.steps)
    second = slurm.ask("sbatch", "--parsable", str(job.folder.path / "job.sh")).strip()
    until(lambda: slurm.state(second) == "COMPLETED")
    assert "Another Slurm job has this one." in job.folder.log_tail()
    job.behave(None)
    until(lambda: job.status == "SUCCESS")
    lines = (job.folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_an_overtaken_attempt_ends_at_once(slurm: Cluster, tmp_path: Path) -> None:
    by, job = launcher(directives=("--hold",)), Job(tmp_path)
    job.launch(by)
    first = str(job.folder.launched()["id"])
    job.launch(launcher(), attempt=2)
    until(lambda: job.status == "SUCCESS")
    slurm.ask("scontrol", "release", first)
    until(lambda: slurm.state(first) == "COMPLETED")
    assert "Overtaken." in job.folder.log_tail()


def test_what_slurm_refuses_is_said_in_its_words(slurm: Cluster, tmp_path: Path) -> None:
    with pytest.raises(PapertuneError, match=r"invalid partition.*sinfo") as caught:
        Job(tmp_path).launch(launcher(partition="nowhere"))
    assert not isinstance(caught.value, LaterError)


def test_a_controller_that_is_silent_changes_nothing(
    slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, job = launcher(), Job(tmp_path)
    job.behave("hold")
    job.launch(by)
    until(lambda: job.steps)
    conf = (slurm.folder / "slurm.conf").read_text()
    lines = [line for line in conf.splitlines() if not line.startswith("SlurmctldPort")]
    (tmp_path / "slurm.conf").write_text(
        "\n".join([*lines, "SlurmctldPort=1", "MessageTimeout=1", ""])
    )
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    assert by.look(job.folder).where in (Where.UNKNOWN, Where.RUNNING)
    other = launcher()
    assert other.look(job.folder).where is Where.UNKNOWN


def test_jobs_that_are_over_here_are_swept_out_of_the_queue(slurm: Cluster, tmp_path: Path) -> None:
    by = launcher(directives=("--hold",))
    over, alive = Job(tmp_path), Job(tmp_path)
    for job in (over, alive):
        job.launch(by)
    launcher().sweep(lambda job: job == over.id)
    until(lambda: slurm.state(str(over.folder.launched()["id"])) == "CANCELLED")
    assert slurm.state(str(alive.folder.launched()["id"])) == "PENDING"


def test_the_accounts_tell_what_the_controller_forgot(accounts: Cluster, tmp_path: Path) -> None:
    command = WorkerCommand((sys.executable, "-c", "import sys; sys.exit(3)"))
    plain, held = launcher(), launcher(directives=("--hold",))
    failing = SlurmLauncher(command, Slurm(poll_seconds=0.1))
    jobs = [(plain, Job(tmp_path)), (failing, Job(tmp_path)), (held, Job(tmp_path))]
    for by, job in jobs:
        job.launch(by)
    numbers = [str(job.folder.launched()["id"]) for _, job in jobs]
    accounts.ask("scancel", numbers[2])
    until(lambda: not set(numbers) & set(accounts.jobs()), why="the controller forgets them")
    assert accounts.ask("scontrol", "show", "job", numbers[0]) == ""
    seen = [by.look(job.folder) for by, job in jobs]
    assert [each.where for each in seen] == [Where.GONE] * 3
    assert "ended without" in seen[0].reason
    assert "as FAILED" in seen[1].reason
    assert seen[2].verdict is Verdict.CANCELLED
    # killed between submitting and noting it: found in the accounts by its name
    note = jobs[0][1].folder.launched()
    del note["id"]
    jobs[0][1].folder.write_launch(note)
    (jobs[0][1].folder.path / "claim-1").unlink()
    assert plain.look(jobs[0][1].folder).where is Where.GONE
    assert jobs[0][1].folder.launched()["id"] == numbers[0]


def test_forgotten_by_everybody_the_jobs_own_files_decide(slurm: Cluster, tmp_path: Path) -> None:
    by, job = launcher(), Job(tmp_path)
    job.folder.write_launch({"launcher": "slurm", "attempt": 1, "id": "999999", "job": job.id})
    assert by.look(job.folder).where is Where.GONE
    (job.folder.path / "status.json").write_text('{"status": "RUNNING"}')
    assert by.look(job.folder).where is Where.RUNNING


def test_without_slurm_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "login node" in launcher().problem()
