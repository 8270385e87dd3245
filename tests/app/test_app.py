"""The frame: modes, help, palette, themes, size, faults, the guide."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.color import Color
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from screens.base import BaseScreen, ShellApp
from screens.base.clipboard import copy
from screens.base.help import HelpScreen
from screens.base.line_filter import ControlFilter
from screens.base.palette import Palette
from screens.base.too_small import TooSmall
from screens.welcome.screen import WelcomeScreen
from screens.welcome.start import Start
from tests.screens.pilots import footer, status, until, write
from tui.app import PapertuneApp, WelcomeApp
from tui.domain.errors import UsageError
from tui.keymap import Keymap, check
from tui.services import Services
from tui.settings import Settings, load_settings
from tui.storage.locations import state_dir
from tui.storage.workspace import Workspace
from widgets.status import GuideBar, GuideStep, ModeBar, Tone


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    root = tmp_path / "team"
    made = Services(Workspace.open(root), Settings(workspace=root))
    yield made
    made.close()


async def at_corpus(pilot: Pilot[object]) -> None:
    await until(pilot, lambda: status(pilot) == "0 papers")


async def test_help_shows_the_keys_in_force_nearest_first(services: Services) -> None:
    keymap = check({"corpus.add": "A"})
    app = PapertuneApp(services, keymap=keymap)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = str(app.screen.query_one(Static).render())
        assert re.search(r"^  A +Add papers", text, re.MULTILINE)
        assert text.index("Corpus") < text.index("Everywhere")
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)


async def test_a_remapped_key_works_and_the_old_one_does_not(services: Services) -> None:
    app = PapertuneApp(services, keymap=check({"app": {"help": "f1"}}))
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        await pilot.press("question_mark")
        assert not isinstance(app.screen, HelpScreen)
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen)


async def test_a_keymap_that_cannot_be_used_is_said_at_the_start(services: Services) -> None:
    app = PapertuneApp(services, keymap=check({"corpus.ad": "A"}))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Did you mean corpus.add?" in status(pilot))


async def test_the_palette_runs_an_action_by_its_words(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        await write(pilot, "Theme papertune-light")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: app.theme == "papertune-light")
        await until(pilot, lambda: load_settings().theme == "papertune-light")


@pytest.mark.parametrize("name", ["papertune-dark", "papertune-light", "papertune-ansi"])
async def test_every_theme_draws_every_widget(services: Services, name: str) -> None:
    app = PapertuneApp(services, theme=name)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.is_running and app.theme == name


async def test_a_small_terminal_keeps_the_screen_for_later(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        await pilot.press("slash")
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not isinstance(app.screen, TooSmall))
        assert app.focused is not None and app.focused.id == "filter"


async def test_the_footer_fits_and_names_the_help(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        assert {"Add", "Filter", "Help"} <= set(footer(pilot))


async def test_a_fault_is_logged_without_local_variables(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    class Faulty(PapertuneApp):
        def action_theme(self) -> None:
            secret = "sk-very-secret"
            raise RuntimeError(f"{len(secret)} letters")

    app = Faulty(services)
    with pytest.raises(RuntimeError):
        async with app.run_test(size=(80, 24)) as pilot:
            await at_corpus(pilot)
            await pilot.press("ctrl+t")
            await pilot.pause()
    log = (state_dir() / "faults.log").read_text()
    assert "RuntimeError: 14 letters" in log
    printed = capsys.readouterr().err
    assert "fault of its own" in printed and "sk-very-secret" not in printed + log


async def test_an_error_of_ours_is_shown_as_it_is(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        app.report(UsageError("That is \x1b[2Jwrong.", "Do this."))
        await until(pilot, lambda: "wrong. Do this." in status(pilot))
        assert "\x1b" not in status(pilot)


async def test_the_guide_is_shown_with_its_key_and_goes_when_it_ends(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        bar = app.screen.query_one(GuideBar)
        assert not bar.display
        app.show_guide(GuideStep(3, 9, "Split it " * 20, "s"))
        await until(pilot, lambda: bar.display)
        shown = str(bar.render())
        assert shown.startswith(" Step 3 of 9: ") and shown.endswith("press s")
        assert len(shown) <= 80
        app.show_guide(None)
        await until(pilot, lambda: not bar.display)


async def test_facts_reach_a_screen_that_is_opened_later(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_corpus(pilot)
        app.set_status(workspace="renamed")
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query_one(ModeBar).workspace == "renamed")


async def test_hostile_text_is_plain_text_in_every_widget_that_shows_it() -> None:
    hostile = "[/foo] [@click=app.quit]x[/] \x1b]52;c;aGk=\x07"

    class One(BaseScreen[None]):
        def compose_body(self) -> ComposeResult:
            yield Static(Content(hostile))

    class Host(ShellApp):
        DEFAULT_MODE = "one"

        def __init__(self) -> None:
            super().__init__()
            self.add_mode("one", One)

    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        app.flash(hostile, Tone.ERROR)
        app.set_status(job=hostile, endpoint=hostile, workspace=hostile)
        app.show_guide(GuideStep(1, 2, hostile, "a"))
        app.notify(hostile)
        await pilot.pause()
        assert app.is_running
        assert "[@click=app.quit]" in app.export_screenshot().replace("&#160;", " ")


def test_the_filter_drops_controls_and_links_and_keeps_the_width() -> None:
    unsafe = "a\x1b]52;c;x\x07b\u202ec\x9b31m\x7f"
    style = Style(link="http://x/\x1b[2J", bold=True)
    done = ControlFilter().apply([Segment(unsafe, style)], Color.parse("black"))
    assert done[0].text == "a]52;c;xbc31m"
    assert done[0].style is not None and done[0].style.link is None and done[0].style.bold
    safe = [Segment("fine")]
    assert ControlFilter().apply(safe, Color.parse("black")) is safe


async def test_outside_tmux_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    taken: list[str] = []
    assert "OSC 52" in await copy("words", taken.append)
    assert taken == ["words"]


async def test_where_tmux_does_not_answer_the_terminal_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMUX", "/nowhere,1,0")
    monkeypatch.setenv("PATH", str(tmp_path))
    taken: list[str] = []
    assert "OSC 52" in await asyncio.wait_for(copy("words", taken.append), 10)
    assert taken == ["words"]


async def test_the_welcome_ends_with_what_was_chosen(tmp_path: Path) -> None:
    suggested = Start(tmp_path / "papertune")
    app = WelcomeApp(suggested=suggested)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await pilot.press("s")
    assert app.return_value == Start(tmp_path / "papertune", guided=True)


async def test_the_welcome_takes_a_folder_of_papers(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    app = WelcomeApp(suggested=Start(tmp_path / "papertune"), keymap=Keymap({}))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await pilot.press("p")
        await pilot.pause()
        await write(pilot, str(tmp_path / "nothing"))
        await pilot.press("enter")
        assert "nothing at" in str(app.screen.query_one(".note").render())
        app.screen.query_one("Input").value = str(papers)  # type: ignore[attr-defined]
        await pilot.press("enter")
    assert app.return_value == Start(tmp_path / "papertune", papers=papers, guided=True)


async def test_the_mode_bar_names_every_key_in_the_smallest_terminal(services: Services) -> None:
    app = PapertuneApp(services)
    async with app.run_test(size=(60, 16)) as pilot:
        await at_corpus(pilot)
        words = str(app.screen.query_one(ModeBar).render())
        assert len(words) <= 60
        assert words.split()[:7] == ["1", "Corpus", "2", "3", "4", "5", "6"]
