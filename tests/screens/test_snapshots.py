"""Pictures of the screens; regenerate with `pytest --snapshot-update` after looking at them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.welcome.start import Start
from tests.screens.pilots import status, until
from tui.app import PapertuneApp, WelcomeApp
from widgets.reader import Reader

Make = Callable[..., PapertuneApp]
SIZES = [(80, 24), (120, 40)]


async def _corpus(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: status(pilot) == "3 papers")
    if pilot.app.size.width >= 100:
        reader = pilot.app.screen.query_one(Reader)
        await until(pilot, lambda: reader.document.text)
    await pilot.pause()


async def _reading(pilot: Pilot[Any]) -> None:
    await _corpus(pilot)
    await pilot.press("enter")
    reader = pilot.app.screen.query_one(Reader)
    await until(pilot, lambda: reader.document.text and reader.size.width)
    await pilot.pause()


async def _help(pilot: Pilot[Any]) -> None:
    await _corpus(pilot)
    await pilot.press("question_mark")
    await pilot.pause()


async def _datasets(pilot: Pilot[Any]) -> None:
    await pilot.press("2")
    await until(pilot, lambda: status(pilot) == "1 dataset")
    await pilot.pause()


async def _review(pilot: Pilot[Any]) -> None:
    await _datasets(pilot)
    await pilot.press("r")
    await until(pilot, lambda: "3 drafts left" in status(pilot))
    reader = pilot.app.screen.query_one(Reader)
    await until(pilot, lambda: reader.document.marks and reader.size.width)
    await pilot.pause()


Before = Callable[[Pilot[Any]], Awaitable[None]]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("before", [_corpus, _reading, _help, _datasets, _review])
def test_screen(snap_compare: Any, make_app: Make, before: Before, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=before)


@pytest.mark.parametrize("theme", ["papertune-light", "papertune-ansi"])
def test_theme(snap_compare: Any, make_app: Make, theme: str) -> None:
    assert snap_compare(make_app(theme=theme), terminal_size=(120, 40), run_before=_corpus)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_welcome(snap_compare: Any, size: tuple[int, int]) -> None:
    app = WelcomeApp(suggested=Start(Path("/home/ada/papertune")))
    assert snap_compare(app, terminal_size=size)
