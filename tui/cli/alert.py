"""`papertune alert`: which ways an alert takes, and trying them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import common, emit, finish, show

if TYPE_CHECKING:
    from tui.jobs.alerts import Alerts


@click.group("alert")
def command() -> None:
    """Be told when a job ends or needs you: bell, desktop notice, Slack, a command."""


@command.command("list")
@common
def list_ways(workspace: Path | None, as_json: bool) -> None:  # noqa: ARG001
    """What is told, and by which ways."""
    from tui.settings import load_settings
    from tui.settings.alerts import alerts_table

    chosen = load_settings().alerts
    ways = _alerts().ways()
    if as_json:
        emit({"on": chosen.on, "ways": ways, "settings": alerts_table(chosen)})
        return
    show(f"Told: {', '.join(chosen.on) or 'nothing'}")
    show(f"By: {', '.join(('the app', *ways))}")
    show("Change it under [alerts] in config.toml; try a way with: papertune alert test WAY")


@command.command()
@click.argument("way", required=False, type=click.Choice(["bell", "osc", "slack", "command"]))
@common
def test(workspace: Path | None, as_json: bool, way: str | None) -> None:  # noqa: ARG001
    """Send a trial alert by one way, or by all that are on."""
    from tui.jobs.alerts import CHANNELS, TRIAL, Sent

    alerts = _alerts()
    chosen = [item for item in CHANNELS if item == way] if way else list(alerts.ways())

    async def work() -> list[Sent]:
        return [await alerts.by(item, TRIAL, terminal()) for item in chosen]

    sent = asyncio.run(work())
    if as_json:
        emit([{"way": item.channel, "sent": not item.wrong, "reason": item.wrong} for item in sent])
    elif not sent:
        show("No way is on. Switch one on under [alerts] in config.toml.")
    else:
        for item in sent:
            show(f"{item.channel}: {item.wrong or 'sent'}")
    finish(not any(item.wrong for item in sent))


def terminal() -> Callable[[str], None] | None:
    """What writes to the person's terminal, where stderr is one; stdout is data."""
    if not sys.stderr.isatty():
        return None

    def write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    return write


def _alerts() -> Alerts:
    """The ways of the settings; a trial belongs to no workspace."""
    from tui.jobs.alerts import Alerts
    from tui.settings import Credentials, load_settings

    settings = load_settings().alerts
    return Alerts(lambda: settings, Credentials(), lambda _job, _kind: True)
