"""What is typed in one burst does what it does when typed slowly."""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import ComposeResult
from textual.events import Key
from textual.widgets import Input

from screens.base.typed_ahead import FLOW, TypedAheadApp
from tests.screens.pilots import until
from widgets.dialogs import Prompt


class Field(TypedAheadApp[object]):
    """A field, and a key that asks for a name after a while."""

    BINDINGS = [("f2", "ask", "Ask"), ("f3", "long", "Long")]  # noqa: RUF012 (textual's own type)
    AUTO_FOCUS = "Input"

    def __init__(self) -> None:
        super().__init__()
        self.asked = ""
        self.go = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield Input("before", select_on_focus=False)

    @work(group=FLOW)
    async def action_ask(self) -> None:
        await asyncio.to_thread(lambda: None)
        answer = await self.push_screen_wait(Prompt("Name?"))
        self.asked = answer or ""

    @work(group=FLOW)
    async def action_long(self) -> None:
        await self.go.wait()

    def burst(self, *keys: str) -> None:
        """All in one go, as one packet brings them."""
        for key in keys:
            self.post_message(Key(key, key if len(key) == 1 else None))


async def test_a_letter_behind_an_editing_key_is_kept() -> None:
    app = Field()
    async with app.run_test() as pilot:
        field = app.query_one(Input)
        await until(pilot, lambda: field.has_focus)
        app.burst("ctrl+u", "h", "e", "y", "home", "t")
        await until(pilot, lambda: field.value == "they")


async def test_a_name_typed_behind_the_key_that_asks_for_it_arrives_there() -> None:
    app = Field()
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query_one(Input).has_focus)
        app.burst("f2", "t", "e", "a", "m", "enter", "x")
        await until(pilot, lambda: app.asked == "team")
        await until(pilot, lambda: app.query_one(Input).value == "beforex")


async def test_work_that_asks_nothing_holds_no_key_for_long() -> None:
    app = Field()
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query_one(Input).has_focus)
        app.burst("f3", "a", "b")
        await until(pilot, lambda: app.query_one(Input).value == "beforeab")
        app.go.set()


async def test_a_key_whose_widget_goes_away_blocks_nothing() -> None:
    app = Field()
    async with app.run_test() as pilot:
        field = app.query_one(Input)
        await until(pilot, lambda: field.has_focus)
        await app.mount(Input(id="second"))
        app.burst("a")
        await field.remove()
        app.query_one("#second", Input).focus()
        app.burst("b", "c")
        await until(pilot, lambda: app.query_one("#second", Input).value.endswith("bc"))
