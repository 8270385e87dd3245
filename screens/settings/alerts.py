"""The ways an alert takes: switching each on or off, and trying it."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.settings.rows import Item
from tui.jobs.alerts import TRIAL, Alerts
from tui.settings import Credentials, Settings
from tui.settings.alerts import SLACK, AlertSettings
from tui.text import visible
from widgets.dialogs import Choose, Prompt

if TYPE_CHECKING:
    from tui.jobs.alerts import Channel

ALERT = "alert:"
_WAYS: tuple[tuple[Channel, str, str], ...] = (
    ("bell", "Bell", "the terminal's bell"),
    ("osc", "Desktop", "a desktop notice by the terminal (OSC 9 or 777)"),
    ("slack", "Slack", "an incoming webhook of Slack"),
    ("command", "Command", "a program of yours; what happened is in PAPERTUNE_ALERT_*"),
)
_NAMES = {"osc": "the terminal's notice", "slack": "Slack", "command": "the command"}


def items(alerts: AlertSettings) -> list[Item]:
    """A row for each way."""
    told = ", ".join(alerts.on) or "nothing"
    value = {
        "bell": "on" if alerts.bell else "off",
        "osc": f"on, OSC {alerts.osc}" if alerts.osc else "off",
        "slack": "on" if alerts.slack else "off",
        "command": visible(shlex.join(alerts.command)) if alerts.command else "off",
    }
    return [
        Item(
            ALERT + way,
            name,
            value[way],
            meaning,
            f"Tells by {meaning}: {told}. Enter switches it or tries it.",
        )
        for way, name, meaning in _WAYS
    ]


async def edit(
    app: ShellApp, settings: Settings, credentials: Credentials, alerts: Alerts | None, key: str
) -> Settings | None:
    """Ask what to do with a way and do it; the new settings, None for no change."""
    way = next(way for way, _, _ in _WAYS if ALERT + way == key)
    now = settings.alerts
    on = {"bell": now.bell, "osc": bool(now.osc), "slack": now.slack, "command": bool(now.command)}
    choices = [("try", "Try it now", "sends a trial alert")]
    choices += [("off", "Switch it off", "")] if on[way] else [("on", "Switch it on", "")]
    if on[way] and way in ("slack", "command"):
        choices.append(("on", "Change it", ""))
    if way == "osc":
        other = "777" if now.osc == "9" else "9"
        choices.append((other, f"Use OSC {other}", "when the other is not understood"))
    answer = await app.push_screen_wait(Choose(f"Alerts by {_NAMES.get(way, 'the bell')}", choices))
    if answer == "try" and alerts is not None:
        sent = await alerts.by(way, TRIAL, app.write_terminal)
        app.flash(f"{way}: {sent.wrong}" if sent.wrong else f"{way}: sent.")
    if answer in (None, "try"):
        return None
    changed = await _changed(app, now, credentials, way, answer or "")
    return None if changed is None else replace(settings, alerts=changed)


async def _changed(
    app: ShellApp, now: AlertSettings, credentials: Credentials, way: Channel, answer: str
) -> AlertSettings | None:
    on = answer != "off"
    if way == "bell":
        return replace(now, bell=on)
    if way == "osc":
        return replace(now, osc=answer if answer in ("9", "777") else "9" if on else "")
    if way == "slack":
        if on and not await _store_webhook(app, credentials):
            return None
        return replace(now, slack=on)
    if not on:
        return replace(now, command=())
    typed = await app.push_screen_wait(
        Prompt(
            "A command of yours",
            "A program and its arguments; no shell reads them.",
            value=shlex.join(now.command),
            placeholder="notify-send papertune",
            check=_command_problem,
        )
    )
    return None if typed is None else replace(now, command=tuple(shlex.split(typed)))


async def _store_webhook(app: ShellApp, credentials: Credentials) -> bool:
    typed = await app.push_screen_wait(
        Prompt(
            "Slack's webhook",
            "Who knows its address may post, so it is kept like a key.",
            placeholder="https://hooks.slack.com/services/…",
            password=True,
            check=lambda text: "" if text.strip().startswith("https://") else "An https address.",
        )
    )
    if typed is None:
        return False
    await asyncio.to_thread(credentials.set, SLACK, typed.strip(), "file")
    return True


def _command_problem(text: str) -> str:
    try:
        return "" if shlex.split(text) else "A program is needed."
    except ValueError:
        return "A quotation mark has no end."
