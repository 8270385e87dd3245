"""`papertune eval`: measure, list, show and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import allow_outside_option, chosen_workspace, common, emit, say, show
from tui.domain.chat import Arm
from tui.domain.errors import UsageError
from tui.domain.evaluation import RunReport
from tui.text import shorten

if TYPE_CHECKING:
    from tui.services import Services


@click.group("eval")
def command() -> None:
    """Measure four arms on held-out questions."""


@command.command("run")
@click.option("--dataset", required=True, help="NAME or NAME@vN; without a version the newest.")
@click.option("--model", required=True, help="The fine-tuned model's id.")
@click.option("--endpoint", help="Where the model is; without it the settings' default.")
@click.option("--arms", help="Comma-separated: base, base+sources, tuned, tuned+sources.")
@allow_outside_option
@common
def run(
    dataset: str,
    model: str,
    endpoint: str | None,
    arms: str | None,
    allow_outside: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Ask every test item on every arm; an interrupted run is taken up where it stopped."""
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace), create=False)
    if allow_outside:
        services.gate.consent(services.endpoints.get(endpoint))
    report = services.run(_run(services, dataset, model, endpoint, _arms(arms)))
    _print(report, as_json)


@command.command("list")
@common
def list_runs(workspace: Path | None, as_json: bool) -> None:
    """Finished runs, newest first."""
    from tui.evaluation.document import as_document, interval
    from tui.services import Services

    reports = Services.open(chosen_workspace(workspace), create=False).evaluator.runs()
    if as_json:
        emit([as_document(report) for report in reports])
        return
    if not reports:
        show("No runs yet. Start one with: papertune eval run --dataset NAME --model MODEL")
    for report in reports:
        memory = report.tests.get("memory")
        tuned = memory.arms.get("tuned") if memory else None
        figure = f"memory {interval(tuned.key_phrase)}" if tuned else ""
        show(f"{report.run}  {report.dataset}  {report.model}  {figure}")


@command.command("show")
@click.argument("run")
@click.option("--errors", is_flag=True, help="Also list the items the tuned arm got wrong.")
@common
def show_run(run: str, errors: bool, workspace: Path | None, as_json: bool) -> None:
    """One run's report."""
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace), create=False)
    _print(services.evaluator.show(run), as_json)
    if errors and not as_json:
        for item in services.evaluator.items(run):
            if item.arm == Arm.TUNED.value and not item.scores["key_phrase"]:
                show(f"\nQ: {item.question}\n   expected {item.expected}")
                show(f"   answered {shorten(item.answer, 100)}")


@command.command("compare")
@click.argument("a")
@click.argument("b")
@common
def compare(a: str, b: str, workspace: Path | None, as_json: bool) -> None:
    """Run A minus run B, arm by arm, on the items both answered."""
    from tui.services import Services

    compared = Services.open(chosen_workspace(workspace), create=False).evaluator.compare(a, b)
    if as_json:
        emit({"a": a, "b": b, "arms": compared})
        return
    for arm, comparisons in compared.items():
        for item in comparisons:
            low, high = item.low * 100, item.high * 100
            show(
                f"{arm:<14} {item.metric:<12} {item.difference * 100:+6.1f} "
                f"({low:+.1f} to {high:+.1f}), p = {item.p:.3f}"
            )


def _arms(names: str | None) -> tuple[Arm, ...]:
    if not names:
        return tuple(Arm)
    try:
        return tuple(Arm(name.strip()) for name in names.split(","))
    except ValueError as error:
        raise UsageError(
            f"'{names}' names an unknown arm.", f"Choose from: {', '.join(Arm)}."
        ) from error


async def _run(
    services: Services, dataset: str, model: str, endpoint: str | None, arms: tuple[Arm, ...]
) -> RunReport:
    from tui.evaluation import ItemDone, RunStarted

    async for event in services.evaluator.run(dataset, model, arms=arms, endpoint=endpoint):
        if isinstance(event, RunStarted):
            taken_up = f", {event.done} answered before" if event.done else ""
            say(f"Run {event.run}: {event.total} answers{taken_up}")
        elif isinstance(event, ItemDone):
            if event.done % 20 == 0:
                say(f"  {event.done} of {event.total}")
        else:
            return event
    raise AssertionError("a run ends in its report")


def _print(report: RunReport, as_json: bool) -> None:
    from tui.evaluation.document import as_document, as_lines

    if as_json:
        emit(as_document(report))
        return
    for line in as_lines(report):
        show(line)
