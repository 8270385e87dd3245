"""`papertune job estimate|create|sweep`: what a job would take, and launching it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.job_words import document, services_of, span
from tui.cli.output import allow_outside_option, common, emit, emit_line, show
from tui.domain.errors import UsageError
from tui.domain.job import Hyperparameters, Job
from tui.domain.usage import Amount
from tui.jobs.request import LAUNCHER_SETTING

if TYPE_CHECKING:
    from tui.jobs import Estimate, JobRequest
    from tui.services import Services

_OPTIONS = ("batch_size", "lora_rank", "seed")


def request_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What describes a job, alike for `estimate`, `create` and `sweep`."""
    options = (
        click.option("--dataset", help="NAME or NAME@vN; else its newest version."),
        click.option("--from", "source", metavar="ID", help="Start from another job's settings."),
        click.option("--model", help="The base model; else the settings' model."),
        click.option("--endpoint", help="Where to train; else the settings' endpoint."),
        click.option("--steps", type=click.IntRange(1), help="Training steps."),
        click.option("--epochs", type=float, help="Passes over the data, instead of steps."),
        click.option("--learning-rate", type=float, help="Peak rate; else the model's own."),
        click.option("--seq-len", type=click.IntRange(100), help="Tokens an example may have."),
        click.option("--batch-size", type=click.IntRange(1), help="Examples a step."),
        click.option("--lora-rank", type=click.IntRange(1), help="Rank of the adapter."),
        click.option("--warmup", type=float, help="Share of the steps in which the rate rises."),
        click.option("--weight-decay", type=float, help="Pull of the weights to zero."),
        click.option("--seed", type=click.IntRange(0), help="Order of the data and of chance."),
        click.option("--suffix", help="Ends the new model's name; at most 18 characters."),
        click.option("--small", is_flag=True, help="A tenth of the data, few steps: a first look."),
        click.option("--budget", help="Refuse beyond it: 5usd, 2gpuh, 500ktok."),
        click.option("--month-budget", help="For once, another budget than the month's."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@request_options
@click.option("--measure", is_flag=True, help="Train a few steps first, to tell time and memory.")
@common
def estimate(workspace: Path | None, as_json: bool, measure: bool, **given: Any) -> None:
    """What a job would take: tokens, steps, time, memory, price. Nothing leaves this machine."""
    services = services_of(workspace)

    async def work() -> tuple[Estimate, JobRequest]:
        request = await request_of(services, **given)
        return await services.jobs.estimate(request, measure=measure), request

    found, request = services.run(work())
    if as_json:
        emit(found)
    else:
        for line in in_lines(found):
            show(line)
    found.require(request.budget)


@click.command()
@request_options
@click.option("--no-start", is_flag=True, help="Upload and check only; start it later.")
@allow_outside_option
@common
def create(
    workspace: Path | None, as_json: bool, no_start: bool, allow_outside: bool, **given: Any
) -> None:
    """Launch a job on a frozen dataset version. A lost reply never launches it twice."""
    services = services_of(workspace)

    async def work() -> Job:
        request = replace(await request_of(services, **given), start=not no_start)
        if allow_outside:
            services.gate.consent(services.endpoints.get(request.endpoint))
        return await services.jobs.create(request)

    job = services.run(work())
    dataset = services.jobs.dataset_of(job.id)
    if as_json:
        emit(document(job, dataset))
        return
    show(f"Job {job.id} on {dataset} at '{job.endpoint}': {job.status}")
    show(
        f"{'Start' if no_start else 'Watch'} it: papertune job "
        f"{'start' if no_start else 'watch'} {job.id}"
    )


@click.command()
@request_options
@click.option(
    "--grid",
    "grids",
    multiple=True,
    required=True,
    metavar="NAME=A,B",
    help="Values to try: learning_rate=1e-3,5e-4; repeat for more names.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be launched, and launch nothing.")
@allow_outside_option
@common
def sweep(
    workspace: Path | None,
    as_json: bool,
    grids: tuple[str, ...],
    dry_run: bool,
    allow_outside: bool,
    **given: Any,
) -> None:
    """Launch a job for each combination of a small grid, as one group trained one by one."""
    from tui.jobs.sweep import read_grid, spread

    services = services_of(workspace)
    grid = read_grid(grids)

    async def work() -> list[dict[str, Any]]:
        request = await request_of(services, **given)
        requests = spread(request, grid)
        if dry_run:
            return [{"group": one.group, "settings": _chosen(one, list(grid))} for one in requests]
        if allow_outside:
            services.gate.consent(services.endpoints.get(request.endpoint))
        told: list[dict[str, Any]] = []
        async for job, new in services.jobs.sweeps.launch(request, grid):
            row: dict[str, Any] = {
                "group": requests[0].group,
                "job": job.id,
                "status": str(job.status),
                "new": new,
                "settings": _chosen(requests[len(told)], list(grid)),
            }
            told.append(row)
            if as_json:
                emit_line(row)
            else:
                said = ", ".join(f"{k} {v:g}" for k, v in row["settings"].items())
                show(f"{job.id}  {job.status:<10} {said}{'' if new else '  (was there)'}")
        return told

    told = services.run(work())
    if dry_run:
        for row in told:
            said = ", ".join(f"{key} {value:g}" for key, value in row["settings"].items())
            emit_line(row) if as_json else show(said)
    elif not as_json:
        show(f"See how it goes: papertune job group {told[0]['group']}")


async def request_of(services: Services, **given: Any) -> JobRequest:
    """The request that the options describe, on top of another job's where `--from` names one."""
    from tui.jobs import JobRequest

    source = await services.jobs.request_of(given["source"]) if given["source"] else None
    dataset = given["dataset"] or (source.dataset if source else None)
    if not dataset:
        raise UsageError("No dataset was named.", "Give --dataset NAME, or --from JOB.")
    model = given["model"] or (source.model if source else services.settings.model)
    if not model:
        raise UsageError("No model was named.", "Give one with --model: papertune model list")
    request = source or JobRequest(dataset, model)
    hyper: dict[str, Any] = {
        "training_steps": given["steps"],
        "epochs": given["epochs"],
        "learning_rate": given["learning_rate"],
        "seq_len": given["seq_len"],
        "warmup_fraction": given["warmup"],
        "weight_decay": given["weight_decay"],
    }
    kept = {
        item.name: getattr(request.hyperparameters, item.name) for item in fields(Hyperparameters)
    }
    if given["steps"] or given["epochs"]:
        kept |= {"training_steps": None, "epochs": None}  # one replaces the other
    settled = {**kept, **{name: value for name, value in hyper.items() if value is not None}}
    options = {name: given[name] for name in _OPTIONS if given[name] is not None}
    return replace(
        request,
        dataset=dataset,
        model=services.endpoints.resolve(model),
        endpoint=given["endpoint"] or request.endpoint,
        hyperparameters=Hyperparameters(**settled),
        suffix=given["suffix"] or request.suffix,
        budget=Amount.parse(given["budget"]) if given["budget"] else None,
        month_budget=Amount.parse(given["month_budget"]) if given["month_budget"] else None,
        options={**request.options, **options},
        small=given["small"] or request.small,
    )


def in_lines(found: Estimate) -> list[str]:
    """An estimate for a person."""
    counted = "counted" if found.exact else "about"
    rate = found.hyperparameters.learning_rate
    lines = [
        f"{found.dataset} on {found.model} at '{found.endpoint}':",
        f"  {found.examples} examples, {found.data_tokens} tokens ({counted})",
        f"  {found.steps} steps, {found.epochs:g} epochs, {found.tokens} trained tokens",
    ]
    if rate:
        lines.append(f"  learning rate {rate:g}, batch of {found.options.get('batch_size')}")
    if found.truncated:
        lines.append(f"  {found.truncated} examples are longer than the sequence and will be cut")
    lines.append(
        f"  time: {span(found.seconds) if found.seconds is not None else 'not known here'}"
    )
    if found.memory is not None:
        room = f" of {found.memory_present / 2**30:.1f}" if found.memory_present else ""
        lines.append(f"  memory: about {found.memory / 2**30:.1f}{room} GB")
    if found.measured:
        lines.append("  time and memory were measured in a short training")
    if found.launcher:
        lines.append(f"  launched as {found.launcher} ({LAUNCHER_SETTING})")
    if found.cost:
        lines.append(f"  price: {found.cost:.2f} {found.currency}")
    return [*lines, *(f"  {note}" for note in found.notes)]


def _chosen(request: JobRequest, names: list[str]) -> dict[str, Any]:
    return {
        name: request.options.get(name, getattr(request.hyperparameters, name, None))
        for name in names
    }
