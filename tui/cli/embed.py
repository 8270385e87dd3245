"""`papertune embed`: vectors of the library's passages, so that questions find what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import allow_outside_option, chosen_workspace, common, emit, finish, say, show

if TYPE_CHECKING:
    from tui.services import Services


@click.command("embed")
@click.option("--status", is_flag=True, help="Say how far it is, and do nothing.")
@click.option("--again", is_flag=True, help="Throw the vectors away and begin anew.")
@click.option("--endpoint", help="Where to embed; without it the local engine.")
@click.option("--model", help="The model that embeds; without it the engine's own.")
@allow_outside_option
@common
def command(
    status: bool,
    again: bool,
    endpoint: str | None,
    model: str | None,
    allow_outside: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Embed what is new in the library; may be stopped at any moment and goes on where it was."""
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace), create=False)
    embedder = services.embedder
    if endpoint:
        embedder.endpoint = endpoint
    if model:
        embedder.use(model)
    if allow_outside:
        services.gate.consent(services.endpoints.get(embedder.endpoint))
    if not status:
        services.run(_fill(services, again))
        services = Services.open(chosen_workspace(workspace), create=False)
        if model:
            services.embedder.use(model)
    coverage = services.embedder.coverage()
    if as_json:
        emit(coverage)
    else:
        show(f"{coverage.embedded:,} of {coverage.passages:,} passages have a vector.")
        if status and coverage.embedded < coverage.passages:
            show("Embed the rest with: papertune embed")
    finish(True)


async def _fill(services: Services, again: bool) -> None:
    told = -1
    left_out = 0
    async for filled in services.embedder.fill(again=again):
        left_out = filled.left_out
        share = 100 * filled.done // max(1, filled.total)
        if share // 5 != told // 5:
            told = share
            say(f"{filled.done:,} of {filled.total:,} passages embedded ({share} %)")
    if left_out:
        say(f"{left_out:,} private passages were left out: the endpoint is not trusted.")
