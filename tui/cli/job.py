"""`papertune job`: follow, start and stop fine-tuning jobs; the rest is in its neighbours."""

from __future__ import annotations

import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.job_compare import compare, export_curves, group
from tui.cli.job_launch import create, estimate, sweep
from tui.cli.job_words import document, figures, line, services_of, span
from tui.cli.output import common, emit, emit_line, finish, plain, say, show
from tui.domain.job import Job, JobStatus

if TYPE_CHECKING:
    from tui.jobs import WatchEvent
    from tui.jobs.board import Meanwhile
    from tui.services import Services

_endpoint = click.option("--endpoint", help="Where the job is; else all that can be asked.")


@click.group("job")
def command() -> None:
    """Estimate, create, watch and compare fine-tuning jobs."""


@command.command("list")
@_endpoint
@common
def list_jobs(workspace: Path | None, as_json: bool, endpoint: str | None) -> None:
    """All jobs, newest first."""
    services = services_of(workspace)
    jobs = services.run(services.jobs.list(endpoint))
    off = endpoint is None and services.engine.address() is None
    if off:
        say("The local engine is not running, so its jobs are not listed.")
        say("Start it with: papertune engine start")
    if as_json:
        emit([document(job, services.jobs.dataset_of(job.id)) for job in jobs])
        return
    if not jobs and not off:
        show("No jobs. Launch one: papertune job create --dataset NAME --model MODEL")
    for job in jobs:
        show(line(job, services.jobs.dataset_of(job.id)))


@command.command("show")
@click.argument("job_id", metavar="ID")
@common
def show_job(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """One job with its last losses and what they mean."""
    services = services_of(workspace)

    async def work() -> tuple[Job, str, list[str]]:
        job = await services.jobs.get(job_id)
        found = await services.jobs.diagnose(job.id)
        said = [item.message for item in found]
        points = await services.jobs.points(job.id)
        if points:
            names = await services.jobs.validation_names(job)
            said.insert(0, figures(points[-1], names))
        return job, await services.jobs.dataset_of_job(job), said

    job, dataset, said = services.run(work())
    if as_json:
        emit(document(job, dataset))
        return
    show(line(job, dataset))
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
    services = services_of(workspace)

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
                await _alert(services, event)
        return job

    job = services.run(work())
    finish(job is not None and job.status == JobStatus.SUCCESS)


@command.command()
@click.argument("job_id", metavar="ID")
@common
def start(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """Start a job that was created with --no-start."""
    services = services_of(workspace)
    _changed(services, services.run(services.jobs.start(job_id)), as_json)


@command.command()
@click.argument("job_id", metavar="ID")
@common
def cancel(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """Stop a job; its last checkpoint is kept."""
    services = services_of(workspace)
    _changed(services, services.run(services.jobs.cancel(job_id)), as_json)


@command.command()
@click.argument("job_id", metavar="ID")
@click.argument("step", type=click.IntRange(1))
@common
def keep(workspace: Path | None, as_json: bool, job_id: str, step: int) -> None:
    """Make the checkpoint of STEP the job's model; a job under way ends with it."""
    services = services_of(workspace)

    async def work() -> Job:
        job = await services.jobs.get(job_id)
        await services.jobs.keep(job.id, step)
        return await services.jobs.get(job.id)

    _changed(services, services.run(work()), as_json)


@command.command()
@click.argument("job_id", metavar="ID")
@common
def stop(workspace: Path | None, as_json: bool, job_id: str) -> None:
    """End a job early and make the model of its best checkpoint; `cancel` makes none."""
    services = services_of(workspace)

    async def work() -> Job:
        job = await services.jobs.get(job_id)
        await services.jobs.stop(job.id)
        return await services.jobs.get(job.id)

    _changed(services, services.run(work()), as_json)


@command.command()
@common
def since(workspace: Path | None, as_json: bool) -> None:
    """What happened to the jobs since you looked last."""
    services = services_of(workspace)

    async def work() -> list[Meanwhile]:
        board = services.jobs.board
        await board.refresh()
        found = board.meanwhile()
        board.looked()
        return found

    found = services.run(work())
    if as_json:
        emit(
            [
                {"job": item.job.id, "status": str(item.job.status), "message": item.words}
                for item in found
            ]
        )
        return
    if not found:
        show("Nothing happened since you looked last.")
    for item in found:
        show(item.words)


for _more in (estimate, create, sweep, compare, export_curves, group):
    command.add_command(_more)


def _changed(services: Services, job: Job, as_json: bool) -> None:
    if as_json:
        emit(document(job, services.jobs.dataset_of(job.id)))
    else:
        show(line(job, services.jobs.dataset_of(job.id)))


async def _alert(services: Services, event: WatchEvent) -> None:
    """Tell by the ways of the settings what is worth an alert; a way that fails is narrated."""
    from tui.cli.alert import terminal
    from tui.jobs.alerts import alert_of

    alert = alert_of(event)
    if alert is None:
        return
    for sent in await services.alerts.send(alert, terminal()):
        if sent.wrong and sent.channel not in ("bell", "osc"):
            say(f"! The alert by {sent.channel} failed: {sent.wrong}")


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
        wait = f", {span(left)} left" if left else ""
        show(f"step {event.point.step}{of}: {figures(event.point, names)}{wait}")
    elif event.event == "done" and event.job is not None:
        what = event.job.fine_tuned_model or event.message or "no model"
        show(f"done: {event.status}, {what}")
    else:
        at = time.strftime("%H:%M:%S", time.localtime(event.at))
        show(f"{at} {event.status} {event.message}".rstrip())
