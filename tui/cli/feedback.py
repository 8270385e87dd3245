"""`papertune feedback`: what people said of answers."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tui.cli.output import chosen_workspace, common, emit, emit_line, show
from tui.text import shorten


@click.group("feedback")
def command() -> None:
    """List and export ratings and corrections."""


@command.command("list")
@common
def list_feedback(workspace: Path | None, as_json: bool) -> None:
    """Everybody's feedback, oldest first."""
    from tui.services import Services

    items = Services.open(chosen_workspace(workspace), create=False).feedback.all()
    if as_json:
        emit(items)
        return
    if not items:
        show("No feedback yet. In the app's chat, press f on an answer.")
    for item in items:
        day = time.strftime("%Y-%m-%d", time.localtime(item.at))
        reason = f" ({item.reason})" if item.reason else ""
        show(f"{day}  {item.by:12}  {item.rating}{reason}  {shorten(item.question, 60)}")


@command.command("export")
@common
def export(workspace: Path | None, as_json: bool) -> None:  # noqa: ARG001 - it always prints JSON
    """Print everybody's feedback as JSON Lines, to be merged elsewhere."""
    from tui.services import Services

    for item in Services.open(chosen_workspace(workspace), create=False).feedback.all():
        emit_line(item)
