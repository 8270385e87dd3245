"""The line one asks from: what sends, what breaks a line, what leaves it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from screens.base import ShellApp
from tui.keymap import check
from widgets.composer import Composer


class ComposerApp(ShellApp):
    def __init__(self, **options: object) -> None:
        super().__init__(keymap=check(options))
        self.sent: list[str] = []
        self.left = 0

    def compose(self) -> ComposeResult:
        yield Composer()

    @on(Composer.Submitted)
    def note(self, event: Composer.Submitted) -> None:
        self.sent.append(event.text)

    @on(Composer.Left)
    def count(self) -> None:
        self.left += 1


async def test_enter_sends_and_the_text_stays_until_the_screen_takes_it() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        composer = app.query_one(Composer)
        composer.focus()
        await pilot.press("enter", "space", "enter")
        assert app.sent == []
        await pilot.press("o", "n", "e", "ctrl+j", "2", "space", "enter")
        await pilot.pause()
        assert app.sent == ["one\n2"]
        assert composer.text == " one\n2 "
        await pilot.press("escape")
        await pilot.pause()
        assert app.left == 1


async def test_its_keys_can_be_changed_and_enter_then_breaks_the_line() -> None:
    app = ComposerApp(**{"composer.send": "ctrl+s"})
    async with app.run_test() as pilot:
        app.query_one(Composer).focus()
        await pilot.press("a", "enter", "b", "ctrl+s")
        await pilot.pause()
        assert app.sent == ["a\nb"]


async def test_it_grows_to_six_rows_and_no_further() -> None:
    app = ComposerApp()
    async with app.run_test(size=(60, 20)) as pilot:
        composer = app.query_one(Composer)
        assert composer.size.height == 1
        composer.text = "\n".join(str(row) for row in range(30))
        await pilot.pause()
        assert composer.size.height == 6
