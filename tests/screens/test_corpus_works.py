"""The corpus by keys: orders, facets, saved searches, works joined, examples of a selection."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from screens.corpus import CorpusScreen
from screens.corpus.problems import ProblemsScreen
from tests.screens.pilots import choose, dialog, status, until, write
from tui.app import PapertuneApp
from tui.domain.example import Kind
from tui.services import Services
from widgets.dialogs import Choose, Prompt
from widgets.reader import Reader
from widgets.virtual_list import VirtualList
from widgets.writing_form import Lines, WritingForm

Make = Callable[..., PapertuneApp]


def titles(app: PapertuneApp) -> list[str]:
    listing = app.screen.query_one(VirtualList)
    rows = [listing.row(index) for index in range(listing.count)]
    return [row.cells[0] for row in rows if row is not None]


async def listed(pilot: Pilot[Any], count: int = 3) -> None:
    await until(pilot, lambda: status(pilot) == f"{count} papers")


async def test_the_list_is_put_into_an_order_and_turned_round(make_app: Make) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("s")
        await choose(pilot, "Order", "Title")
        await until(pilot, lambda: titles(app) == sorted(titles(app)))
        await until(pilot, lambda: "by title ↑" in str(app.screen.query_one("#scope").render()))
        upwards = titles(app)
        await pilot.press("s")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: titles(app) == upwards[::-1])


async def test_a_facet_goes_into_the_filter_and_the_search_is_saved_and_taken_again(
    make_app: Make, services: Services
) -> None:
    paper = services.corpus.papers()[0]
    services.corpus.tag([paper.id], add=["tin craft"])
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("f")
        await choose(pilot, "Narrow by", "Tag")
        await choose(pilot, "Tag", "tin craft")
        await until(pilot, lambda: status(pilot) == "1 of 3 papers")
        assert app.screen.query_one("#filter", Input).value == 'tag:"tin craft"'
        await pilot.press("l")
        await choose(pilot, "Saved searches", "Save this search")
        await dialog(pilot, Prompt)
        await write(pilot, "craft")
        await pilot.press("enter")
        await until(pilot, lambda: [s.name for s in services.corpus.saved()] == ["craft"])
        await pilot.press("escape")
        await listed(pilot)
        await pilot.press("l")
        await choose(pilot, "Saved searches", "craft")
        await until(pilot, lambda: status(pilot) == "1 of 3 papers")


async def test_two_papers_become_one_work_and_undo_takes_it_back(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("M")
        await until(pilot, lambda: "Select two papers" in status(pilot))
        await pilot.press("space", "space", "M")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: services.corpus.totals().papers == 2)
        await until(pilot, lambda: app.screen.query_one(VirtualList).count == 2)
        await pilot.press("u")
        await until(pilot, lambda: services.corpus.totals().papers == 3)
        await until(pilot, lambda: app.screen.query_one(VirtualList).count == 3)


async def selecting(app: PapertuneApp, pilot: Pilot[Any], words: str) -> Reader:
    """Open the first paper and select the paragraph that holds `words`."""
    await listed(pilot)
    await pilot.press("enter")
    reader = app.screen.query_one(Reader)
    await until(pilot, lambda: words in reader.document.text)
    await pilot.press("g", "v")
    for _ in range(30):
        assert reader.chosen is not None
        if words in reader.document.text[slice(*reader.chosen)]:
            return reader
        await pilot.press("j")
    raise AssertionError(f"{words} is in no paragraph")


async def test_a_question_is_typed_beside_the_selected_words(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await selecting(app, pilot, "hardens for six hours")
        await pilot.press("d")
        await choose(pilot, "From the selection", "Question and answer")
        await dialog(pilot, WritingForm)
        form = app.screen
        assert "hardens for six hours" in form.query_one(Reader).document.text
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "question is missing" in str(form.query_one(".note").render()))
        await write(pilot, "How long does it harden")
        await pilot.press("tab")
        await write(pilot, "For six hours")
        await pilot.press("tab")
        await write(pilot, "six hours")
        await pilot.press("ctrl+s")
        quote = form.query_one("#quote", Lines)
        await until(pilot, lambda: "hardens for six hours" in quote.text)
        await pilot.press("ctrl+s")
        await choose(pilot, "Into which dataset", "answers")
        await until(pilot, lambda: "Added to answers" in status(pilot))
        found = services.datasets.examples("answers", kind=Kind.QA)
        [made] = [e for e in found if e.question == "How long does it harden"]
        assert made.verified and made.key_phrase == "six hours" and made.author == "ada"


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_selected_words_are_taken_as_they_stand(
    make_app: Make, services: Services, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        reader = await selecting(app, pilot, "hardens for six hours")
        await pilot.press("d")
        await choose(pilot, "From the selection", "Full text")
        await choose(pilot, "Into which dataset", "answers")
        await until(pilot, lambda: "Added to answers" in status(pilot))
        assert reader.chosen is None
        [made] = services.datasets.examples("answers", kind=Kind.FULL_TEXT)
        assert "hardens for six hours" in made.text


async def test_a_problem_says_what_to_do_and_leads_to_its_paper(
    empty_services: Services, template: Path, tmp_path: Path
) -> None:
    corpus = empty_services.corpus
    papers = shutil.copytree(template / "papers", tmp_path / "papers")
    corpus.add([papers])
    paper = corpus.papers()[0]
    corpus.files(paper.id)[0].unlink()
    corpus.add([papers])
    app = PapertuneApp(empty_services)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("!")
        await until(pilot, lambda: isinstance(app.screen, ProblemsScreen))
        await until(pilot, lambda: app.screen.query_one(VirtualList).count == 2)
        await pilot.press("f")
        await choose(pilot, "Which kind", "missing")
        await until(pilot, lambda: app.screen.query_one(VirtualList).count == 1)
        detail = app.screen.query_one("#detail", Static)
        await until(pilot, lambda: "add the folder it is in now" in str(detail.render()))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CorpusScreen))
        await until(pilot, lambda: status(pilot) == "1 of 3 papers")
        assert titles(app) == [paper.title]
