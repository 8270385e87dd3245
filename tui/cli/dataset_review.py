"""Deciding about examples by command: accept, reject, edit, note, undo, disagreements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tui.cli.dataset_output import datasets_of, kinds, print_decided, statuses
from tui.cli.output import common, emit, show
from tui.domain.errors import UsageError
from tui.domain.example import Kind, Status
from tui.text import shorten


def _filters(function: Any) -> Any:
    """Options that choose examples instead of naming them."""
    for option in (
        click.option("--author", help="All that this person or model wrote."),
        click.option("--was", "refused", help="All refused for this reason, e.g. a gate's name."),
        click.option("--paper", help="All of this paper (its id)."),
        click.option("--kind", type=kinds, help="All of this kind."),
        click.option("--status", type=statuses, help="All that stand so."),
    ):
        function = option(function)
    return function


@click.command("accept")
@click.argument("name")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@_filters
@common
def accept(name: str, ids: tuple[str, ...], **chosen: Any) -> None:
    """Accept examples by id (which may be shortened), or all that the options choose."""
    _decide(name, ids, Status.ACCEPTED, "", chosen)


@click.command("reject")
@click.argument("name")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--reason", default="", help="Why; kept with the decision.")
@_filters
@common
def reject(name: str, ids: tuple[str, ...], reason: str, **chosen: Any) -> None:
    """Reject examples by id (which may be shortened), or all that the options choose."""
    _decide(name, ids, Status.REJECTED, reason, chosen)


def _decide(
    name: str, ids: tuple[str, ...], status: Status, reason: str, chosen: dict[str, Any]
) -> None:
    datasets = datasets_of(chosen.pop("workspace"))
    as_json = chosen.pop("as_json")
    filters = {key: value for key, value in chosen.items() if value is not None}
    if ids and filters:
        raise UsageError("Name examples or choose them by options, not both.", "Leave one out.")
    if ids:
        print_decided(datasets.decide(name, ids, status, reason=reason), as_json)
        return
    if not filters:
        raise UsageError("No example was named.", f"See them: papertune dataset show {name}")
    count = datasets.decide_all(
        name,
        status,
        reason=reason,
        kind=Kind(filters["kind"]) if "kind" in filters else None,
        now=Status(filters["status"]) if "status" in filters else None,
        paper=filters.get("paper"),
        refused=filters.get("refused"),
        author=filters.get("author"),
    )
    if as_json:
        emit({"decided": count, "status": status})
    else:
        show(f"{count} examples are {status.value} now; undo takes all of it back")


@click.command("edit")
@click.argument("name")
@click.argument("example", metavar="ID")
@click.option("--question", help="The question in other words.")
@click.option("--answer", help="The answer in other words.")
@click.option("--text", help="The text, of an example in the form text.")
@common
def edit(
    name: str,
    example: str,
    question: str | None,
    answer: str | None,
    text: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Give an example other words; it keeps its source and its decisions."""
    changed = datasets_of(workspace).edit(
        name, example, question=question, answer=answer, text=text
    )
    print_decided([changed], as_json)


@click.command("undo")
@click.argument("name")
@common
def undo(name: str, workspace: Path | None, as_json: bool) -> None:
    """Take back your last decision in a dataset."""
    print_decided(datasets_of(workspace).undo(name), as_json)


@click.command("note")
@click.argument("name")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--text", required=True, help="The note; an empty one takes it away.")
@common
def note(name: str, ids: tuple[str, ...], text: str, workspace: Path | None, as_json: bool) -> None:
    """Write a note on examples."""
    print_decided(datasets_of(workspace).note(name, ids, text), as_json)


@click.command("disagreements")
@click.argument("name")
@common
def disagreements(name: str, workspace: Path | None, as_json: bool) -> None:
    """Examples that one reviewer accepts and another rejects."""
    datasets = datasets_of(workspace)
    found = datasets.disagreements(name)
    if as_json:
        emit(found)
        return
    if not found:
        show("Nobody disagrees.")
    for item in found:
        verdicts = ", ".join(f"{person}: {status}" for person, status in item.verdicts.items())
        show(f"{item.example}  {verdicts}")
        show(f"    {shorten(item.words, 90)}")


COMMANDS = (accept, reject, edit, note, undo, disagreements)
