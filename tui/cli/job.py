"""`papertune job`: estimate, create, follow and compare fine-tuning jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import (
    allow_outside_option,
    chosen_workspace,
    common,
    emit,
    emit_line,
    finish,
    plain,
    say,
    show,
)
from tui.domain.errors import UsageError
from tui.domain.job import Hyperparameters, Job, JobStatus, LossPoint
from tui.domain.usage import Amount

if TYPE_CHECKING:
    from tui.jobs import JobComparison, JobRequest, WatchEvent
    from tui.services import Services

_endpoint = click.option("--endpoint", help="Where the job is; else all that can be asked.")


@click.group("job")
def command() -> None:
    """Estimate, create, watch and compare fine-tuning jobs."""


def _request_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What describes a job, alike for `estimate` and `create`."""
    options = (
        click.option("--dataset", required=True, help="NAME or NAME@vN; else its newest version."),
        click.option("--model", help="The base model; else the settings' model."),
        click.option("--endpoint", help="Where to train; else the settings' endpoint."),
        click.option("--steps", type=click.IntRange(1), help="Training steps."),
        click.option("--epochs", type=float, help="Passes over the data, instead of steps."),
        click.option("--learning-rate", type=float, help="Peak rate; else the model's own."),
        click.option("--seq-len", type=click.IntRange(100), help="Tokens an example may have."),
        click.option("--batch-size", type=click.IntRange(1), help="Examples a step."),
        click.option("--lora-rank", type=click.IntRange(1), help="Rank of the adapter."),
        click.option("--seed", type=click.IntRange(0), help="Order of the data and of chance."),
        click.option("--suffix", help="Ends the new model's name; at most 18 characters."),
        click.option("--budget", help="Refuse beyond it: 5usd, 2gpuh, 500ktok."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command()
@_request_options
@common
def estimate(workspace: Path | None, as_json: bool, **given: Any) -> None:
    """What a job would take: tokens, steps, time, price. Nothing is sent anywhere."""
    services = _services(workspace)
    request = _request(services, **given)
    found = services.run(services.jobs.estimate(request))
    if as_json:
        emit(found)
    else:
        counted = "counted" if found.exact else "about"
        show(f"{found.dataset} on {found.model} at '{found.endpoint}':")
        show(f"  {found.examples} examples, {found.data_tokens} tokens ({counted})")
        show(f"  {found.steps} steps, {found.epochs:g} epochs, {found.tokens} trained tokens")
        if found.truncated:
            show(f"  {found.truncated} examples are longer than the sequence and will be cut")
        show(f"  time: {_span(found.seconds) if found.seconds is not None else 'not known here'}")
        for note in found.notes:
            show(f"  {note}")
    found.require(request.budget)


@command.command()
@_request_options
@click.option("--no-start", is_flag=True, help="Upload and check only; start it later.")
@allow_outside_option
@common
def create(
    workspace: Path | None, as_json: bool, no_start: bool, allow_outside: bool, **given: Any
) -> None:
    """Launch a job on a frozen dataset version. A lost reply never launches it twice."""
    services = _services(workspace)
    request = _request(services, start=not no_start, **given)
    if allow_outside:
        services.gate.consent(services.endpoints.get(request.endpoint))
    job = services.run(services.jobs.create(request))
    dataset = services.jobs.dataset_of(job.id)
    if as_json:
        emit(_document(job, dataset))
        return
    show(f"Job {job.id} on {dataset} at '{job.endpoint}': {job.status}")
    show(
        f"{'Start' if no_start else 'Watch'} it: papertune job "
        f"{'start' if no_start else 'watch'} {job.id}"
    )


@command.command("list")
@_endpoint
@common
def list_jobs(workspace: Path | None, as_json: bool, endpoint: str | None) -> None:
    """All jobs, newest first."""
    services = _services(workspace)
    jobs = services.run(services.jobs.list(endpoint))
    off = endpoint is None and services.engine.address() is None
    if off:
        say("The local engine is not running, so its jobs are not listed.")
        say("Start it with: papertune engine start")
    if as_json:
        emit([_document(job, services.jobs.dataset_of(job.id)) for job in jobs])
        return
    if not jobs and not off:
        show("No jobs. Launch one: papertune job create --dataset NAME --model MODEL")
    for job in jobs:
        show(_line(job, services.jobs.dataset_of(job.id)))


@command.command("show")
@click.argument("job_id", metavar="ID")
@common
def show_job(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """One job with its last losses and what they mean."""
    services = _services(workspace)

    async def work() -> tuple[Job, str, list[str]]:
        job = await services.jobs.get(job_id)
        found = await services.jobs.diagnose(job.id)
        said = [item.message for item in found]
        points = await services.jobs.points(job.id)
        if points:
            names = await services.jobs.validation_names(job)
            said.insert(0, _figures(points[-1], names))
        return job, await services.jobs.dataset_of_job(job), said

    job, dataset, said = services.run(work())
    if as_json:
        emit(_document(job, dataset))
        return
    show(_line(job, dataset))
    for name, value in plain(job.hyperparameters).items():
        if value is not None:
            show(f"  {name}: {value:g}")
    if job.fine_tuned_model:
        show(f"  model: {job.fine_tuned_model}")
    for sentence in said:
        show(f"  {sentence}")


@command.command()
@click.argument("job_id", metavar="ID")
@click.option("--start-engine", is_flag=True, help="Start the local engine when it is off.")
@common
def watch(workspace: Path | None, as_json: bool, job_id: str, start_engine: bool) -> None:
    """Follow a job to its end, from its beginning; interrupting it leaves the job alone."""
    services = _services(workspace)

    async def work() -> Job | None:
        job: Job | None = None
        names: dict[str, str] = {}
        watching = services.jobs.watch(job_id, revive=start_engine)
        async with aclosing(watching) as events:
            async for event in events:
                if event.job is not None and not names:
                    names = await services.jobs.validation_names(event.job)
                job = event.job or job
                _tell(event, names, as_json)
        return job

    job = services.run(work())
    finish(job is not None and job.status == JobStatus.SUCCESS)


@command.command()
@click.argument("job_id", metavar="ID")
@common
def start(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """Start a job that was created with --no-start."""
    services = _services(workspace)
    _changed(services, services.run(services.jobs.start(job_id)), as_json)


@command.command()
@click.argument("job_id", metavar="ID")
@common
def cancel(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """Stop a job; its last checkpoint is kept."""
    services = _services(workspace)
    _changed(services, services.run(services.jobs.cancel(job_id)), as_json)


@command.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@common
def compare(workspace: Path | None, as_json: bool, job_ids: tuple[str, ...]) -> None:
    """Jobs side by side: what differs, what each reached."""
    services = _services(workspace)
    found = services.run(services.jobs.compare(job_ids))
    if as_json:
        emit(found)
    else:
        _print_comparison(found)


def _services(workspace: Path | None) -> Services:
    from tui.services import Services

    return Services.open(chosen_workspace(workspace), create=False)


def _request(services: Services, *, start: bool = True, **given: Any) -> JobRequest:
    from tui.jobs import JobRequest

    model = given["model"] or services.settings.model
    if not model:
        raise UsageError("No model was named.", "Give one with --model: papertune model list")
    options = {name: given[name] for name in ("batch_size", "lora_rank", "seed")}
    return JobRequest(
        dataset=given["dataset"],
        model=services.endpoints.resolve(model),
        endpoint=given["endpoint"],
        hyperparameters=Hyperparameters(
            learning_rate=given["learning_rate"],
            training_steps=given["steps"],
            epochs=given["epochs"],
            seq_len=given["seq_len"],
        ),
        suffix=given["suffix"],
        start=start,
        budget=Amount.parse(given["budget"]) if given["budget"] else None,
        options={name: value for name, value in options.items() if value is not None},
    )


def _document(job: Job, dataset: str) -> dict[str, Any]:
    """The job as the API gives it, and the dataset version it was made of."""
    return {**job.raw, "dataset": dataset or None}


def _changed(services: Services, job: Job, as_json: bool) -> None:
    if as_json:
        emit(_document(job, services.jobs.dataset_of(job.id)))
    else:
        show(_line(job, services.jobs.dataset_of(job.id)))


def _tell(event: WatchEvent, names: dict[str, str], as_json: bool) -> None:
    """One event: a JSON line, or a line for a person; warnings are narration."""
    from tui.jobs import as_plain

    if as_json:
        emit_line(as_plain(event, names))
    elif event.event == "warning":
        say(f"! {event.message}")
    elif event.point is not None:
        left = event.progress.seconds_left if event.progress else None
        steps = event.progress.steps if event.progress else 0
        of = f"/{steps}" if steps else ""
        wait = f", {_span(left)} left" if left else ""
        show(f"step {event.point.step}{of}: {_figures(event.point, names)}{wait}")
    elif event.event == "done" and event.job is not None:
        what = event.job.fine_tuned_model or event.message or "no model"
        show(f"done: {event.status}, {what}")
    else:
        at = time.strftime("%H:%M:%S", time.localtime(event.at))
        show(f"{at} {event.status} {event.message}".rstrip())


def _figures(point: LossPoint, names: dict[str, str]) -> str:
    losses = [("train", point.train_loss)]
    losses += [(names.get(key, key), loss) for key, loss in point.validation.items()]
    return ", ".join(f"{name} {loss:.3f}" for name, loss in losses if loss is not None)


def _line(job: Job, dataset: str) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created_at))
    tail = f" -> {job.fine_tuned_model}" if job.fine_tuned_model else ""
    made = f" on {dataset}" if dataset else ""
    return f"{job.id}  {job.status:<10} {at}  {job.model}{made} at '{job.endpoint}'{tail}"


def _print_comparison(found: JobComparison) -> None:
    for row in found.jobs:
        best = f", best memory {row.best_loss:.3f} at step {row.best_step}" if row.best_loss else ""
        last = "".join(f", {name} {loss:.3f}" for name, loss in row.validation.items())
        train = f"train {row.train_loss:.3f}" if row.train_loss is not None else "no losses"
        show(f"{row.job}  {row.status:<10} {row.dataset}  {train}{last}{best}")
    same = "nothing but their luck" if len(found.jobs) > 1 else "nothing to compare with"
    show(f"They differ in: {', '.join(found.differs) or same}.")


def _span(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
