"""Which launchers there are, from the settings."""

from __future__ import annotations

from collections.abc import Sequence

from tui.engine.home import EngineHome
from tui.engine.launchers.base import Launcher
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.process import ProcessLauncher
from tui.engine.launchers.slurm.launcher import SlurmLauncher
from tui.engine.settings import EngineSettings


def launchers(
    settings: EngineSettings, home: EngineHome, worker: Sequence[str] = ()
) -> tuple[Launcher, ...]:
    """The launcher of new jobs, then the others, for jobs from before the setting was changed.

    `worker` is a command to train with in place of ours.
    """
    command = WorkerCommand.of(settings.python, home.root / "worker")
    if worker:
        command = WorkerCommand(tuple(worker))
    found: list[Launcher] = [
        ProcessLauncher(command, settings.gpus),
        SlurmLauncher(command, settings.slurm),
    ]
    return tuple(sorted(found, key=lambda launcher: launcher.name != settings.launcher))
