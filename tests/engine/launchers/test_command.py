"""The worker's Python is a setting, looked at before a job starts."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tui.engine.launchers.command import WorkerCommand, lacks
from tui.engine.launchers.process import ProcessLauncher


def test_the_engines_own_python_needs_no_look(tmp_path: Path) -> None:
    command = WorkerCommand.of("", tmp_path)
    assert command.single[0] == sys.executable
    assert (command.problem(), command.environment) == ("", {})
    several = command.local(4)
    assert "--nproc-per-node=4" in several
    assert several[-1] == command.single[-1]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python of its own with nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


def test_another_python_is_told_what_it_lacks(bare: str, tmp_path: Path) -> None:
    said = ProcessLauncher(WorkerCommand.of(bare, tmp_path)).problem()
    assert "torch is missing" in said
    assert "peft is missing (needs 0.18)" in said
    assert f"{bare} -m pip install" in said


def test_too_old_a_version_is_named(bare: str, tmp_path: Path) -> None:
    library = Path(bare).parents[1] / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    old = library / "peft-0.3.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: peft\nVersion: 0.3.0\n")
    assert "peft is 0.3.0 (needs 0.18)" in lacks(bare)


def test_what_is_no_python_is_said(tmp_path: Path) -> None:
    assert "No such file" in lacks(str(tmp_path / "python"))
    assert "no Python" in lacks("/bin/true")


def test_another_python_sees_this_package_alone(bare: str, tmp_path: Path) -> None:
    command = WorkerCommand.of(bare, tmp_path / "modules")
    assert (tmp_path / "modules" / "tui").is_symlink()
    done = subprocess.run(
        [bare, "-c", "import tui.engine.training.spec, sys; print(sys.path)"],
        env=command.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "modules") in done.stdout
