"""Composing, checking, comparing and exporting by keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from screens.datasets import DatasetsScreen
from screens.datasets.findings import FindingsScreen
from screens.datasets.lengths import histogram
from screens.datasets.report import ReportScreen
from screens.datasets.review import ReviewScreen
from tests.screens.engine_double import BASE, EngineDouble
from tests.screens.pilots import choose, dialog, status, until, write
from tui.app import PapertuneApp
from tui.domain.example import Kind, Status
from tui.services import Services
from widgets.dialogs import Prompt
from widgets.reader import Reader
from widgets.virtual_list import VirtualList
from widgets.writing_form import Lines, WritingForm

Make = Callable[..., PapertuneApp]


async def to_datasets(pilot: Pilot[Any]) -> None:
    await pilot.press("2")
    await until(pilot, lambda: isinstance(pilot.app.screen, DatasetsScreen))
    await until(pilot, lambda: status(pilot) == "1 dataset")


async def answer(pilot: Pilot[Any], title: str, text: str) -> None:
    """Wait for a question and answer it."""

    def asked() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, Prompt) and title in str(screen.query_one(".frame").border_title)

    await until(pilot, asked)
    await dialog(pilot, Prompt)
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")


def accept_all(services: Services) -> list[str]:
    ids = services.datasets.ids("answers", status=Status.DRAFT)
    services.datasets.decide("answers", ids, Status.ACCEPTED)
    return ids


async def test_a_pair_is_typed_beside_a_passage_that_a_search_found(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("a")
        await choose(pilot, "Add to answers", "A pair, typed")
        await answer(pilot, "Which passage", "resin hardens")
        await choose(pilot, "Which passage", "hardens for six hours")
        await dialog(pilot, WritingForm)
        form = app.screen
        assert "hardens for six hours" in form.query_one(Reader).document.text
        await write(pilot, "When is Velmora resin hard")
        await pilot.press("tab")
        await write(pilot, "After six hours")
        await pilot.press("tab")
        await write(pilot, "six hours")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "hardens" in form.query_one("#quote", Lines).text)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "1 added to answers" in status(pilot))
        [made] = [e for e in services.datasets.examples("answers") if "When is" in e.question]
        assert made.verified and made.author == "ada" and made.status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("way", "kind", "questions"),
    [("Summaries", Kind.SUMMARY, 1), ("Full text", Kind.FULL_TEXT, 2)],
)
async def test_papers_of_a_search_become_examples(
    make_app: Make, services: Services, way: str, kind: Kind, questions: int
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("a")
        await choose(pilot, "Add to answers", way)
        await answer(pilot, "Which papers", "title:bells")
        if questions == 2:
            await answer(pilot, "How long", "256")
        await until(pilot, lambda: "added to answers" in status(pilot))
        found = services.datasets.examples("answers", kind=kind)
        assert found and len({example.paper for example in found}) == 1


async def test_accepted_pairs_get_sources(make_app: Make, services: Services) -> None:
    accept_all(services)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("a")
        await choose(pilot, "Add to answers", "with sources")
        await answer(pilot, "with sources", "100 0 1")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert services.datasets.count("answers", kind=Kind.RETRIEVAL) > 0
        assert "No split has set papers apart" in app.screen.query_one(Reader).document.text


async def test_a_file_in_another_form_comes_in_as_drafts_with_each_refusal_told(
    make_app: Make, services: Services, tmp_path: Path
) -> None:
    path = tmp_path / "alpaca.jsonl"
    lines = [
        {"instruction": "What is tin?", "input": "", "output": "A metal of the fen."},
        {"instruction": "No answer follows", "input": ""},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("a")
        await choose(pilot, "Add to answers", "another form")
        await answer(pilot, "Import", str(path))
        await choose(pilot, "In which form", "alpaca")
        await choose(pilot, "How does it come in", "As drafts")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert "line 2" in app.screen.query_one(Reader).document.text
        assert services.datasets.count("answers", status=Status.DRAFT) == 4


async def test_what_is_accepted_is_exported_and_no_file_replaced_unasked(
    make_app: Make, services: Services, tmp_path: Path
) -> None:
    accept_all(services)
    path = tmp_path / "out.jsonl"
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("E")
        await choose(pilot, "In which form", "alpaca")
        await answer(pilot, "To which file", str(path))
        await until(pilot, lambda: "3 written to" in status(pilot))
        assert len(path.read_text(encoding="utf-8").splitlines()) == 3
        path.write_text("mine", encoding="utf-8")
        await pilot.press("E")
        await choose(pilot, "In which form", "alpaca")
        await answer(pilot, "To which file", str(path))
        await until(
            pilot,
            lambda: "Replace out.jsonl" in str(app.screen.query(".frame").first().border_title),
        )
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DatasetsScreen))
        assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_finding_leads_to_its_example_and_the_check_is_made_again_after_it(
    make_app: Make, services: Services, size: tuple[int, int]
) -> None:
    ids = accept_all(services)
    with services.workspace.transaction() as connection:
        connection.execute("UPDATE example SET key_phrase = 'nine' WHERE id = ?", (ids[1],))
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await to_datasets(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        listing = app.screen.query_one(VirtualList)
        report = app.screen.query_one(Reader).document.text
        assert "Tokens an example" in report and "█" in report and "What to do" in report
        codes = [listing.row(n) for n in range(listing.count)]
        place = next(n for n, row in enumerate(codes) if row and row.cells[0] == "key-phrase")
        await pilot.press(*"j" * place, "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        await until(pilot, lambda: screen.queue.current and screen.queue.current.id == ids[1])
        await pilot.press("r", "w", "escape")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await until(pilot, lambda: listing.count == len(codes) - 1)


async def test_a_file_is_checked_its_lines_shown_and_a_mended_copy_written(
    make_app: Make, tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    turns = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "Tin."}]
    good = json.dumps({"messages": turns})
    path.write_bytes(f"{good}\r\nnot json\r\n".encode())
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("C")
        await answer(pilot, "Check a training file", str(path))
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert app.screen.query_one(Reader).document.text == "not json"
        await pilot.press("escape", "m")
        await answer(pilot, "Mend it", str(tmp_path / "mended.jsonl"))
        await until(pilot, lambda: "Written: mended.jsonl" in status(pilot))
        assert json.loads((tmp_path / "mended.jsonl").read_text(encoding="utf-8"))["messages"]
        assert "left out: 1" in app.screen.query_one(Reader).document.text
        assert path.read_bytes().endswith(b"not json\r\n")


async def test_versions_show_their_cards_and_what_changed(
    make_app: Make, services: Services
) -> None:
    ids = accept_all(services)
    services.datasets.split("answers", transfer=0, memory=0)
    services.datasets.freeze("answers")
    services.datasets.decide("answers", ids[:1], Status.REJECTED)
    services.datasets.freeze("answers")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("V")
        await choose(pilot, "Versions of answers", "answers@v2")
        await choose(pilot, "answers@v2", "Its card")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert "answers v2" in app.screen.query_one(Reader).document.text
        await pilot.press("escape", "V")
        await choose(pilot, "Versions of answers", "answers@v2")
        await choose(pilot, "answers@v2", "from answers@v1")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        assert "0 added, 1 removed" in app.screen.query_one(Reader).document.text


async def test_what_training_a_model_takes_is_estimated_with_its_own_tokenizer(
    make_app: Make, services: Services, engine: EngineDouble
) -> None:
    assert engine.on
    accept_all(services)
    services.datasets.split("answers", transfer=0, memory=0)
    services.datasets.freeze("answers")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("t")
        await choose(pilot, "Train which model", BASE)
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        text = app.screen.query_one(Reader).document.text
        assert "steps           8" in text and "nothing: a device of ours" in text
        await pilot.press("escape", "c")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await pilot.press("t")
        await choose(pilot, "Count tokens as", BASE)
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, FindingsScreen)
                and f"as {BASE} counts" in app.screen.query_one(Reader).document.text
            ),
        )


def test_a_histogram_counts_everything_and_marks_where_training_cuts() -> None:
    lines = histogram([10, 20, 480, 490, 700], 512)
    assert len(lines) <= 13 and all(len(line) < 76 for line in lines)
    assert sum("cut at 512" in line for line in lines) == 1
    told = " ".join(line.partition("  ")[2].replace("← cut at 512", "") for line in lines)
    assert sum(int(part) for part in told.split() if part.isdigit()) == 5
    assert histogram([]) == []
