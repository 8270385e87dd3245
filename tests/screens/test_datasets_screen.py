"""Datasets by keys: composing, reviewing, splitting, checking, freezing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from screens.datasets import DatasetsScreen
from screens.datasets.findings import FindingsScreen
from screens.datasets.queue import ReviewQueue
from screens.datasets.report import ReportScreen
from screens.datasets.review import ReviewScreen
from tests.screens.pilots import dialog, footer, status, until, write
from tui.app import PapertuneApp
from tui.domain.example import Status
from tui.services import Services
from widgets.dialogs import Choose, Prompt
from widgets.reader import Reader

Make = Callable[..., PapertuneApp]


async def to_datasets(pilot: Pilot[object], words: str = "1 dataset") -> None:
    await pilot.press("2")
    await until(pilot, lambda: isinstance(pilot.app.screen, DatasetsScreen))
    await until(pilot, lambda: status(pilot) == words)


async def to_review(pilot: Pilot[object]) -> ReviewScreen:
    await to_datasets(pilot)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(pilot.app.screen, ReviewScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ReviewScreen)
    await until(pilot, lambda: screen.queue.current)
    return screen


def statuses(services: Services) -> dict[str, int]:
    return services.datasets.show("answers").statuses


async def test_the_details_name_the_key_that_brings_a_dataset_on(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await until(
            pilot,
            lambda: "r reviews 3 drafts" in str(app.screen.query_one("#detail", Static).render()),
        )


async def test_without_a_dataset_only_what_makes_one_is_offered(empty_services: Services) -> None:
    app = PapertuneApp(empty_services)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot, "0 datasets")
        await until(pilot, lambda: "Freeze" not in footer(pilot))
        assert "Press a to make one" in str(app.screen.query_one("#empty").render())
        await pilot.press("n")
        await dialog(pilot, Prompt)
        await write(pilot, "Bad Name")
        await pilot.press("enter")
        assert "cannot be a dataset's name" in str(app.screen.query_one(".note").render())
        app.screen.query_one(Input).value = "answers"
        await pilot.press("enter")
        await until(pilot, lambda: status(pilot) == "1 dataset")


async def test_pairs_are_added_from_a_file_and_refusals_are_shown(
    make_app: Make, services: Services, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    good = {"question": "What colour is fen tin?", "answer": "Grey."}
    pairs.write_text(json.dumps(good) + "\nnot json\n", encoding="utf-8")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("a")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await dialog(pilot, Prompt)
        app.screen.query_one(Input).value = str(pairs)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert "line 2" in app.screen.query_one(Reader).document.text
        assert services.datasets.show("answers").examples == 4


async def test_an_example_is_shown_beside_its_passage_with_the_quote_marked(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await to_review(pilot)
        reader = screen.query_one(Reader)
        await until(pilot, lambda: reader.document.marks)
        start, end = reader.document.marks[0]
        assert screen.queue.current is not None
        assert reader.document.text[start:end] == screen.queue.current.quote


async def test_a_decision_is_stored_before_the_next_example_is_shown(
    make_app: Make, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_when_shown: list[int] = []
    original = ReviewQueue._show

    def show(self: ReviewQueue, *, passing: bool = True) -> None:
        stored_when_shown.append(statuses(services).get("accepted", 0))
        original(self, passing=passing)

    monkeypatch.setattr(ReviewQueue, "_show", show)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        await pilot.press("a")
        await until(pilot, lambda: screen.queue.decided == 1)
    assert stored_when_shown == [0, 1]


async def test_keys_typed_ahead_decide_one_example_each(make_app: Make, services: Services) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        await pilot.press("a", "r", "a")
        await until(pilot, lambda: screen.queue.current is None)
        assert statuses(services) == {"accepted": 2, "rejected": 1}
        assert "Nothing is left" in str(screen.query_one("#question", Static).render())


async def test_undo_brings_the_decided_example_back(make_app: Make, services: Services) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        first = screen.queue.current
        await pilot.press("r", "enter")
        await until(pilot, lambda: screen.queue.current != first)
        await pilot.press("u")
        await until(pilot, lambda: screen.queue.current == first)
        assert statuses(services) == {"draft": 3}
        await pilot.press("u")
        await until(pilot, lambda: "no decision of yours" in status(pilot))


async def test_an_example_is_edited_in_the_users_editor(
    make_app: Make, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        example = screen.queue.current
        assert example is not None

        def edited(text: str, *, suffix: str = ".md") -> str:
            return text.replace(example.answer, "Nobody knows.")

        monkeypatch.setattr(app, "edit_text", edited)
        await pilot.press("E")
        await until(pilot, lambda: services.datasets.example(example.id).answer == "Nobody knows.")
        assert screen.queue.current is not None and screen.queue.current.id == example.id


async def test_the_place_in_the_queue_is_kept_across_restarts(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        first = screen.queue.current
        await pilot.press("s")
        await until(pilot, lambda: screen.queue.current != first)
        second = screen.queue.current
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DatasetsScreen))
    again = make_app()
    async with again.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        assert screen.queue.current == second


async def test_from_drafts_to_a_frozen_version_by_keys(make_app: Make, services: Services) -> None:
    datasets = services.datasets
    ids = [example.id for example in datasets.examples("answers")]
    datasets.decide("answers", ids, Status.ACCEPTED)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("s")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert "train" in app.screen.query_one(Reader).document.text
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DatasetsScreen))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        assert "Verdict" in app.screen.query_one(Reader).document.text
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DatasetsScreen))
        await pilot.press("z")
        await until(pilot, lambda: "Frozen answers@v1" in status(pilot))
        assert services.datasets.show("answers").versions == (1,)


async def test_freezing_what_cannot_be_frozen_is_one_sentence(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "no accepted example" in status(pilot))


@pytest.mark.parametrize("answer", ["", "10", "ten twenty", "95 20", "-1 5"])
async def test_shares_that_cannot_be_are_refused_in_the_dialog(make_app: Make, answer: str) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("s")
        await dialog(pilot, Prompt)
        app.screen.query_one(Input).value = answer
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Prompt)
