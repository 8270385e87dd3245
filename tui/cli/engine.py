"""`papertune engine`: start, stop and inspect the local engine."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import common, emit, show

if TYPE_CHECKING:
    from tui.mistral.engine_control import EngineControl, EngineStatus


@click.group("engine")
def command() -> None:
    """Start, stop and inspect the local engine."""


@command.command()
@common
def start(workspace: Path | None, as_json: bool) -> None:  # noqa: ARG001
    """Start the engine, or find the one that runs; it outlives the terminal."""
    _print(asyncio.run(_control().start()), as_json)


@command.command()
@common
def stop(workspace: Path | None, as_json: bool) -> None:  # noqa: ARG001
    """Stop the engine; a job that trains goes on and is found again at the next start."""

    async def work() -> tuple[bool, EngineStatus]:
        control = _control()
        ran = (await control.status()).running
        await control.stop()
        return ran, await control.status()

    ran, status = asyncio.run(work())
    if as_json or not ran or status.running:
        _print(status, as_json)
    else:
        show("The engine is stopped. A job that trains goes on; the next start finds it.")


@command.command()
@common
def status(workspace: Path | None, as_json: bool) -> None:  # noqa: ARG001
    """Whether the engine runs, where, and what it is doing."""
    _print(asyncio.run(_control().status()), as_json)


@command.command()
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=50, show_default=True)
@common
def logs(workspace: Path | None, as_json: bool, lines: int) -> None:  # noqa: ARG001
    """The last lines of the engine's log."""
    found = _control().logs(lines)
    if as_json:
        emit({"lines": found})
        return
    for line in found:
        show(line)


@command.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Left out: the usual one, or a free.")
@common
def serve(
    workspace: Path | None,  # noqa: ARG001
    as_json: bool,  # noqa: ARG001
    host: str,
    port: int | None,
) -> None:
    """Run the engine in the foreground until it is interrupted.

    The token comes from PAPERTUNE_ENGINE_TOKEN, or is made and kept in the state file. An address
    that other machines can reach needs a token of your own and TLS in front.
    """
    arguments = [sys.executable, "-m", "tui.engine", "serve", "--host", host]
    if port is not None:
        arguments += ["--port", str(port)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, arguments)


def _control() -> EngineControl:
    from tui.mistral.engine_control import EngineControl

    return EngineControl()


def _print(status: EngineStatus, as_json: bool) -> None:
    if as_json:
        emit(status)
    elif not status.running:
        show("The engine is not running. Start it: papertune engine start")
    else:
        jobs = ", ".join(f"{count} {name}" for name, count in status.jobs.items())
        show(f"The engine runs at {status.url} (process {status.pid}, version {status.version}).")
        show(f"Device: {status.device or 'not known yet'}. Jobs: {jobs}.")
        show(f"Token file: {status.token_file}")
