"""Generation and judging by keys, with a server on loopback that writes about what it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from screens.datasets import DatasetsScreen
from screens.datasets.generation import GenerationScreen
from screens.datasets.generation_form import GenerationForm, read_form
from screens.datasets.report import ReportScreen
from screens.datasets.review import ReviewScreen
from tests.mistral.faults import Answer, Request, answer, completion
from tests.screens.conftest import FINDINGS
from tests.screens.engine_double import BASE, EngineDouble
from tests.screens.pilots import choose, dialog, status, until
from tui.app import PapertuneApp
from tui.domain.errors import PapertuneError
from tui.domain.example import Kind, Status
from tui.services import Services
from widgets.reader import Reader
from widgets.virtual_list import VirtualList

Make = Callable[..., PapertuneApp]


class Author:
    """Writes one good pair on each finding it is shown, or prose; as a judge it agrees."""

    def __init__(self, double: EngineDouble) -> None:
        self.prose = False
        double.server.on("POST", "/v1/chat/completions", self)

    def __call__(self, request: Request) -> Answer:
        asked = json.dumps(request.json()["messages"])
        if "verdict" in asked:
            return answer(completion(json.dumps({"reason": "So it is.", "verdict": "supported"})))
        if self.prose:
            return answer(completion("I would rather talk."))
        quote = next((quote for *_, quote in FINDINGS if quote in asked), FINDINGS[0][3])
        last = quote.rsplit(" ", 1)[-1]
        pair = {
            "quote": f"{quote} at dusk",
            "question": f"What is known of {quote.split(' ', 2)[0]} and of its {last} at dusk?",
            "answer": f"{quote} at dusk.",
            "key_phrase": last,
            "wordings": [],
        }
        return answer(completion(json.dumps(pair)))


@pytest.fixture
def author(engine: EngineDouble) -> Author:
    return Author(engine)


async def to_datasets(pilot: Pilot[Any]) -> DatasetsScreen:
    await pilot.press("2")
    await until(pilot, lambda: isinstance(pilot.app.screen, DatasetsScreen))
    await until(pilot, lambda: status(pilot) == "1 dataset")
    screen = pilot.app.screen
    assert isinstance(screen, DatasetsScreen)
    return screen


async def started(pilot: Pilot[Any]) -> DatasetsScreen:
    """Go to the generation of `answers` and start a run of pairs, one wording each."""
    datasets = await to_datasets(pilot)
    await pilot.press("w")
    await until(pilot, lambda: isinstance(pilot.app.screen, GenerationScreen))
    await pilot.press("w")
    await choose(pilot, "Write into answers", "Questions and answers")
    await choose(pilot, "Who writes", BASE)
    await dialog(pilot, GenerationForm)
    pilot.app.screen.query_one("#wordings", Input).value = "1"
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, GenerationScreen))
    return datasets


def shown(pilot: Pilot[Any]) -> str:
    return str(pilot.app.screen.query_one("#progress", Static).render())


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_model_writes_drafts_while_the_person_is_elsewhere(
    make_app: Make, services: Services, author: Author, size: tuple[int, int]
) -> None:
    assert not author.prose
    services.generator.pause("answers")
    before = services.datasets.count("answers")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        datasets = await started(pilot)
        await until(pilot, lambda: "waits" in shown(pilot))
        await pilot.press("p", "1")
        await until(pilot, lambda: not services.generator.paused("answers"))
        run = datasets.production
        assert run is not None
        await until(pilot, lambda: run.finished)
        assert services.datasets.count("answers") > before
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, GenerationScreen))
        await until(pilot, lambda: f"{run.accepted} to review" in shown(pilot))
        listing = app.screen.query_one(VirtualList)
        await until(pilot, lambda: listing.count == len(run.latest) > 0)
        place = next(n for n, event in enumerate(run.latest) if event.id)
        await pilot.press(*"j" * place, "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        assert any(e.author == BASE for e in services.datasets.examples("answers"))


async def test_a_run_is_ended_by_a_key_and_says_so(
    make_app: Make, services: Services, author: Author
) -> None:
    assert not author.prose
    services.generator.pause("answers")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        datasets = await started(pilot)
        await until(pilot, lambda: "waits" in shown(pilot))
        await pilot.press("x")
        run = datasets.production
        assert run is not None
        await until(pilot, lambda: not run.running)
        await until(pilot, lambda: "Stopped" in shown(pilot))


async def test_what_gave_no_usable_answer_is_listed_and_asked_again(
    make_app: Make, services: Services, author: Author
) -> None:
    author.prose = True
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        datasets = await started(pilot)
        await until(pilot, lambda: datasets.production and datasets.production.finished)
        failed = len(services.generator.failures("answers"))
        assert failed
        await pilot.press("escape", "w")
        await until(pilot, lambda: f"{failed} passages have no usable answer" in shown(pilot))
        author.prose = False
        await pilot.press("r")
        await choose(pilot, "Ask again", "qa of")
        await until(pilot, lambda: not services.generator.failures("answers"))
        run = datasets.production
        assert run is not None
        await until(pilot, lambda: run.finished and run.accepted + run.rejected.total())


async def test_a_judge_is_compared_with_the_person(
    make_app: Make, services: Services, author: Author
) -> None:
    assert not author.prose
    ids = services.datasets.ids("answers", status=Status.DRAFT)
    services.datasets.decide("answers", ids[:2], Status.ACCEPTED)
    services.datasets.decide("answers", ids[2:], Status.REJECTED)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("J")
        await choose(pilot, "Who judges", BASE)
        await choose(pilot, "judges each answer", "Only compare")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        text = app.screen.query_one(Reader).document.text
        assert "3 judged, 3 of them supported" in text
        assert "ada: 67% of 3 the same" in text


@pytest.mark.parametrize(
    ("field", "text", "wrong"),
    [
        ("mix", "reslt=3", "no share of a type"),
        ("wordings", "11", "1 to 10"),
        ("count", "few", "whole number"),
        ("budget", "5 dollars", "not an amount"),
    ],
)
def test_a_form_says_which_field_is_wrong(field: str, text: str, wrong: str) -> None:
    values = {"mix": "", "wordings": "4", "query": "", "count": "", "budget": "", "judge": ""}
    with pytest.raises(PapertuneError, match=wrong):
        read_form("answers", Kind.QA, BASE, {**values, field: text})
