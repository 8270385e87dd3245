"""What every command shares: where the workspace is, how results and narration are printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

from tui.domain.errors import ExitCode
from tui.text import clean


def common(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `-w/--workspace` and `--json`, as `workspace` and `as_json`."""
    function = click.option(
        "-w", "--workspace", type=click.Path(path_type=Path), help="The workspace's folder."
    )(function)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON on stdout (JSON Lines for streams)."
    )(function)


allow_outside_option = click.option(
    "--allow-outside", is_flag=True, help="Texts may go to this endpoint, from now on."
)
"""The command line's way to say yes before the first send to an endpoint."""


def chosen_workspace(workspace: Path | None) -> Path | None:
    """The workspace named after the command, else the one named before it."""
    context = click.get_current_context(silent=True)
    before = (context.find_root().obj or {}).get("workspace") if context else None
    return workspace or before


def plain(value: Any) -> Any:
    """A value as JSON types: dataclasses become objects, tuples lists, paths strings."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def emit(value: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=indent))


def emit_line(value: Any) -> None:
    """Print one line of a JSON Lines stream, at once."""
    emit(value, indent=None)


def say(message: str) -> None:
    """Narrate on stderr; foreign text in it becomes safe here."""
    click.echo(clean(message), err=True)


def show(text: str) -> None:
    """Print a line for a person on stdout; foreign text in it becomes safe here."""
    click.echo(clean(text))


def finish(ok: bool) -> None:
    """End the command: exit code 1 when some or all of the work failed."""
    if not ok:
        raise click.exceptions.Exit(ExitCode.FAILED)
