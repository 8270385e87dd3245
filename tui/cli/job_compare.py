"""`papertune job compare|export|group`: jobs side by side, and their curves for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.job_words import services_of
from tui.cli.output import common, emit, plain, say, show

if TYPE_CHECKING:
    from tui.jobs import ComparedJob, JobComparison
    from tui.jobs.sweep import SweepResult

_format = click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "tensorboard"]),
    help="Else by the file's ending; a folder is TensorBoard's.",
)


@click.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--export", "target", type=click.Path(path_type=Path), help="Write the curves here.")
@_format
@common
def compare(
    workspace: Path | None,
    as_json: bool,
    job_ids: tuple[str, ...],
    target: Path | None,
    form: str | None,
) -> None:
    """Jobs side by side: what differs, what each reached, what evaluations made of them."""
    services = services_of(workspace)
    if target is not None:
        from tui.jobs.export import format_of

        form = format_of(target, form)  # a wrong name is told before anything is asked

    async def work() -> tuple[JobComparison, list[Path]]:
        found = await services.jobs.compare(job_ids)
        if target is None or form is None:
            return found, []
        from tui.jobs.export import export as write

        return found, write(await services.jobs.results(job_ids), target, form)

    found, written = services.run(work())
    if as_json:
        emit({**plain(found), "exported": [str(path) for path in written]} if target else found)
    else:
        _print_comparison(found)
    for path in written:
        say(f"Written: {path}")


@click.command("export")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="A file, or TensorBoard's folder."
)
@_format
@common
def export_curves(
    workspace: Path | None,
    as_json: bool,
    job_ids: tuple[str, ...],
    target: Path | None,
    form: str | None,
) -> None:
    """Write curves as CSV, JSON Lines or TensorBoard event files."""
    from tui.jobs.export import export as write
    from tui.jobs.export import format_of

    services = services_of(workspace)
    chosen = format_of(target, form) if target is not None else form or "csv"
    endings = {"csv": ".csv", "jsonl": ".jsonl", "tensorboard": "-tensorboard"}
    path = target or Path(f"job-{job_ids[0][:8]}{endings[chosen]}")

    async def work() -> list[Path]:
        return write(await services.jobs.results(job_ids), path, chosen)

    written = services.run(work())
    if as_json:
        emit({"format": chosen, "files": [str(item) for item in written]})
        return
    for item in written:
        show(str(item))


@click.command()
@click.argument("group", default="")
@common
def group(workspace: Path | None, as_json: bool, group: str) -> None:
    """A sweep: its jobs by memory-validation loss, the best one named. Without ID: the newest."""
    services = services_of(workspace)

    async def work() -> SweepResult:
        board = await services.jobs.board.refresh()
        return services.jobs.sweeps.result(group, board.jobs)

    found = services.run(work())
    if as_json:
        emit(_document(found))
        return
    show(f"Sweep {found.id}: {found.name}")
    for row in _document(found)["jobs"]:
        said = ", ".join(f"{key} {value:g}" for key, value in row["settings"].items())
        loss = "" if row["memory_loss"] is None else f", memory {row['memory_loss']:.3f}"
        show(f"{row['job']}  {row['status'] or 'unknown':<10} {said}{loss}")
    show(f"Best by memory validation: {found.best.job}" if found.best else "None measured yet.")


def _document(found: SweepResult) -> dict[str, Any]:
    jobs = []
    for member in found.members:
        summary = member.known.summary if member.known else None
        jobs.append(
            {
                "job": member.job,
                "settings": member.settings,
                "status": str(member.known.job.status) if member.known else None,
                "memory_loss": summary.best_loss if summary else None,
                "best_step": summary.best_step if summary else None,
            }
        )
    return {
        "group": found.id,
        "name": found.name,
        "grid": found.grid,
        "jobs": jobs,
        "best": found.best.job if found.best else None,
    }


def _print_comparison(found: JobComparison) -> None:
    for row in found.jobs:
        best = f", best memory {row.best_loss:.3f} at step {row.best_step}" if row.best_loss else ""
        last = "".join(f", {name} {loss:.3f}" for name, loss in row.validation.items())
        train = f"train {row.train_loss:.3f}" if row.train_loss is not None else "no losses"
        show(f"{row.job}  {row.status:<10} {row.dataset}  {train}{last}{best}")
        for said in _results(row):
            show(f"  {said}")
    same = "nothing but their luck" if len(found.jobs) > 1 else "nothing to compare with"
    show(f"They differ in: {', '.join(found.differs) or same}.")


def _results(row: ComparedJob) -> list[str]:
    return [
        f"{item.test}: key phrase in {item.key_phrase:.0%} ({item.low:.0%} to {item.high:.0%}) of "
        f"{item.n} answers, run {item.run}"
        for item in row.results
    ]
