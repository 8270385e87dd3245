"""`papertune feedback`: what people said of answers."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tui.cli.output import chosen_workspace, common, emit, emit_line, finish, say, show
from tui.text import shorten


@click.group("feedback")
def command() -> None:
    """List, export and merge ratings, corrections and preferences; make examples of them."""


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
        what = item.reason or (f"{item.arm} over {item.other_arm}" if item.other_arm else "")
        reason = f" ({what})" if what else ""
        made = " → example" if item.example else ""
        show(f"{day}  {item.by:12}  {item.rating}{reason}  {shorten(item.question, 60)}{made}")


@command.command("export")
@common
def export(workspace: Path | None, as_json: bool) -> None:  # noqa: ARG001 - it always prints JSON
    """Print everybody's feedback as JSON Lines, to be merged elsewhere."""
    from tui.services import Services

    for item in Services.open(chosen_workspace(workspace), create=False).feedback.all():
        emit_line(item)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@common
def import_feedback(file: Path, workspace: Path | None, as_json: bool) -> None:
    """Merge a file that `feedback export` wrote; what is here already is not added again."""
    from tui.services import Services

    merged = Services.open(chosen_workspace(workspace), create=False).feedback.merge(file)
    if as_json:
        failures = [{"line": line, "reason": reason} for line, reason in merged.failed]
        emit(
            {
                "added": merged.added,
                "known": merged.known,
                "failed": len(failures),
                "failures": failures,
            }
        )
    else:
        show(f"{merged.added} added, {merged.known} known already, {len(merged.failed)} refused.")
        for line, reason in merged.failed:
            say(f"! line {line}: {reason}")
    finish(not merged.failed)


@command.command("draft")
@click.argument("dataset")
@common
def draft_examples(dataset: str, workspace: Path | None, as_json: bool) -> None:
    """Send good and corrected answers to DATASET's review queue as draft examples.

    What was sent before is not sent again; a bad answer without a correction waits for one.
    """
    from tui.chat.drafts import send_all
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace), create=False)
    report = send_all(services.feedback, services.datasets, services.corpus, dataset)
    if as_json:
        emit(report)
    else:
        show(f"{report.added} drafts for review in {dataset}; {report.waiting} need a correction.")
