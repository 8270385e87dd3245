"""A job gets a GPU that nobody uses, found with a real program in the place of nvidia-smi."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tui.engine.device import gpus, idle_gpus
from tui.engine.launchers.base import Launch
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.process import ProcessLauncher
from tui.engine.supervisor.folder import JobFolder

# index, uuid, name, total and used MiB, percent
IDLE = "0, GPU-aaa, NVIDIA A100, 81920, 5, 0"
FULL = "1, GPU-bbb, NVIDIA A100, 81920, 70000, 0"
BUSY = "2, GPU-ccc, NVIDIA A100, 81920, 300, 97"
ALSO_IDLE = "3, GPU-ddd, NVIDIA A100, 81920, 400, 3"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that prints what stands in the file it returns."""
    said = tmp_path / "said"
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat {said}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    said.write_text("\n".join([IDLE, FULL, BUSY, ALSO_IDLE]) + "\n")
    return said


def _launcher(count: int = 1) -> ProcessLauncher:
    return ProcessLauncher(WorkerCommand(("/bin/sh", "-c", 'env > "$0/seen"; :')), count)


def test_only_gpus_that_nobody_uses_are_taken_the_emptiest_first(smi: Path) -> None:
    assert [gpu.index for gpu in gpus()] == [0, 1, 2, 3]
    assert _launcher().room(()).devices == ("GPU-aaa",)
    assert _launcher().room({"GPU-aaa"}).devices == ("GPU-ddd",)
    assert _launcher(4).room(()).devices == ("GPU-aaa", "GPU-ddd")


def test_when_none_is_idle_the_job_waits_and_says_for_what(smi: Path) -> None:
    smi.write_text("\n".join([FULL, BUSY]) + "\n")
    room = _launcher().room(())
    assert room.devices is None
    assert "GPU 1: 68.4 of 80 GiB in use, 0 % busy" in room.reason
    assert "GPU 2: 0.3 of 80 GiB in use, 97 % busy" in room.reason
    smi.write_text(IDLE + "\n")
    assert "another job of this engine" in _launcher().room({"GPU-aaa"}).reason


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        ("1,3", ("GPU-ddd",)),
        ("GPU-dd", ("GPU-ddd",)),
        ("3,0", ("GPU-aaa",)),
        ("9,0", ("cpu",)),
        ("", ("cpu",)),
        ("-1", ("cpu",)),
    ],
)
def test_cuda_visible_devices_is_respected(
    smi: Path, monkeypatch: pytest.MonkeyPatch, visible: str, devices: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert _launcher().room(()).devices == devices


def test_the_worker_sees_its_gpu_alone(smi: Path, tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.path.mkdir()
    launcher = _launcher()
    launcher.launch(folder, Launch("job", "tiny", 1, ("GPU-ddd",)))
    while launcher.look(folder).where.value == "running":
        pass
    assert "CUDA_VISIBLE_DEVICES=GPU-ddd\n" in (folder.path / "seen").read_text()


@pytest.mark.parametrize("said", ["", "No devices were found\n", "[Unknown Error], x\n"])
def test_a_driver_without_gpus_means_the_processor(smi: Path, said: str) -> None:
    smi.write_text(said)
    assert idle_gpus(()) is None
    assert _launcher().room(()).devices == ("cpu",)
    assert _launcher().room({"cpu"}).devices is None


def test_a_driver_that_fails_means_the_processor(smi: Path) -> None:
    smi.unlink()
    assert gpus() == ()
