"""The command of a training worker, for one process or several, in whichever Python is set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tui
from tui.text import visible

MODULE = "tui.engine.training.worker"
_SETTING = "[engine] python"
_PATIENCE_SECONDS = 60.0
# What the worker imports, and the oldest version that it was written for.
NEEDED = {
    "torch": "2.4",
    "transformers": "5.0",
    "peft": "0.18",
    "accelerate": "1.10",
    "safetensors": "0.5",
    "tokenizers": "0.21",
    "gguf": "0.19",
    "numpy": "1.26",
    "jinja2": "3.1",
    "msgspec": "0.19",
    "psutil": "5.9",
    "platformdirs": "4.0",
}


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How a worker is started; the folder of its job is appended.

    `single` is the command of one process. `python` is the interpreter that starts several through
    `torch.distributed.run`; empty where `single` is no worker of ours. `paths` go before the
    interpreter's own module search path.
    """

    single: tuple[str, ...]
    python: str = ""
    paths: tuple[str, ...] = ()

    @staticmethod
    def of(python: str, modules: Path) -> WorkerCommand:
        """The worker in `python`, or in the engine's own when that is empty.

        Another Python has its own libraries, so of ours it is shown this package alone: through a
        link in the folder `modules`.
        """
        if not python or python == sys.executable:
            return WorkerCommand((sys.executable, "-m", MODULE), sys.executable)
        return WorkerCommand((python, "-m", MODULE), python, (str(linked(modules)),))

    @property
    def environment(self) -> dict[str, str]:
        """What the worker's environment needs besides."""
        return {"PYTHONPATH": os.pathsep.join(self.paths)} if self.paths else {}

    def problem(self) -> str:
        """What another Python than ours lacks to train; empty when nothing."""
        return lacks(self.python) if self.paths else ""

    def local(self, processes: int) -> tuple[str, ...]:
        """The command for so many processes of one machine."""
        if processes <= 1 or not self.python:
            return self.single
        return (*self.torchrun(processes), "--standalone", "-m", MODULE)

    def torchrun(self, processes: int) -> tuple[str, ...]:
        """torchrun without its further options; a worker that dies is started again by us."""
        return (
            self.python,
            "-m",
            "torch.distributed.run",
            f"--nproc-per-node={processes}",
            "--max-restarts=0",
        )


def linked(folder: Path) -> Path:
    """`folder` with a link to this package in it, made or mended."""
    package = Path(tui.__file__).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "tui"
    if link.is_symlink() and link.readlink() == package:
        return folder
    temporary = folder / ".tui.tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(package)
    temporary.replace(link)
    return folder


def lacks(python: str) -> str:
    """What an interpreter lacks to run the worker, as a sentence with the remedy; or nothing.

    Asked anew for each job: a person mends it between two.
    """
    look = Path(__file__).with_name("look.py")
    try:
        done = subprocess.run(
            [python, "-I", str(look)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        found: dict[str, str | None] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it is no Python"
        return f"{_SETTING} = {visible(python)} cannot be used: {why}. Correct it in config.toml."
    version = found.pop("python") or ""
    if _number(version) < (3, 11):
        return f"{_SETTING} = {visible(python)} is Python {visible(version)}; 3.11 is needed."
    wrong = [
        f"{name} {'is missing' if have is None else f'is {visible(have)}'} (needs {least})"
        for name, least in NEEDED.items()
        if (have := found.get(name)) is None or _number(have) < _number(least)
    ]
    if not wrong:
        return ""
    wanted = " ".join(f"'{name}>={least}'" for name, least in NEEDED.items())
    return (
        f"{_SETTING} = {visible(python)} cannot train: {'; '.join(wrong)}."
        f" Install there: {visible(python)} -m pip install {wanted}"
    )


def _number(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    parts = [part for part in version.partition("+")[0].split(".")[:2] if part.isdigit()]
    return tuple(int(part) for part in parts)
