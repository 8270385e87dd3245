"""`papertune model note|alias|card|export|archive|delete`: what a team does with its models."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.job_words import services_of
from tui.cli.output import common, emit, say, show
from tui.domain.errors import MissingError

if TYPE_CHECKING:
    from tui.domain.job import LossPoint
    from tui.jobs.registry import Entry
    from tui.mistral.client import Client
    from tui.services import Services

_endpoint = click.option("--endpoint", help="Where the model is; else where it was listed.")


def add_to(group: click.Group) -> None:
    """Put the commands of this module under `papertune model`."""
    for item in (note, alias, model_card, export_model, archive, delete, registry):
        group.add_command(item)


@click.command()
@_endpoint
@common
def registry(workspace: Path | None, as_json: bool, endpoint: str | None) -> None:
    """Fine-tuned models with dataset, results, names and notes."""
    services = services_of(workspace)
    found = services.run(services.registry.models(endpoint))
    if as_json:
        emit([_document(entry) for entry in found])
        return
    if not found:
        show("No fine-tuned model yet. Train one: papertune job create --dataset NAME")
    for entry in found:
        named = f"  ({', '.join(entry.aliases)})" if entry.aliases else ""
        reached = [f"{item.test} {item.key_phrase:.0%}" for item in entry.results[:2]]
        marks = [entry.dataset, *reached, *(["archived"] if entry.card.archived else [])]
        show(f"{entry.card.id}{named}  {', '.join(filter(None, marks))}".rstrip())
        for item in entry.notes:
            show(f"  {item.person}: {item.text}")


@click.command()
@click.argument("model")
@click.argument("text", required=False)
@common
def note(workspace: Path | None, as_json: bool, model: str, text: str | None) -> None:
    """Write a note on a model, or read what was written."""
    services = services_of(workspace)
    found = services.registry
    model = found.resolve(model)
    if text is not None:
        found.note(model, text)
    notes = found.notes(model)
    services.close()
    if as_json:
        emit({"model": model, "notes": notes})
        return
    if not notes:
        show("Nothing is written on it yet.")
    for item in notes:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.at))
        show(f"{day}  {item.person}: {item.text}")


@click.command()
@click.argument("name", required=False)
@click.argument("model", required=False)
@click.option("--remove", is_flag=True, help="Take the name back.")
@_endpoint
@common
def alias(
    workspace: Path | None,
    as_json: bool,
    name: str | None,
    model: str | None,
    remove: bool,
    endpoint: str | None,
) -> None:
    """Name a model for the team (team/current), usable as --model; without MODEL: list names."""
    services = services_of(workspace)
    found = services.registry
    if remove and name:
        found.remove_alias(name)
    elif name and model:
        target = model

        async def there() -> str:
            return (await found.show(target, endpoint)).card.id

        full = services.run(there())
        before = found.alias(name, full)
        if before:
            say(f"{name} was {before} until now.")
    names = found.aliases()
    if name and not model and not remove:
        names = {key: value for key, value in names.items() if key == name}
    services.close()
    if as_json:
        emit({"aliases": names})
        return
    if not names:
        show("No name is given yet. Give one: papertune model alias team/current MODEL")
    for key, value in sorted(names.items()):
        show(f"{key}  {value}")


@click.command("card")
@click.argument("model")
@click.option("--to", "target", type=click.Path(path_type=Path), help="A file instead of stdout.")
@_endpoint
@common
def model_card(
    workspace: Path | None, as_json: bool, model: str, target: Path | None, endpoint: str | None
) -> None:
    """A model's card in Markdown: what it was made of, what it reached, where not to trust it."""
    services = services_of(workspace)
    text = services.run(_card(services, model, endpoint))
    if target is not None:
        from tui.storage.atomic import write_text

        write_text(target, text)
    if as_json:
        emit({"model": model, "card": text, "file": str(target) if target else None})
    elif target is None:
        click.echo(text, nl=False)
    else:
        show(str(target))


@click.command("export")
@click.argument("model")
@click.option("--form", type=click.Choice(["peft", "gguf", "merged"]), default="peft")
@click.option("--to", "target", type=click.Path(path_type=Path), help="The folder to write.")
@_endpoint
@common
def export_model(
    workspace: Path | None,
    as_json: bool,
    model: str,
    form: str,
    target: Path | None,
    endpoint: str | None,
) -> None:
    """Write a model for other programs: adapter (peft, GGUF) or whole (merged), with its card."""
    from tui.storage.atomic import write_text

    services = services_of(workspace)

    async def work() -> tuple[Path, list[Path]]:
        from tui.mistral.export_model import export_model as write

        entry = await services.registry.show(model, endpoint)
        folder = target or Path(entry.card.id.replace(":", "_"))
        where = services.endpoints.get(entry.card.endpoint)
        files = await write(where, entry.card.id, form, folder)
        path = folder / "README.md"
        write_text(path, await _card(services, entry.card.id, entry.card.endpoint))
        return folder, [*files, path]

    folder, files = services.run(work())
    if as_json:
        emit({"model": model, "form": form, "folder": str(folder), "files": files})
        return
    for path in files:
        show(str(path))


@click.command()
@click.argument("model")
@click.option("--undo", is_flag=True, help="Bring an archived model back.")
@_endpoint
@common
def archive(
    workspace: Path | None, as_json: bool, model: str, undo: bool, endpoint: str | None
) -> None:
    """Take a fine-tuned model out of use; its files stay. Says what stands on it."""
    services = _services_if_any(workspace)
    depends: list[str] = []
    if services is None:
        _bare(lambda client: client.archive(model, not undo), endpoint)
    else:
        found = services.registry
        model = found.resolve(model)
        depends = found.depends(model)
        services.run(found.archive(model, not undo, endpoint))
    if as_json:
        emit({"id": model, "object": "model", "archived": not undo, "depends": depends})
        return
    show(f"{model} is {'back in use' if undo else 'archived'}.")
    if depends and not undo:
        show(f"On it stand: {', '.join(depends)}.")


@click.command()
@click.argument("model")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_endpoint
@common
def delete(
    workspace: Path | None, as_json: bool, model: str, yes: bool, endpoint: str | None
) -> None:
    """Delete a fine-tuned model for good; its job and dataset stay. Says what stands on it."""
    services = _services_if_any(workspace)
    depends: list[str] = []
    if services is not None:
        model = services.registry.resolve(model)
        depends = services.registry.depends(model)
    if depends:
        say(f"On {model} stand: {', '.join(depends)}.")
    if not yes and not as_json and sys.stdin.isatty():
        click.confirm(f"Delete {model} for good?", abort=True)
    if services is None:
        _bare(lambda client: client.delete_model(model), endpoint)
    else:
        services.run(services.registry.delete(model, endpoint))
    if as_json:
        emit({"id": model, "object": "model", "deleted": True, "depends": depends})
    else:
        show(f"{model} is deleted.")


def _services_if_any(workspace: Path | None) -> Services | None:
    """The services of the workspace; None where there is none: models belong to no workspace."""
    try:
        return services_of(workspace)
    except MissingError:
        if workspace is not None:
            raise
        return None


def _bare(work: Callable[[Client], Awaitable[None]], endpoint: str | None) -> None:
    from tui.cli.model import with_client

    with_client(work, endpoint, None)


async def _card(services: Services, model: str, endpoint: str | None) -> str:
    """The card, with the curve of the job where it can still be asked."""
    from contextlib import suppress

    from tui.domain.errors import PapertuneError
    from tui.jobs.card import card

    entry = await services.registry.show(model, endpoint)
    points: tuple[LossPoint, ...] = ()
    memory = None
    if entry.job is not None:
        with suppress(PapertuneError):
            points = await services.jobs.points(entry.job.id)
            memory = services.jobs.memory_file(entry.job)
    titles = []
    for paper in entry.papers:
        with suppress(PapertuneError):
            titles.append(services.corpus.paper(paper).title)
    whole = titles if len(titles) == len(entry.papers) else ()
    return card(entry, points=points, memory=memory, titles=whole)


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.card.id,
        "endpoint": entry.card.endpoint,
        "root": entry.card.root,
        "job": entry.card.job,
        "archived": entry.card.archived,
        "dataset": entry.dataset,
        "papers": entry.papers,
        "aliases": entry.aliases,
        "notes": entry.notes,
        "results": entry.results,
    }
