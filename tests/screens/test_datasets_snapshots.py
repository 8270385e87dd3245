"""Pictures of what lies behind the list of datasets; look at them before updating."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.datasets.examples import ExamplesScreen
from screens.datasets.findings import FindingsScreen
from screens.datasets.generation import GenerationScreen
from tests.screens.pilots import dialog, status, until
from tui.app import PapertuneApp
from tui.datasets.generation import GenerationFinished, Progress, Written
from tui.domain.example import Kind, Status
from tui.services import Services
from widgets.reader import Reader
from widgets.virtual_list import VirtualList
from widgets.writing_form import WritingForm

Make = Callable[..., PapertuneApp]
SIZES = [(80, 24), (200, 50)]
Before = Callable[[Pilot[Any]], Awaitable[None]]


async def _datasets(pilot: Pilot[Any]) -> None:
    await pilot.press("2")
    await until(pilot, lambda: status(pilot) == "1 dataset")


async def _examples(pilot: Pilot[Any]) -> None:
    await _datasets(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ExamplesScreen))
    await until(pilot, lambda: "3 examples" in status(pilot))
    await pilot.press("space")
    await until(pilot, lambda: "1 selected" in status(pilot))
    await pilot.pause()


async def _findings(pilot: Pilot[Any]) -> None:
    await _datasets(pilot)
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, FindingsScreen))
    reader = pilot.app.screen.query_one(Reader)
    await until(pilot, lambda: reader.document.text and reader.size.width)
    await pilot.pause()


async def _why(pilot: Pilot[Any]) -> None:
    await _datasets(pilot)
    await pilot.press("r")
    await until(pilot, lambda: "3 drafts left" in status(pilot))
    reader = pilot.app.screen.query_one(Reader)
    await until(pilot, lambda: reader.document.marks and reader.size.width)
    await pilot.press("r")
    await until(pilot, lambda: "w wrong" in status(pilot))
    await pilot.pause()


async def _editing(pilot: Pilot[Any]) -> None:
    await _datasets(pilot)
    await pilot.press("r")
    await until(pilot, lambda: "3 drafts left" in status(pilot))
    await pilot.press("e")
    await dialog(pilot, WritingForm)
    await until(pilot, lambda: pilot.app.screen.query_one(Reader).size.width)
    await pilot.pause()


async def _generation(pilot: Pilot[Any]) -> None:
    """As a run stands after two answers and a failure; what it tells is of `Generator`'s types."""
    from screens.datasets import DatasetsScreen
    from screens.datasets.production import Production, Wanted

    await _datasets(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, DatasetsScreen)
    run = Production(Wanted("answers", Kind.QA, "tiny-base"))
    progress = Progress(3, 40, 5_400, 66_600, 0.0054, 0.0666, "usd", 30.0, 370.0)
    for event, words, reason in (
        ("accepted", "How long does Velmora resin harden?", ""),
        ("rejected", "What does it say in this paper?", "standalone"),
        ("failed", "", ""),
    ):
        written = Written(
            event,  # type: ignore[arg-type]
            Kind.QA,
            "resins",
            "resins#2",
            question=words,
            reason=reason,
            type="result" if words else "",
            message="" if words else "the answer is no JSON",
            progress=progress,
        )
        run._take(written)
    run.finished = GenerationFinished("done", 1, remaining=37, stopped="count")
    screen.production = run
    await pilot.press("w")
    await until(pilot, lambda: isinstance(pilot.app.screen, GenerationScreen))
    await until(pilot, lambda: pilot.app.screen.query_one(VirtualList).count == 3)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("before", [_examples, _findings, _why, _editing, _generation])
def test_screen(
    snap_compare: Any,
    make_app: Make,
    services: Services,
    before: Before,
    size: tuple[int, int],
) -> None:
    if before is _findings:
        ids = services.datasets.ids("answers", status=Status.DRAFT)
        services.datasets.decide("answers", ids[:2], Status.ACCEPTED)
    assert snap_compare(make_app(), terminal_size=size, run_before=before)
