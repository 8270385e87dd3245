from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from tests.engine.server.doubles import BASE
from tui.cli import papertune
from tui.domain.errors import PapertuneError
from tui.mistral import EngineControl
from tui.services import Services
from tui.storage.locations import data_dir

ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with one frozen version of typed pairs."""
    folder = tmp_path / "team"
    services = Services.open(folder, create=True)
    pairs = tmp_path / "pairs.jsonl"
    rows = [
        {
            "question": f"{start} the yield of velmora batch {n}?",
            "answer": f"It is {n + 11} grams.",
            "finding": f"f{n}",
            "role": role,
        }
        for n in range(6)
        for role, start in (("train", "What was"), ("validation", "Which amount became"))
    ]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    services.datasets.create("answers")
    assert services.datasets.add_pairs("answers", pairs).failed == 0
    services.datasets.freeze("answers")
    services.close()
    return folder


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineControl]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = (sys.executable, "-m", "tests.engine.server.doubles")
    monkeypatch.setattr(EngineControl, "command", command)
    control = EngineControl()
    asyncio.run(control.start())
    yield control
    asyncio.run(control.stop())
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[-1].startswith(str(data_dir() / "engine")):
            process.kill()


@pytest.fixture
def run(workspace: Path) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(papertune, ["-w", str(workspace), "job", *arguments])

    return invoke


def document(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.mark.usefixtures("engine")
def test_a_job_by_commands_from_estimate_to_model(run: Run) -> None:
    request = ("--dataset", "answers", "--model", BASE, "--steps", "4", "--batch-size", "2")
    estimate = document(run("estimate", *request, "--json"))
    assert (estimate["examples"], estimate["steps"], estimate["exact"]) == (6, 4, True)
    job = document(run("create", *request, "--suffix", "team", "--json"))
    assert job["object"] == "job"
    assert (job["dataset"], job["model"], job["suffix"]) == ("answers@v1", BASE, "team")
    watched = run("watch", job["id"], "--json")
    assert watched.exit_code == 0
    lines = [json.loads(line) for line in watched.stdout.splitlines()]
    assert {line["event"] for line in lines} <= {"status", "checkpoint", "warning", "done"}
    assert [line["step"] for line in lines if line["event"] == "checkpoint"] == [1, 2, 3, 4]
    assert lines[-1]["event"] == "done"
    assert lines[-1]["model"].startswith(f"ft:{BASE}:")
    shown = document(run("show", job["id"], "--json"))
    assert (shown["status"], shown["dataset"]) == ("SUCCESS", "answers@v1")
    assert shown["events"]
    assert [item["id"] for item in document(run("list", "--json"))] == [job["id"]]
    compared = document(run("compare", job["id"], job["id"], "--json"))
    assert compared["differs"] == []
    assert compared["jobs"][0]["validation"]["memory"] == 0.25
    for command in ("show", "watch", "compare"):
        said = run(command, job["id"])
        assert said.exit_code == 0
        assert "memory 0.250" in said.stdout


@pytest.mark.usefixtures("engine")
def test_a_job_that_was_not_started_can_be_cancelled(run: Run) -> None:
    created = run("create", "--dataset", "answers@v1", "--model", BASE, "--no-start")
    assert created.exit_code == 0
    assert "papertune job start" in created.stdout
    job_id = document(run("list", "--json"))[0]["id"]
    cancelled = document(run("cancel", job_id[:8], "--json"))
    assert cancelled["status"] in ("CANCELLED", "CANCELLATION_REQUESTED")
    assert run("watch", job_id).exit_code == 1


def test_without_an_engine_the_command_that_starts_it_is_named(run: Run) -> None:
    result = run("create", "--dataset", "answers", "--model", BASE)
    assert isinstance(result.exception, PapertuneError)
    assert result.exception.exit_code == 3
    assert "papertune engine start" in str(result.exception)
    assert document(run("list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "answrs", "--model", BASE), "answrs"),
        (("--dataset", "answers@v9", "--model", BASE), "answers"),
        (("--dataset", "answers"), "--model"),
        (("--dataset", "answers", "--model", BASE, "--budget", "lots"), "5usd"),
        (("--dataset", "answers", "--model", BASE, "--budget", "0.01ktok"), "budget"),
        (("--dataset", "answers", "--model", BASE, "--learning-rate", "7"), "learning rate"),
        (("--dataset", "answers", "--model", BASE, "--steps", "3", "--epochs", "1"), "Give one"),
        (("--dataset", "answers", "--model", BASE, "--endpoint", "locl"), "'local'"),
    ],
)
def test_what_cannot_be_right_is_refused_with_what_to_do(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    for command in ("estimate", "create"):
        result = run(command, *arguments)
        assert isinstance(result.exception, PapertuneError), result.output
        assert result.exception.exit_code == 2
        assert said in str(result.exception)


def test_nothing_heavy_is_imported_for_help() -> None:
    code = (
        "import sys; from tui.cli import papertune\n"
        "papertune.main(['job', 'create', '--help'], standalone_mode=False)\n"
        "heavy = {'textual', 'torch', 'mistralai', 'httpx2', 'transformers'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.usefixtures("engine")
def test_a_sweep_its_group_its_curves_and_what_happened_since(run: Run, tmp_path: Path) -> None:
    sweep = ("sweep", "--dataset", "answers", "--model", BASE, "--steps", "4")
    grid = ("--grid", "learning_rate=1e-3,5e-4")
    planned = run(*sweep, *grid, "--dry-run", "--json")
    rows = [json.loads(line) for line in planned.stdout.splitlines()]
    assert [row["settings"]["learning_rate"] for row in rows] == [1e-3, 5e-4]
    assert document(run("list", "--json")) == []
    launched = [json.loads(line) for line in run(*sweep, *grid, "--json").stdout.splitlines()]
    assert [row["new"] for row in launched] == [True, True]
    first, second = (row["job"] for row in launched)
    for job in (first, second):
        assert run("watch", job, "--json").exit_code == 0
    again = [json.loads(line) for line in run(*sweep, *grid, "--json").stdout.splitlines()]
    assert [(row["job"], row["new"]) for row in again] == [(first, False), (second, False)]
    group = document(run("group", "--json"))
    assert [row["job"] for row in group["jobs"]] == [first, second]
    assert group["best"] in (first, second)
    curve = tmp_path / "curves.csv"
    found = document(run("compare", first, second, "--export", str(curve), "--json"))
    assert found["differs"] == ["learning_rate"] and found["exported"] == [str(curve)]
    assert curve.read_text().startswith("job,step,at,seconds,tokens,train_loss")
    board = tmp_path / "board"
    files = document(run("export", first, "--to", str(board), "--json"))["files"]
    assert len(files) == 1 and "tfevents" in files[0]
    assert document(run("since", "--json")) == []


@pytest.mark.usefixtures("engine")
def test_a_copy_and_a_small_start_by_commands(run: Run) -> None:
    create = ("create", "--json", "--no-start")
    first = document(run(*create, "--dataset", "answers", "--model", BASE, "--steps", "9"))
    copy = document(run(*create, "--from", first["id"], "--learning-rate", "0.0005"))
    assert copy["hyperparameters"]["training_steps"] == 9
    assert copy["hyperparameters"]["learning_rate"] == 0.0005
    assert copy["dataset"] == first["dataset"]
    small = document(run(*create, "--from", first["id"], "--small", "--steps", "500"))
    assert small["hyperparameters"]["training_steps"] <= 20
