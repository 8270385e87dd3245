"""The conversation on the screen: questions, answers as they come, what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import ItemGrid, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from screens.chat.kept import KeptView
from screens.chat.told import REFUSAL, asked, facts, label, notes, problems
from tui.chat.cite import marked
from tui.domain.chat import Answer, Exchange
from tui.keymap import bindings
from widgets.streamed import Growing, Streamed

# Streams are coalesced: words that come faster than this are drawn together.
_FLUSH_SECONDS = 0.4
WINDOW = 6
"""Exchanges drawn at once; the others come when one scrolls to them, so a long conversation is as
light as a short one."""
_SIDES = "AB"


class AnswerView(Growing, Vertical):
    """One arm's answer: words as they come, then what is wrong and what it took."""

    DEFAULT_CSS = """
    AnswerView { height: auto; width: 1fr; }
    AnswerView > Streamed { margin-bottom: 1; }
    AnswerView > .facts { height: auto; color: $muted; }
    AnswerView > .refusal { height: auto; color: $accent; display: none; }
    AnswerView.-refused > .refusal { display: block; }
    AnswerView > .problems { height: auto; color: $warning; display: none; }
    AnswerView.-problems > .problems { display: block; }
    AnswerView > .notes { height: auto; color: $muted; display: none; }
    AnswerView.-notes > .notes { display: block; }
    """

    def __init__(self, side: int = 0) -> None:
        super().__init__()
        self.side = side
        self._pending = ""
        self._flushed = 0.0
        self._text = ""
        # Held rather than asked for: an answer may be shown before its parts are mounted.
        self._words = Streamed()
        self._told = {name: Static(classes=name) for name in ("problems", "notes", "facts")}

    def compose(self) -> ComposeResult:
        """Words, verdicts, facts."""
        yield self._words
        yield Static(Content(REFUSAL), classes="refusal")
        yield from self._told.values()

    def add(self, text: str) -> None:
        """Some more words of the answer; drawn at most every `_FLUSH_SECONDS`."""
        self._pending += text
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Draw what came since."""
        if self._pending:
            pending, self._pending = self._pending, ""
            self._flushed = time.monotonic()
            self._text += pending
            self._words.append(pending)

    def finish(self, answer: Answer, *, hidden: str = "") -> None:
        """Show the whole answer with its facts and problems; `hidden` is shown for the facts."""
        self._pending = ""
        text = marked(answer.text, answer.flaws)
        if text != self._text.strip():
            self._text = text
            self._words.update(text)
        self.set_class(answer.refused, "-refused")
        self._lines("problems", problems(answer))
        self._lines("notes", notes(answer))
        self.say(hidden or facts(answer))

    def say(self, words: str) -> None:
        """A line under the answer."""
        self._told["facts"].update(Content(words))

    def _lines(self, name: str, lines: Sequence[str]) -> None:
        self.set_class(bool(lines), f"-{name}")
        self._told[name].update(Content("\n".join(lines)))


class ExchangeView(Growing, Vertical):
    """One question with its answer, or with two beside each other."""

    DEFAULT_CSS = """
    ExchangeView { height: auto; padding: 0 1 1 1; }
    ExchangeView > .asked { height: auto; color: $accent; text-style: bold; }
    ExchangeView > .sides { height: auto; grid-size: 2; grid-gutter: 0 1; }
    ExchangeView > .sides > AnswerView.-second { border-left: solid $line; padding-left: 1; }
    """

    def __init__(self, question: str, key: str = "", sides: int = 1, label: str = "") -> None:
        super().__init__()
        self._question = question
        self._label = label
        self.key = key
        self.views = [AnswerView(side) for side in range(sides)]
        if sides > 1:
            self.views[1].add_class("-second")

    def compose(self) -> ComposeResult:
        """Question, then the answers."""
        words = Content(asked(self._question))
        if self._label:
            words = Content.assemble(words, (f"  {self._label}", "$muted"))
        yield Static(words, classes="asked")
        if len(self.views) == 1:
            yield self.views[0]
            return
        # A grid stretches the shorter answer, and so the line between them.
        with ItemGrid(classes="sides"):
            yield from self.views

    def add(self, text: str, side: int = 0) -> None:
        """Some more words of a side."""
        self.views[side].add(text)

    def finish(self, answer: Answer, side: int = 0, *, blind: bool = False) -> None:
        """Show the whole answer of a side; blind, not who gave it."""
        hidden = f"{_SIDES[side]} · < or > says which is better" if blind else ""
        self.views[side].finish(answer, hidden=hidden)

    def show(self, exchange: Exchange, *, blind: bool = False) -> None:
        """Show an exchange as it is kept."""
        self.finish(exchange.answer, blind=blind)
        if exchange.other is not None and len(self.views) > 1:
            self.finish(exchange.other, 1, blind=blind)
        if exchange.preferred and exchange.other is not None:
            for view, answer in zip(self.views, (exchange.answer, exchange.other), strict=True):
                chosen = answer.arm.value == exchange.preferred
                view.say(("✓ better · " if chosen else "") + facts(answer))

    def say(self, words: str, side: int | None = None) -> None:
        """A line under an answer, or under all."""
        for view in self.views:
            if side is None or view.side == side:
                view.say(words)


class Transcript(Growing, VerticalScroll, can_focus=True):
    """The exchanges of a conversation, the newest at the bottom; only some are drawn at a time."""

    BINDINGS = bindings("transcript")
    DEFAULT_CSS = """
    Transcript {
        height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-y: scroll;
    }
    Transcript > .hint { padding: 1 2; color: $muted; height: auto; }
    """

    @dataclass
    class Wanted(Message):
        """The person scrolled to exchanges that are not drawn: `step` up (-1) or down (1)."""

        step: int

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._exchanges: list[Exchange] = []
        self._first = 0
        self._moving = False

    async def show(self, exchanges: Sequence[Exchange], hint: str) -> None:
        """Show the end of a conversation, or the hint where there is none."""
        self._exchanges = list(exchanges)
        with self.app.batch_update():
            await self.remove_children()
            await self._draw(max(0, len(self._exchanges) - WINDOW), hint=hint)
        self.anchor()

    async def _draw(self, first: int, hint: str = "") -> None:
        """Draw `WINDOW` exchanges from the `first`; those that are drawn already stay."""
        self.anchor(False)
        self._first = first
        shown = self._exchanges[first : first + WINDOW]
        wanted = {exchange.id for exchange in shown}
        above, below = first, len(self._exchanges) - first - len(shown)
        with self.app.batch_update():
            await self.remove_children(
                [v for v in self.children if getattr(v, "key", None) not in (*wanted, "")]
            )
            drawn = {v.key: v for v in self.children if isinstance(v, (KeptView, ExchangeView))}
            # What is under way belongs to the end, and waits unseen while that is not drawn.
            under_way = drawn.pop("", None)
            if under_way is not None:
                under_way.display = not below
            for ended in drawn.values():
                ended.display = True
            views = [drawn.get(exchange.id) or self._view(exchange) for exchange in shown]
            top = next((v for v in views if v.is_attached), under_way)
            at = next((n for n, v in enumerate(views) if v.is_attached), len(views))
            before: list[Widget] = [*views[:at]]
            after: list[Widget] = [v for v in views[at:] if not v.is_attached]
            if above:
                before = [_hint(f"↑ {above} earlier exchanges"), *before]
            if below:
                after = [*after, _hint(f"↓ {below} later exchanges")]
            if not shown and hint:
                before = [_hint(hint)]
            await self.mount_all(before, before=top)
            await self.mount_all(after, before=under_way)

    def _view(self, exchange: Exchange) -> KeptView | ExchangeView:
        """An exchange drawn: whole where somebody may still say something of it."""
        if exchange.other is None and exchange.id != self._exchanges[-1].id:
            return KeptView(exchange)
        view = ExchangeView(
            exchange.question, exchange.id, 2 if exchange.other is not None else 1, label(exchange)
        )
        view.show(exchange)
        return view

    async def move(self, step: int) -> None:
        """Draw the window half a window further up or down, what was in sight staying in sight."""
        most = max(0, len(self._exchanges) - WINDOW)
        first = min(most, max(0, self._first + step * (WINDOW // 2)))
        if first == self._first or self._moving:
            return
        self._moving = True
        try:
            edge = self._exchanges[self._first if step < 0 else self._first + WINDOW - 1].id
            await self._draw(first)
            view = next((v for v in self.children if getattr(v, "key", None) == edge), None)
            if view is not None:
                self.call_after_refresh(
                    self.scroll_to_widget, view, animate=False, top=step < 0, immediate=True
                )
        finally:
            self._moving = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more where an end of what is drawn comes in sight."""
        super().watch_scroll_y(old_value, new_value)
        if self._moving or not self._exchanges:
            return
        if new_value < old_value and new_value <= 0 and self._first > 0:
            self.post_message(self.Wanted(-1))
        last = self._first + WINDOW >= len(self._exchanges)
        if new_value > old_value and new_value >= self.max_scroll_y and not last:
            self.post_message(self.Wanted(1))

    async def on_transcript_wanted(self, event: Wanted) -> None:
        """Draw what was scrolled to."""
        event.stop()
        await self.move(event.step)

    async def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:  # noqa: ARG002
        """At the top the wheel asks for earlier exchanges too."""
        if self.scroll_y <= 0 and self._first > 0:
            await self.move(-1)

    async def _step(self, step: int) -> None:
        """At an end of what is drawn a key asks for what is beyond it: nothing scrolls there."""
        if step < 0:
            self.anchor(False)
        at_end = self.scroll_y <= 0 if step < 0 else self.scroll_y >= self.max_scroll_y
        if at_end:
            await self.move(step)

    async def action_scroll_up(self) -> None:  # type: ignore[override]
        """One line up."""
        await self._step(-1)
        super().action_scroll_up()

    async def action_page_up(self) -> None:  # type: ignore[override]
        """One page up."""
        await self._step(-1)
        super().action_page_up()

    async def action_scroll_down(self) -> None:  # type: ignore[override]
        """One line down."""
        await self._step(1)
        super().action_scroll_down()

    async def action_page_down(self) -> None:  # type: ignore[override]
        """One page down."""
        await self._step(1)
        super().action_page_down()

    async def action_scroll_home(self) -> None:  # type: ignore[override]
        """To the very beginning."""
        if self._first:
            await self._draw(0)
        self.scroll_home(animate=False)

    async def action_scroll_end(self) -> None:  # type: ignore[override]
        """To the very end."""
        last = max(0, len(self._exchanges) - WINDOW)
        if self._first != last:
            await self._draw(last)
        self.anchor()
        self.scroll_end(animate=False)

    async def begin(self, question: str, *, sides: int = 1, label: str = "") -> ExchangeView:
        """A new exchange at the bottom, which the view then follows."""
        last = max(0, len(self._exchanges) - WINDOW + 1)
        if self._first != last and self._exchanges:
            await self._draw(last)
        for hint in self.query(".hint"):
            if not self._exchanges:
                await hint.remove()
        view = ExchangeView(question, sides=sides, label=label)
        await self.mount(view)
        self.anchor()
        return view

    def kept(self, exchanges: Sequence[Exchange], view: ExchangeView) -> None:
        """What is kept of the conversation now; `view` shows the last of it."""
        self._exchanges = list(exchanges)
        view.key = exchanges[-1].id if exchanges else ""

    @property
    def last(self) -> ExchangeView | None:
        """The view of the exchange asked last, where it is drawn."""
        views = list(self.query(ExchangeView))
        newest = self._exchanges[-1].id if self._exchanges else ""
        return views[-1] if views and views[-1].key in (newest, "") else None


def _hint(words: str) -> Static:
    return Static(Content(words), classes="hint")
