"""Pictures of jobs, chat, evaluation and settings, with the same contents on every machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.chat import ChatScreen
from screens.evaluation import EvaluationScreen
from screens.jobs import JobsScreen
from screens.jobs.new_job import NewJob
from screens.settings import SettingsScreen
from tests.mistral.faults import FaultServer
from tests.screens.engine_double import EngineDouble, point
from tests.screens.finished_run import finish_run
from tests.screens.pilots import until
from tui.app import PapertuneApp
from tui.domain.chat import Answer, Arm, Source, Usage
from tui.services import Services
from widgets.reader import Reader

Make = Callable[..., PapertuneApp]
AT = 1_795_262_400  # 21 November 2026, noon
STATUSES = ("QUEUED", "VALIDATING", "VALIDATED", "RUNNING", "SUCCESS")
TUNED = "ft:tiny-base:0a1b2c3d:20261121:c7a2f9d4"
SIZES = [(80, 24), (120, 40)]


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One time zone, and places with the same names."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERTUNE_CONFIG_DIR", "/home/ada/.config/papertune")
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def double(services: Services) -> EngineDouble:
    """An engine whose server starts with the picture's own event loop."""
    made = EngineDouble(FaultServer(), on=False)
    services.__dict__["engine"] = made
    return made


async def _start(double: EngineDouble) -> None:
    await double.server.start()
    double.on = True


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_job(
    snap_compare: Any, make_app: Make, double: EngineDouble, size: tuple[int, int]
) -> None:
    double.points = [
        point(step, 3.2 / (1 + step / 20), **_losses(step)) for step in range(2, 121, 2)
    ]
    double.has_job(
        "SUCCESS",
        created_at=AT,
        fine_tuned_model=TUNED,
        trained_tokens=39_501,
        validation_files=["memory00", "transfer"],
        events=[
            {"name": "status-updated", "created_at": AT + 9 * n, "data": {"status": status}}
            for n, status in enumerate(STATUSES)
        ],
    )

    async def before(pilot: Pilot[Any]) -> None:
        await _start(double)
        await pilot.press("3")
        screen = pilot.app.screen
        assert isinstance(screen, JobsScreen)
        await until(pilot, lambda: screen.listing.count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: screen.view is not None and screen.view.points)
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=size, run_before=before)


def test_new_job(snap_compare: Any, make_app: Make, double: EngineDouble) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await pilot.press("3")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewJob))
        note = pilot.app.screen.query_one("#estimate")
        await until(pilot, lambda: str(note.render()))
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=before)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_chat(
    snap_compare: Any,
    make_app: Make,
    double: EngineDouble,
    services: Services,
    size: tuple[int, int],
) -> None:
    conversation = services.conversations.start()
    exchange = services.conversations.asked(conversation, "How long does Velmora resin harden?")
    services.conversations.answered(conversation, exchange, _answer(services))

    async def before(pilot: Pilot[Any]) -> None:
        await _start(double)
        await pilot.press("4")
        screen = pilot.app.screen
        assert isinstance(screen, ChatScreen)
        await until(pilot, lambda: screen.session.card is not None)
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("enter")
        await until(pilot, lambda: _back(pilot, screen))
        reader = screen.query_one(Reader)
        await until(pilot, lambda: "Velmora" in reader.document.text)
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_evaluation(
    snap_compare: Any,
    make_app: Make,
    double: EngineDouble,
    services: Services,
    size: tuple[int, int],
) -> None:
    finish_run(services)

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.press("5")
        screen = pilot.app.screen
        assert isinstance(screen, EvaluationScreen)
        await until(pilot, lambda: screen.runs.count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: screen.answers.count == 1)
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=size, run_before=before)


def test_settings(
    snap_compare: Any,
    make_app: Make,
    double: EngineDouble,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "key-of-mistral-9f3a")
    services.settings = replace(services.settings, workspace=Path("/home/ada/papers"))

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.press("6")
        screen = pilot.app.screen
        assert isinstance(screen, SettingsScreen)
        await until(pilot, lambda: screen.listing.count > 5)
        for _ in range(6):
            await pilot.press("j")
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=before)


def _losses(step: int) -> dict[str, float]:
    if step % 20:
        return {}
    return {"memory00": 2.5 / (1 + step / 30), "transfer": 2.6 + step / 200}


def _answer(services: Services) -> Answer:
    hit = services.corpus.search("Velmora resin hardens")[0]
    passage = services.corpus.passage(hit.passage)
    quote = "Velmora resin hardens for six hours at dusk"
    source = Source(
        1, hit.paper, hit.title, hit.passage, passage.page or 0, "Results", quote, verified=True
    )
    return Answer(
        "It hardens for **six hours** at dusk [1].\n\n- measured on three evenings\n- by keepers",
        TUNED,
        Arm.TUNED_SOURCES,
        (source,),
        Usage(212, 14),
        "stop",
        seconds=1.2,
    )


def _back(pilot: Pilot[Any], screen: ChatScreen) -> bool:
    return pilot.app.screen is screen and bool(screen.side.sources)
