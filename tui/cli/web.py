"""`papertune web`: the app in a browser, on this machine's loopback only."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import click

from tui.cli.output import chosen_workspace, common, emit, say
from tui.domain.errors import PapertuneError

_HOST = "127.0.0.1"


@click.command("web")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8400,
    show_default=True,
    help="The port on loopback.",
)
@common
def command(port: int, workspace: Path | None, as_json: bool) -> None:
    """Serve the app to a browser on this machine.

    The page has no password, so it listens on loopback only; from elsewhere reach it through
    `ssh -L 8400:localhost:8400 HOST`.
    """
    root = chosen_workspace(workspace)
    _require_free(port)
    url = f"http://{_HOST}:{port}"
    if as_json:
        emit({"url": url, "host": _HOST, "port": port}, indent=None)
    say(f"papertune is at {url} (interrupt with ctrl+c).")
    say(f"From another machine: ssh -L {port}:localhost:{port} THIS-HOST, then the same address.")
    _server(root, port).serve()


def _require_free(port: int) -> None:
    """Refuse a port that is taken before the server says that it serves there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise PapertuneError(
                f"Port {port} on {_HOST} cannot be used: {error.strerror}.",
                "Choose another with --port.",
            ) from error


def _server(root: Path | None, port: int) -> Any:
    from tui.cli.web_server import LoopbackServer

    words = [sys.executable, "-m", "tui", *(["-w", str(root)] if root else [])]
    return LoopbackServer(shlex.join(words), host=_HOST, port=port, title="papertune")
