"""What the commands about datasets share: services, and how examples and reports are printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import chosen_workspace, emit, finish, plain, say, show
from tui.domain.example import Example, Kind, Status
from tui.text import shorten

if TYPE_CHECKING:
    from tui.datasets import AddReport, Datasets
    from tui.services import Services

SHOWN = 20
"""Of a long list, how many a person is shown; `--json` has all."""

kinds = click.Choice([kind.value for kind in Kind])
statuses = click.Choice([status.value for status in Status])


def services_of(workspace: Path | None, *, create: bool = False) -> Services:
    """The services of the workspace that was named."""
    from tui.services import Services

    return Services.open(chosen_workspace(workspace), create=create)


def datasets_of(workspace: Path | None) -> Datasets:
    """The datasets of the workspace that was named."""
    return services_of(workspace).datasets


def print_added(report: AddReport, as_json: bool) -> None:
    """Print what adding did, and end with 1 where something was refused."""
    if as_json:
        emit(report)
    else:
        for note in report.notes:
            say(note)
        show(f"{report.added} added, {report.skipped} there already, {report.failed} refused")
        for failure in report.failures[:SHOWN]:
            say(
                f"  line {failure.line}: {failure.reason}"
                if failure.line
                else f"  {failure.reason}"
            )
        if len(report.failures) > SHOWN:
            say(f"  … and {len(report.failures) - SHOWN} more (--json lists all)")
    finish(not report.failed)


def example_json(example: Example) -> dict[str, Any]:
    """An example with its question and answer."""
    return {**plain(example), "question": example.question, "answer": example.answer}


def print_decided(examples: Sequence[Example], as_json: bool) -> None:
    """Print the examples that a command was about."""
    if as_json:
        emit([example_json(example) for example in examples])
    else:
        print_examples(examples)


def print_examples(examples: Sequence[Example]) -> None:
    """Print an example a line."""
    for example in examples:
        words = shorten(example.question or example.text, 60)
        role = example.role.value if example.role else "-"
        show(f"{example.id}  {example.status.value:8}  {role:19}  {words}")
