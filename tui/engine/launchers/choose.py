"""Which launchers there are, and where chat computes, from the settings."""

from __future__ import annotations

from collections.abc import Sequence

from tui.engine.device import gpus
from tui.engine.home import EngineHome
from tui.engine.launchers.base import Launcher
from tui.engine.launchers.command import WorkerCommand
from tui.engine.launchers.process import ProcessLauncher
from tui.engine.launchers.serving import ChatPlace
from tui.engine.launchers.slurm.chat import SlurmChat
from tui.engine.launchers.slurm.launcher import SlurmLauncher
from tui.engine.settings import EngineSettings


def chat_place(settings: EngineSettings, home: EngineHome) -> ChatPlace | None:
    """Where transformers answer if not here: on the cluster, when that is asked for.

    `auto` is the cluster for an engine that trains there from a login node without a GPU.
    """
    login_node = settings.launcher == SlurmLauncher.name and not gpus()
    if settings.chat == "slurm" or (settings.chat == "auto" and login_node):
        command = WorkerCommand.of(settings.python, home.root / "worker")
        return SlurmChat(home.root / "chat", command, settings.slurm)
    return None


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
