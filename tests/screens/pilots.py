"""Driving an app by keys and waiting for what it does, without sleeping for a guessed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from widgets.dialogs import Choose
from widgets.status import KeyBar, StatusLine

_NAMED = {" ": "space", "/": "slash", ".": "full_stop", "-": "minus", "?": "question_mark"}


async def until(pilot: Pilot[Any], met: Callable[[], object], seconds: float = 20) -> None:
    """Wait until `met` is true."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"{met} never came true; status: {status(pilot)!r}"
        await pilot.pause()
        await asyncio.sleep(0.01)


async def dialog(pilot: Pilot[Any], kind: type[Screen[Any]]) -> None:
    """Wait until a dialog of `kind` is on top and takes keys; before that they would be lost."""

    def takes_keys() -> bool:
        screen = pilot.app.screen
        drawn = isinstance(screen, kind) and bool(screen.query("*"))
        return drawn and (screen.focused is not None or not screen.focus_chain)

    await until(pilot, takes_keys)


async def choose(pilot: Pilot[Any], title: str, words: str) -> None:
    """Wait for a choice and take the entry that holds `words`."""

    def asked() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, Choose) and title in str(screen.query_one(".frame").border_title)

    await until(pilot, asked)
    await dialog(pilot, Choose)
    screen = pilot.app.screen
    assert isinstance(screen, Choose)
    place = next(n for n, choice in enumerate(screen._choices) if words in choice[1])
    await pilot.press(*"j" * place, "enter")


async def write(pilot: Pilot[Any], text: str) -> None:
    """Type text."""
    await pilot.press(*(_NAMED.get(sign, sign) for sign in text))


def status(pilot: Pilot[Any]) -> str:
    """What the status line says: the notice, or the screen's own words."""
    lines = pilot.app.screen.query(StatusLine)
    if not lines:
        return ""
    line = lines.first()
    return line.notice.text if line.notice else line.words


def footer(pilot: Pilot[Any]) -> list[str]:
    """The footer's labels."""
    return [hint.label for hint in pilot.app.screen.query_one(KeyBar).hints]
