"""What is told when a job ends or needs somebody, and by which ways: the table `[alerts]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tui.settings.money import WrongValueError
from tui.text import visible

KINDS = ("done", "failed", "diagnosis", "budget")
OSC_CODES = ("9", "777", "")
SLACK = "slack"
"""The name that the webhook's address is stored under among the keys: who knows it may post."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Which events are told (`on`) and where, beside the app itself.

    `bell` rings the terminal's, `osc` is the sequence for a desktop notice (`9` or `777`, empty:
    none), `slack` posts to the incoming webhook kept among the keys, `command` is a program with
    its arguments; what happened comes to it in environment variables.
    """

    on: tuple[str, ...] = KINDS
    bell: bool = True
    osc: str = "9"
    slack: bool = False
    command: tuple[str, ...] = ()


def read_alerts(key: str, table: dict[str, Any]) -> AlertSettings:
    """The table `[alerts]`; raises WrongValueError."""
    known = ("on", "bell", "osc", "slack", "command")
    for name in table:
        if name not in known:
            raise WrongValueError(
                f"{key}.{visible(name)}", "is no setting", f"known are: {', '.join(known)}"
            )
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name in ("on", "command"):
            values[name] = _texts(f"{key}.{name}", value)
        elif name == "osc":
            if str(value) not in OSC_CODES:
                raise WrongValueError(f"{key}.osc", 'must be "9", "777" or ""')
            values[name] = str(value)
        elif not isinstance(value, bool):
            raise WrongValueError(f"{key}.{name}", "must be true or false")
        else:
            values[name] = value
    settings = AlertSettings(**values)
    if unknown := next((kind for kind in settings.on if kind not in KINDS), None):
        raise WrongValueError(
            f"{key}.on", f"has '{visible(unknown)}'; known are: {', '.join(KINDS)}"
        )
    return settings


def alerts_table(alerts: AlertSettings) -> dict[str, Any]:
    """The table that `read_alerts` reads; what is as usual is left out."""
    usual = AlertSettings()
    values: dict[str, Any] = {
        "on": list(alerts.on),
        "bell": alerts.bell,
        "osc": alerts.osc,
        "slack": alerts.slack,
        "command": list(alerts.command),
    }
    return {
        name: value
        for name, value in values.items()
        if value != (list(was) if isinstance(was := getattr(usual, name), tuple) else was)
    }


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongValueError(key, "must be a list of texts")
    return tuple(value)
