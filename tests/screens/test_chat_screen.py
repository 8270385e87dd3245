"""Chat by keys: asking, stopping, arms, sources, feedback, and what a hostile answer can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from screens.chat import ChatScreen
from screens.chat.transcript import ExchangeView
from tests.mistral.faults import answer
from tests.screens.engine_double import BASE, TUNED, EngineDouble
from tests.screens.pilots import dialog, footer, status, until
from tui.app import PapertuneApp
from tui.domain.chat import Arm
from tui.services import Services
from tui.settings import EndpointSettings
from widgets.composer import Composer
from widgets.dialogs import Choose, Confirm
from widgets.reader import Reader

Make = Callable[..., PapertuneApp]
QUESTION = "How long does Velmora resin harden?"


async def chat(pilot: Pilot[object]) -> ChatScreen:
    """The chat, once it knows whom to ask."""
    await pilot.press("4")
    await until(pilot, lambda: isinstance(pilot.app.screen, ChatScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ChatScreen)
    await until(pilot, lambda: screen.session.card is not None)
    return screen


async def ask(pilot: Pilot[object], text: str = QUESTION) -> None:
    await pilot.press("i")
    pilot.app.screen.query_one(Composer).text = text
    await pilot.press("enter")


def shown(screen: ChatScreen) -> str:
    """The last exchange as it is drawn, line by line."""
    view = screen.query(ExchangeView).last()
    return "\n".join(
        "".join(segment.text for segment in strip)
        for widget in view.query(Widget)
        if not widget.children
        for strip in widget.render_lines(widget.size.region)
    )


def asking(app: PapertuneApp) -> str:
    """The line over the composer: who answers next."""
    lines = app.screen.query("#asking")
    return str(lines.first(Static).render()) if lines else ""


def said(screen: ChatScreen, part: str) -> str:
    return str(screen.query(ExchangeView).last().query_one(part, Static).render())


async def test_an_answer_streams_in_with_its_sources_and_is_kept(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("For six", " hours [1].")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
        assert QUESTION in shown(screen) and "For six hours [1]." in shown(screen)
        assert screen.transcript.has_focus and not screen.query_one(Composer).text
        await pilot.press("s")
        reader = screen.query_one(Reader)
        await until(pilot, lambda: "Velmora resin" in reader.document.text)
        await pilot.press("escape")
        assert screen.transcript.has_focus
    assert engine.asked[0]["model"] == TUNED
    assert "Velmora resin hardens" in engine.asked[0]["messages"][-1]["content"]
    kept = services.conversations.all()[0].exchanges[0]
    assert (kept.question, kept.answer.text) == (QUESTION, "For six hours [1].")
    assert kept.answer.complete


async def test_stopping_keeps_what_was_said_on_disk_and_closes_the_request(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("For six", hang=True)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "For six" in shown(screen))
        assert "Stop" in footer(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "cut short" in said(screen, ".problems"))
        await until(pilot, lambda: "Stop" not in footer(pilot))
    kept = services.conversations.all()[0].exchanges[0].answer
    assert kept.text == "For six" and not kept.complete
    await engine.server.asked("POST", "/v1/chat/completions")[0].closed.wait()


async def test_leaving_the_app_keeps_what_was_said_too(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("For six", hang=True)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "For six" in shown(screen))
    assert services.conversations.all()[0].exchanges[0].answer.text == "For six"


async def test_one_key_walks_through_the_four_arms(make_app: Make, engine: EngineDouble) -> None:
    engine.says("Yes.")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        arms = []
        for _ in range(5):
            arms.append(screen.session.arm)
            await pilot.press("a")
        order = [Arm.TUNED_SOURCES, Arm.TUNED, Arm.BASE_SOURCES, Arm.BASE, Arm.TUNED_SOURCES]
        assert arms == order
        assert str(screen.query_one("#asking", Static).render()) == f" tuned · {TUNED}"
        await pilot.press("a", "a")
        await ask(pilot)
        await until(pilot, lambda: "base" in said(screen, ".facts"))
    assert engine.asked[0]["model"] == BASE
    assert [turn["content"] for turn in engine.asked[0]["messages"]] == [QUESTION]


async def test_a_first_send_outside_asks_and_sends_nothing_without_a_yes(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("Six hours.")
    lab = {"lab": EndpointSettings(engine.server.url)}
    services.settings = replace(services.settings, endpoint="lab", endpoints=lab)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await dialog(pilot, Confirm)
        await pilot.press("n")
        await until(pilot, lambda: "Nothing was sent" in said(screen, ".facts"))
        assert not engine.asked
        await pilot.press("r")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
    assert services.settings.consented == ("lab",)
    exchanges = services.conversations.all()[0].exchanges
    assert [exchange.answer.text for exchange in exchanges] == ["Six hours."]


async def test_private_text_stays_out_of_what_goes_outside(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("I do not know.")
    lab = {"lab": EndpointSettings(engine.server.url)}
    services.settings = replace(
        services.settings, endpoint="lab", endpoints=lab, consented=("lab",)
    )
    services.corpus.set_private([paper.id for paper in services.corpus.papers()], True)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
    assert "hardens for six hours" not in str(engine.asked)


async def test_a_hostile_answer_is_only_text(make_app: Make, engine: EngineDouble) -> None:
    engine.says(
        "[/foo] [@click=app.quit]press[/] ", "\x1b]52;c;aGk=\x07\x1b[2J", " <|im_end|> \u202eabc",
        " [red]", " `[/b]`\n\n```\n[/x]\n```\n", " [link](javascript:alert(1)) ![i](file:///etc/passwd)"
    )  # fmt: skip
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot, "[/foo] [bold] what?")
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
        drawn = shown(screen)
        assert "[/foo] [bold] what?" in drawn and "[@click=app.quit]press[/]" in drawn
        assert not set(drawn) & {"\x1b", "\x07", "\u202e"}
        await pilot.press("c")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert app.is_running


async def test_a_refusal_leaves_the_question_to_be_asked_again(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.answers(answer({"detail": "This model is broken."}, 400))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "r asks again" in said(screen, ".facts"))
        assert "broken" in status(pilot)
        engine.says("Six hours.")
        await pilot.press("r")
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
    exchanges = services.conversations.all()[0].exchanges
    assert [exchange.answer.text for exchange in exchanges] == ["Six hours."]


async def test_without_an_engine_the_key_that_starts_it_is_named(
    make_app: Make, engine: EngineDouble
) -> None:
    engine.on = False
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "E starts the engine" in asking(app))
        await ask(pilot)
        assert app.screen.query_one(Composer).text == QUESTION
        await pilot.press("escape", "E")
        await until(pilot, lambda: TUNED in asking(app))


async def test_without_a_key_for_the_endpoint_settings_are_named(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    services.settings = replace(services.settings, endpoint="mistral")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "at mistral: see 6 Settings" in asking(app))
        await until(pilot, lambda: "no key" in status(pilot))


async def test_feedback_and_corrections_are_written_under_the_person_s_name(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.says("For nine days.")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await ask(pilot)
        await until(pilot, lambda: "tuned+sources" in said(screen, ".facts"))
        await pilot.press("f")
        await dialog(pilot, Choose)
        await pilot.press("j", "enter")
        await until(pilot, lambda: "Recorded" in status(pilot))
    kept = services.feedback.all()[0]
    assert (kept.by, kept.rating, kept.reason) == ("ada", "bad", "wrong")
    assert kept.exchange == services.conversations.all()[0].exchanges[0].id


async def test_the_keys_of_the_line_are_in_the_footer_while_one_types(
    make_app: Make, engine: EngineDouble
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await chat(pilot)
        await pilot.press("i")
        await pilot.pause()
        assert footer(pilot)[:3] == ["Send", "New line", "Keys"]
        await pilot.press("5", "ctrl+j", "a")
        assert screen.query_one(Composer).text == "5\na"
        await pilot.press("escape")
        assert screen.transcript.has_focus
        assert screen.query_one(Composer).text == "5\na"
