"""What each key of the chat does with answers, branches, copies and conversations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from screens.chat import ChatScreen
from screens.chat.kept import KeptView
from screens.chat.transcript import ExchangeView
from tests.mistral.faults import chunk, sse
from tests.screens.engine_double import BASE, TUNED, EngineDouble
from tests.screens.pilots import dialog, footer, status, until, write
from tests.screens.test_chat_screen import ask, asking, chat, said, shown
from tui.app import PapertuneApp
from tui.domain.chat import Answer, Arm, Source
from tui.services import Services
from widgets.composer import Composer
from widgets.dialogs import Choose, Prompt

Make = Callable[..., PapertuneApp]
CODE = "It hardens for six hours [1].\n\n```python\nhours = 6\n```\n"


def keep(services: Services, *questions: str, words: str = CODE) -> str:
    """A conversation on disk with these questions, each answered from one source."""
    conversations = services.conversations
    name = conversations.start()
    hit = services.corpus.search("Velmora resin hardens")[0]
    source = Source(1, hit.paper, hit.title, hit.passage, 1, "Results", "hardens for six hours")
    for question in questions:
        asked = conversations.asked(name, question)
        answer = Answer(words, TUNED, Arm.TUNED_SOURCES, (source,), finish_reason="stop")
        conversations.answered(name, asked, answer)
    return name


async def resume(pilot: Pilot[object]) -> ChatScreen:
    """The conversation that is on disk, gone on with."""
    screen = await chat(pilot)
    await pilot.press("c")
    await dialog(pilot, Choose)
    await pilot.press("enter")
    await until(pilot, lambda: pilot.app.screen is screen and screen.session.exchanges)
    await until(pilot, lambda: screen.transcript.last is not None)
    await pilot.pause()
    return screen


async def choose(pilot: Pilot[object], key: str, moves: int) -> None:
    """Press a key and take the line so many below the first."""
    await pilot.press(key)
    await dialog(pilot, Choose)
    await pilot.press(*["j"] * moves, "enter")


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was copied."""
    found: list[str] = []

    async def copy(_: PapertuneApp, text: str, __: str) -> None:
        found.append(text)

    monkeypatch.setattr(PapertuneApp, "copy", copy)
    return found


async def test_two_answers_stand_beside_each_other_and_a_key_says_which_is_better(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("For six hours [1].")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await choose(pilot, "b", 1)
        await until(pilot, lambda: "tuned+sources | base+sources" in asking(app))
        await ask(pilot)
        await until(pilot, lambda: "A better" in footer(pilot))
        left, right = screen.query(ExchangeView).last().views
        assert left.region.y == right.region.y and left.region.right < right.region.x + 2
        await pilot.press(">")
        await until(pilot, lambda: "Recorded: base+sources" in status(pilot))
        assert "✓ better · base+sources" in shown(screen)
    assert {asked["model"] for asked in engine.asked} == {BASE, TUNED}
    kept = services.conversations.all()[0].exchanges[0]
    assert kept.preferred == Arm.BASE_SOURCES.value
    assert services.feedback.all()[0].rating == "preferred"


async def test_blind_nobody_is_named_before_the_choice(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("For six hours [1].")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await choose(pilot, "b", 2)
        await until(pilot, lambda: "blind" in asking(app))
        await ask(pilot)
        await until(pilot, lambda: "A better" in footer(pilot))
        drawn = shown(screen)
        assert BASE not in drawn and TUNED not in drawn and "sources ·" not in drawn
        await pilot.press("<")
        await until(pilot, lambda: "✓ better" in shown(screen))
        assert "base+sources" in shown(screen) and "tuned+sources" in shown(screen)
    assert services.feedback.all()[0].blind


async def test_a_cut_answer_goes_on_where_it_was_cut(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.answers(sse(chunk("For six"), done=False), sse(chunk(" hours."), chunk("", "stop")))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "Go on" in footer(pilot))
        assert "cut short" in said(screen, ".problems")
        await pilot.press("+")
        await until(pilot, lambda: "For six hours." in shown(screen))
        await until(pilot, lambda: "Go on" not in footer(pilot))
    assert engine.asked[-1]["messages"][-1]["prefix"] is True
    assert services.conversations.all()[0].exchanges[0].answer.complete


async def test_an_edited_question_begins_a_branch_and_the_other_one_stays(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    name = keep(services, "How long?", "How loud?")
    engine.says("Brightly.")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await resume(pilot)
        await choose(pilot, "t", 0)
        composer = screen.query_one(Composer)
        await until(pilot, lambda: composer.text == "How loud?")
        composer.text = "How bright?"
        await pilot.press("enter")
        await until(pilot, lambda: len(screen.session.exchanges) == 2)
        await choose(pilot, "B", 1)
        await until(pilot, lambda: screen.session.exchanges[-1].question == "How loud?")
        await until(pilot, lambda: "How loud?" in shown(screen))
    ends = [item.exchanges[-1].question for item in services.conversations.branches(name)]
    assert ends == ["How bright?", "How loud?"]


async def test_code_and_bibtex_of_an_answer_are_copied_by_themselves(
    make_app: Make, engine: EngineDouble, services: Services, copied: list[str]
) -> None:
    keep(services, "How long?")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await resume(pilot)
        await choose(pilot, "Y", 1)
        await until(pilot, lambda: copied)
        await until(pilot, lambda: app.screen is screen)
        await choose(pilot, "Y", 2)
        await until(pilot, lambda: len(copied) == 2)
    assert copied[0] == "hours = 6\n"
    assert copied[1].startswith("@") and "Velmora resin hardens late" in copied[1]


async def test_a_conversation_is_found_by_its_words(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    wanted = keep(services, "How long?", words="For seventeen days.")
    keep(services, "How loud?", words="Very.")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await pilot.press("C")
        await dialog(pilot, Prompt)
        await write(pilot, "seventeen")
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: screen.session.id == wanted)
        await until(pilot, lambda: "For seventeen days." in shown(screen))


async def test_a_title_replaces_the_first_question_in_the_list(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    name = keep(services, "How long?")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await resume(pilot)
        await pilot.press("T")
        await dialog(pilot, Prompt)
        await pilot.press("ctrl+u")
        await write(pilot, "resin")
        await pilot.press("enter")
        await until(pilot, lambda: "Titled resin" in status(pilot))
    assert services.conversations.read(name).title == "resin"


async def test_asking_one_paper_finds_nothing_in_the_others(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("No.")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await choose(pilot, "p", 1)
        await dialog(pilot, Prompt)
        await write(pilot, "lantern")
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: screen.session.scope.kind == "paper")
        await ask(pilot, "How long does Velmora resin or lantern moss glow?")
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
        titles = {source.title for source in screen.session.exchanges[0].answer.sources}
    assert titles == {"Lantern mosses of the lower fen"}


async def test_a_conversation_becomes_notes_that_link_to_its_papers(
    make_app: Make, engine: EngineDouble, services: Services, tmp_path: Path
) -> None:
    keep(services, "How long?")
    vault = tmp_path / "vault"
    vault.mkdir()
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await resume(pilot)
        await choose(pilot, "x", 1)
        await dialog(pilot, Prompt)
        await write(pilot, str(vault))
        await pilot.press("enter")
        await until(pilot, lambda: "Written to" in status(pilot))
    notes = {path.name: path.read_text() for path in vault.rglob("*.md")}
    assert any("[[" in text and "How long?" in text for text in notes.values())


async def test_pages_lead_from_the_end_of_a_long_conversation_to_its_beginning_and_back(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    keep(services, *(f"Question number {n}?" for n in range(40)))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await resume(pilot)
        transcript = screen.transcript

        def in_sight() -> list[str]:
            seen = [view for view in (*screen.query(KeptView), *screen.query(ExchangeView))
                    if view.region.overlaps(transcript.region)]  # fmt: skip
            return [view.key for view in sorted(seen, key=lambda view: view.region.y)]

        keys = [exchange.id for exchange in screen.session.exchanges]
        await until(pilot, lambda: keys[-1] in in_sight())
        passed = in_sight()
        for _ in range(60):
            await pilot.press("pageup")
            await pilot.pause()
            passed += in_sight()
            if keys[0] in passed:
                break
        assert set(keys) <= set(passed), "every exchange comes in sight on the way up"
        assert len(screen.query(KeptView)) < 10, "only what is near is drawn"
        await pilot.press("G")
        await until(pilot, lambda: keys[-1] in in_sight())
        await pilot.press("g")
        await until(pilot, lambda: keys[0] in in_sight())
