"""The corpus by keys: finding, reading, marking, handing over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from screens.corpus import CorpusScreen
from screens.corpus.adding import Adding
from screens.corpus.problems import ProblemsScreen
from tests.screens.pilots import dialog, footer, status, until, write
from tui.app import PapertuneApp
from tui.domain.errors import UsageError
from tui.domain.paper import Paper
from tui.services import Services
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.reader import Reader
from widgets.rows import Row
from widgets.virtual_list import VirtualList

Make = Callable[..., PapertuneApp]


def corpus_screen(app: PapertuneApp) -> CorpusScreen:
    screen = app.screen
    assert isinstance(screen, CorpusScreen)
    return screen


async def test_all_papers_are_listed_and_a_filter_narrows_them_as_it_is_typed(
    make_app: Make,
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await write(pilot, "/tin")
        await until(pilot, lambda: status(pilot) == "1 of 3 papers")
        row = corpus_screen(app).listing.current
        assert row is not None and row.cells[0] == "Bells cast from fen tin"
        await pilot.press("escape", "escape")
        await until(pilot, lambda: status(pilot) == "3 papers")


async def test_a_filter_without_a_hit_says_what_to_press(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await write(pilot, "/zebra")
        empty = app.screen.query_one("#empty", Static)
        await until(pilot, lambda: "zebra" in str(empty.render()))
        assert app.screen.has_class("-nothing") and "esc clears it" in str(empty.render())


async def test_an_empty_corpus_says_which_key_adds_papers(empty_services: Services) -> None:
    app = PapertuneApp(empty_services)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.has_class("-nothing"))
        assert "Press a to add" in str(app.screen.query_one("#empty").render())


async def test_narrow_a_paper_opens_over_the_list_and_escape_goes_back(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("enter")
        reader = app.screen.query_one(Reader)
        await until(pilot, lambda: "hardens for six hours" in reader.document.text)
        assert reader.has_focus and not corpus_screen(app).listing.region.width
        await pilot.press("escape")
        assert corpus_screen(app).listing.has_focus


async def test_wide_the_paper_under_the_cursor_is_read_beside_the_list(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        reader = app.screen.query_one(Reader)
        await until(pilot, lambda: "Velmora" in reader.document.text)
        await pilot.press("j")
        await until(pilot, lambda: "Fen tin rings" in reader.document.text)
        assert corpus_screen(app).listing.has_focus


async def test_words_are_found_inside_a_paper(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("enter")
        reader = app.screen.query_one(Reader)
        await until(pilot, lambda: reader.document.text)
        await write(pilot, "/as the keepers")
        await until(pilot, lambda: reader.scroll_offset.y > 0)
        await pilot.press("enter")
        assert reader.has_focus


async def test_passages_are_searched_and_the_one_opened_is_marked(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("m")
        await write(pilot, "lantern")
        await until(pilot, lambda: "passage" in status(pilot))
        await pilot.press("enter", "enter")
        reader = app.screen.query_one(Reader)
        await until(pilot, lambda: reader.document.marks)
        start, end = reader.document.marks[0]
        assert "lantern" in reader.document.text[start:end].lower()


async def test_the_selection_is_tagged_and_marked_private(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("space", "space")
        assert len(corpus_screen(app).listing.selection) == 2
        await pilot.press("t")
        await dialog(pilot, Prompt)
        await write(pilot, "fen")
        await pilot.press("enter")
        await until(pilot, lambda: services.corpus.count("tag:fen") == 2)
        await pilot.press("p")
        papers = services.corpus.papers()
        await until(pilot, lambda: len(services.corpus.private([p.id for p in papers])) == 2)
        assert "never leaves" in status(pilot)


async def test_papers_leave_the_corpus_only_after_a_yes(make_app: Make, services: Services) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CorpusScreen))
        assert services.corpus.totals().papers == 3
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: services.corpus.totals().papers == 2)


async def test_the_selection_becomes_examples_of_a_new_dataset(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("space", "d")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: "Into which" in str(app.screen.query_one(".frame").border_title))
        await pilot.press("j", "enter")
        await dialog(pilot, Prompt)
        await write(pilot, "summaries")
        await pilot.press("enter")
        await until(pilot, lambda: "1 examples added to summaries" in status(pilot))
        assert services.datasets.show("summaries").examples == 1


async def test_a_folder_is_added_and_what_failed_is_listed_with_its_reason(
    empty_services: Services, template: Path
) -> None:
    app = PapertuneApp(empty_services)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.has_class("-nothing"))
        await pilot.press("a")
        await dialog(pilot, Prompt)
        app.screen.query_one(Input).value = str(template / "papers")
        await pilot.press("enter")
        await until(pilot, lambda: "3 added, 1 failed · ! shows why" in status(pilot))
        await pilot.press("!")
        await until(pilot, lambda: isinstance(app.screen, ProblemsScreen))
        await until(pilot, lambda: app.screen.query_one(VirtualList).count == 1)
        row = app.screen.query_one(VirtualList).current
        assert row is not None and row.cells[0] == "broken.pdf" and row.cells[2]


async def test_a_path_that_is_not_there_is_said_in_the_dialog(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        await pilot.press("a")
        await dialog(pilot, Prompt)
        await write(pilot, "/nowhere/at/all")
        await pilot.press("enter")
        assert "nothing at /nowhere" in str(app.screen.query_one(".note").render())


async def test_a_failing_service_is_one_line_and_the_app_lives(
    make_app: Make, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")

        def broken(query: str, **_: object) -> list[Paper]:
            raise OSError("the disk is gone")

        monkeypatch.setattr(services.corpus, "papers", broken)
        await write(pilot, "/x")
        await until(pilot, lambda: "OSError" in status(pilot))
        assert app.is_running


async def test_back_is_offered_only_where_there_is_something_to_go_back_from(
    make_app: Make,
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")
        assert "Back" not in footer(pilot)
        await pilot.press("space")
        await until(pilot, lambda: "Back" in footer(pilot))


async def test_an_ingest_that_fails_is_said_and_the_progress_line_goes(
    make_app: Make, services: Services, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")

        def broken(*_: object, **__: object) -> None:
            raise UsageError("That folder cannot be read.", "Choose another.")

        monkeypatch.setattr(services.corpus, "add", broken)
        await pilot.press("a")
        await dialog(pilot, Prompt)
        app.screen.query_one(Input).value = str(template)
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be read. Choose another." in status(pilot))
        assert not app.screen.query_one(Adding).busy


async def test_rows_that_cannot_be_fetched_are_said(make_app: Make, services: Services) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: status(pilot) == "3 papers")

        class Broken:
            def rows(self, offset: int, limit: int) -> list[Row]:
                raise OSError("gone")

        corpus_screen(app).listing.show(Broken(), 10)
        await until(pilot, lambda: "OSError" in status(pilot))
