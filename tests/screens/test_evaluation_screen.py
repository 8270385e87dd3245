"""Evaluation by keys: measuring, the report, the questions behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from screens.evaluation import EvaluationScreen
from tests.screens.conftest import FINDINGS, PAPERS
from tests.screens.engine_double import TUNED, EngineDouble
from tests.screens.finished_run import MODEL, finish_run
from tests.screens.pilots import dialog, status, until
from tui.app import PapertuneApp
from tui.domain.example import Role
from tui.services import Services
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.reader import Reader

Make = Callable[..., PapertuneApp]


@pytest.fixture
def frozen(services: Services, tmp_path: Path) -> str:
    """A frozen version whose two questions on bells and mosses are kept out of training."""
    pairs = tmp_path / "kept.jsonl"
    roles = {"resins": Role.TRAIN, "bells": Role.TEST_TRANSFER, "mosses": Role.TEST_TRANSFER}
    lines = [
        {
            "paper": PAPERS[paper][0],
            "question": question,
            "answer": answer,
            "quote": quote,
            "role": roles[paper].value,
        }
        for paper, question, answer, quote in FINDINGS
    ]
    pairs.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    datasets = services.datasets
    datasets.create("kept")
    report = datasets.add_pairs("kept", pairs)
    assert report.added == len(FINDINGS), report
    return datasets.freeze("kept").name


async def evaluation(pilot: Pilot[object]) -> EvaluationScreen:
    await pilot.press("5")
    await until(pilot, lambda: isinstance(pilot.app.screen, EvaluationScreen))
    await until(pilot, lambda: "run" in status(pilot))
    screen = pilot.app.screen
    assert isinstance(screen, EvaluationScreen)
    return screen


def report(screen: EvaluationScreen) -> str:
    return str(screen.query_one("#report", Static).render())


async def test_without_runs_the_key_that_measures_is_named(
    make_app: Make, engine: EngineDouble
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await evaluation(pilot)
        assert "Press n to ask" in str(screen.query_one("#empty", Static).render())


async def test_a_run_opens_with_its_verdict_its_arms_and_the_wrong_answers(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    finish_run(services, answered="[/foo] [@click=app.quit]x[/] \x1b[2J")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await evaluation(pilot)
        row = screen.runs.current
        assert row is not None and row.cells[1:] == ("answers@v1", MODEL, "92 %", "–")
        await pilot.press("enter")
        await until(pilot, lambda: "tuned+sources" in report(screen))
        words = report(screen)
        assert words.startswith("Memory: ") and "Transfer" in words
        assert "92 (65–99)" in words and "0 (0–24)" in words
        assert screen.answers.has_focus and screen.answers.count == 1
        await pilot.press("w")
        assert screen.answers.count == 48
        await pilot.press("w", "enter")
        reader = screen.query_one("#item").query_one(Reader)
        await until(pilot, lambda: "tuned: wrong" in reader.document.text)
        assert "base: wrong" in reader.document.text
        assert "base+sources: wrong" in reader.document.text
        assert "\x1b" not in app.export_screenshot()
        await pilot.press("escape")
        assert screen.answers.has_focus
        await pilot.press("escape")
        assert screen.runs.has_focus and app.is_running


async def test_a_base_model_s_run_shows_the_wrong_answers_of_the_base(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    finish_run(services, tuned=False)
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await evaluation(pilot)
        await until(pilot, lambda: screen.answers.count == 12)


async def test_a_model_is_measured_on_a_dataset_and_the_run_is_shown(
    make_app: Make, engine: EngineDouble, services: Services, frozen: str
) -> None:
    engine.says("It hardens for six hours.")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await evaluation(pilot)
        await pilot.press("n")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await until(pilot, lambda: screen.runs.count == 1)
        await until(pilot, lambda: screen.report is not None)
    (run,) = services.evaluator.runs()
    assert (run.dataset, run.model) == (frozen, TUNED)
    items = services.evaluator.items(run.run)
    assert {item.arm for item in items} == {"base", "base+sources", "tuned", "tuned+sources"}


async def test_measuring_stops_after_a_yes_and_goes_on_from_there(
    make_app: Make, engine: EngineDouble, services: Services, frozen: str
) -> None:
    engine.says("It", hang=True)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await evaluation(pilot)
        await pilot.press("n")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await until(pilot, lambda: "esc stops" in status(pilot))
        await until(pilot, lambda: engine.asked)
        await pilot.press("escape")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "Stopped" in status(pilot))
        assert screen.runs.count == 0
