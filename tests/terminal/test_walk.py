"""The whole guided job in a real terminal, by the keys that the guide's bar names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.pty_terminal import PtyTerminal
from tui.domain.job import Job
from tui.quickstart.plan import SAMPLE_QUESTION, SAMPLE_STEPS, Plan
from tui.services import Services

pytestmark = [pytest.mark.train, pytest.mark.terminal, pytest.mark.timeout(900)]

ENTER, ESCAPE, CLEAR, QUIT = "\r", "\x1b", "\x15", "\x11"
STEPS = "6"  # of training: enough for two checkpoints
PATIENCE = 300  # seconds that a loaded machine may take for what a model does

Open = Callable[[], PtyTerminal]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Where the walk's papers, training set and results are kept."""
    return tmp_path / "team"


@pytest.fixture
def start(workspace: Path, ended_engine: str) -> Iterator[Open]:
    """Opens `papertune quickstart` at 80×24; every terminal is closed at the end."""
    running: list[PtyTerminal] = []

    def begin() -> PtyTerminal:
        running.append(PtyTerminal(["-w", str(workspace), "quickstart"]))
        return running[-1]

    yield begin
    for terminal in running:
        terminal.close()


def test_the_whole_job_by_the_keys_that_the_bar_names(
    start: Open, workspace: Path, small_plan: Plan
) -> None:
    terminal = start()
    _to_frozen(terminal, small_plan)
    _launch(terminal)

    # Left in the middle and opened again: the job went on and is found.
    terminal.press(QUIT)
    assert terminal.wait_end() == 0
    terminal = start()
    _guided(terminal, 8, "4 then i", seconds=PATIENCE)
    terminal.press("3")
    terminal.wait_for("1 job, 0 under way")
    terminal.press(ENTER)
    for words in (f"step {STEPS} of {STEPS}", "memory", "transfer", "→ ft:"):
        terminal.wait_for(words)

    terminal.press("4")
    _guided(terminal, 8, "i")
    terminal.wait_for("tuned+sources · ft:", seconds=PATIENCE)
    terminal.press("i")
    terminal.wait_for(SAMPLE_QUESTION)
    _guided(terminal, 8, "enter")
    terminal.press(ENTER)
    _guided(terminal, 9, "5 then n", seconds=PATIENCE)
    terminal.wait_for(" tokens (")

    terminal.press("5")
    _guided(terminal, 9, "n")
    terminal.press("n")
    terminal.wait_for("of which frozen dataset?")
    terminal.press(ENTER)
    terminal.wait_for("base+sources", seconds=PATIENCE)
    terminal.wait_for("tuned+sources")
    terminal.wait_for("That was the whole job")
    terminal.press(QUIT)
    assert terminal.wait_end() == 0

    services = Services.open(workspace)
    [report] = services.evaluator.runs()
    services.close()
    assert report.dataset == "quickstart@v1"
    assert set(report.tests) == {"memory", "transfer"}


def test_a_terminal_that_hangs_up_leaves_the_job_running(
    start: Open, workspace: Path, small_plan: Plan
) -> None:
    terminal = start()
    _to_frozen(terminal, small_plan)
    _launch(terminal)
    terminal.process.ptyproc.fileobj.close()  # the kernel sends SIGHUP, as when a line drops
    terminal.process.wait()

    job = _ended(workspace)
    assert job.status == "SUCCESS", job.events
    terminal = start()
    _guided(terminal, 8, "4 then i", seconds=60)
    terminal.press("3")
    terminal.wait_for("1 job, 0 under way")
    terminal.wait_for(job.id[:8])


def _to_frozen(terminal: PtyTerminal, plan: Plan) -> None:
    """Steps 1 to 5: papers in, pairs from a file typed over the one offered, a frozen version."""
    _guided(terminal, 1, "a")
    terminal.press("a")
    terminal.wait_for("enter takes it")
    terminal.press(ENTER)
    _guided(terminal, 2, "2 then a", seconds=60)
    terminal.press("2")
    terminal.wait_for("No datasets yet")
    terminal.press("a")
    terminal.wait_for("Its name:")
    terminal.press(ENTER)
    terminal.wait_for("Full text")
    terminal.press(ENTER)
    terminal.wait_for("Which file?")
    terminal.wait_for("sample/pairs.jsonl")
    terminal.press(CLEAR)
    terminal.wait_for("pairs.jsonl", gone=True)
    terminal.press(str(plan.pairs))
    terminal.wait_for("pairs.jsonl")
    terminal.press(ENTER)
    _guided(terminal, 3, "s")
    terminal.press("s")
    terminal.wait_for("Split quickstart")
    terminal.press(ENTER)
    _guided(terminal, 4, "esc then c")
    terminal.press(ESCAPE)
    _guided(terminal, 4, "c")
    terminal.press("c")
    terminal.wait_for("Fit to train on")
    _guided(terminal, 5, "esc then z")
    terminal.press(ESCAPE)
    _guided(terminal, 5, "z")
    terminal.press("z")
    _guided(terminal, 6, "3 then n")


def _launch(terminal: PtyTerminal) -> None:
    """Step 6, and until the job runs, in which there is no key left to press."""
    terminal.press("3")
    terminal.wait_for("No jobs yet")
    terminal.press("n")
    terminal.wait_for(f" {SAMPLE_STEPS} steps, ")
    terminal.press(CLEAR)
    terminal.wait_for(f" {SAMPLE_STEPS} steps, ", gone=True)
    terminal.press(STEPS)
    terminal.wait_for(f" {STEPS} steps, ")
    terminal.press(ENTER)
    terminal.wait_for("Step 7 of 9", seconds=PATIENCE)
    assert "press" not in _bar(terminal)
    terminal.wait_for("running, step", seconds=PATIENCE)


def _bar(terminal: PtyTerminal) -> str:
    return str(terminal.screen.display[1]).rstrip()


def _guided(terminal: PtyTerminal, step: int, keys: str, *, seconds: float = 30) -> None:
    """Wait until the bar names a step and exactly these keys."""
    terminal.wait_for(f"Step {step} of 9: ", seconds=seconds)
    terminal.wait_for(f" — press {keys} ", seconds=seconds)


def _ended(workspace: Path) -> Job:
    """The workspace's job when it has come to its end, whoever watched meanwhile."""
    services = Services.open(workspace)

    async def wait() -> Job:
        job_id = await asyncio.to_thread(services.jobs.newest_for, "quickstart@v1")
        assert job_id is not None, "the job was lost"
        job = await services.jobs.get(job_id)
        async for event in services.jobs.watch(job_id, revive=True):
            job = event.job or job
        return job

    return services.run(asyncio.wait_for(wait(), PATIENCE))
