"""The conversation on the screen: questions, answers as they come, what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.chat.cite import marked
from tui.domain.chat import Answer, Exchange
from tui.keymap import bindings
from tui.text import clean, shorten
from widgets.streamed import Streamed

# Streams are coalesced: words that come faster than this are drawn together.
_FLUSH_SECONDS = 0.25
WINDOW = 6
"""Exchanges drawn at once; the others come when one scrolls to them, so a long conversation is as
light as a short one."""
_LONGEST_QUESTION = 2000
_SIDES = "AB"


class AnswerView(Vertical):
    """One arm's answer: words as they come, then what is wrong and what it took."""

    DEFAULT_CSS = """
    AnswerView { height: auto; width: 1fr; }
    AnswerView > .facts {
        height: 1; color: $muted; text-wrap: nowrap; text-overflow: ellipsis;
    }
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
        yield Static(
            Content("The sources do not hold the answer. These are the nearest passages."),
            classes="refusal",
        )
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
        problems = [clean(problem) for problem in answer.problems]
        if not answer.complete and answer.model:
            problems.insert(0, "This answer was cut short: what stands here is partial.")
        elif answer.finish_reason == "length":
            problems.insert(0, "The answer was longer than it may be.")
        self.set_class(answer.refused, "-refused")
        self._lines("problems", problems, "! ")
        self._lines("notes", [clean(note) for note in answer.notes], "· ")
        self.say(hidden or facts(answer))

    def say(self, words: str) -> None:
        """A line under the answer."""
        self._told["facts"].update(Content(words))

    def _lines(self, name: str, lines: Sequence[str], mark: str) -> None:
        self.set_class(bool(lines), f"-{name}")
        words = "\n".join(f"{mark}{line}" for line in lines)
        self._told[name].update(Content(words))


class ExchangeView(Vertical):
    """One question with its answer, or with two beside each other."""

    DEFAULT_CSS = """
    ExchangeView { height: auto; padding: 0 1 1 1; }
    ExchangeView > .asked { height: auto; color: $accent; text-style: bold; }
    ExchangeView > .sides { height: auto; }
    ExchangeView > .sides > AnswerView:last-of-type.-second {
        border-left: solid $line; padding-left: 1;
    }
    .-narrow ExchangeView > .sides { layout: vertical; }
    .-narrow ExchangeView > .sides > AnswerView:last-of-type.-second {
        border-left: none; padding-left: 0; border-top: solid $line;
    }
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
        asked = clean(self._question)
        if len(asked) > _LONGEST_QUESTION:
            asked = f"{asked[:_LONGEST_QUESTION]}… ({len(asked):,} characters)"
        words = Content(f"› {asked}")
        if self._label:
            words = Content.assemble(words, (f"  {self._label}", "$muted"))
        yield Static(words, classes="asked")
        with Horizontal(classes="sides"):
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


class Transcript(VerticalScroll, can_focus=True):
    """The exchanges of a conversation, the newest at the bottom; only some are drawn at a time."""

    BINDINGS = bindings("transcript")
    DEFAULT_CSS = """
    Transcript { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
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
        await self._draw(max(0, len(self._exchanges) - WINDOW), hint=hint)
        self.anchor()

    async def _draw(self, first: int, hint: str = "") -> None:
        """Draw `WINDOW` exchanges from the `first`."""
        self.anchor(False)
        self._first = first
        shown = self._exchanges[first : first + WINDOW]
        with self.app.batch_update():
            await self.remove_children()
            if not shown:
                await self.mount(Static(Content(hint), classes="hint"))
                return
            views = [_view(exchange) for exchange in shown]
            above, below = first, len(self._exchanges) - first - len(shown)
            rest = [Static(Content(words), classes="hint") for words in (
                f"↑ {above} earlier exchanges" if above else "",
                f"↓ {below} later exchanges" if below else "",
            )]  # fmt: skip
            before = [rest[0]] if above else []
            after = [rest[1]] if below else []
            await self.mount_all([*before, *views, *after])
            for view, exchange in zip(views, shown, strict=True):
                view.show(exchange)

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
            view = next((v for v in self.query(ExchangeView) if v.key == edge), None)
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
        """The view of the exchange asked last."""
        views = list(self.query(ExchangeView))
        return views[-1] if views else None


def _view(exchange: Exchange) -> ExchangeView:
    return ExchangeView(
        exchange.question, exchange.id, 2 if exchange.other is not None else 1, label(exchange)
    )


def label(exchange: Exchange) -> str:
    """What kind of question it was and of which papers, where that is not the usual."""
    parts = [exchange.mode.value] if exchange.mode.value != "ask" else []
    if exchange.scope != "all":
        parts.append(shorten(exchange.scope, 40))
    return " · ".join(parts)


def facts(answer: Answer) -> str:
    """Arm, time, tokens, speed, cost and model in one line, what is long at its end."""
    if not answer.model:
        return ""
    parts = [answer.arm.value]
    if answer.seconds:
        parts.append(f"{answer.seconds:.1f} s")
    usage = answer.usage
    if usage.total_tokens:
        share = (
            f" ({usage.total_tokens / answer.context:.0%} of {answer.context:,})"
            if answer.context
            else ""
        )
        parts.append(f"{usage.prompt_tokens} + {usage.completion_tokens} tokens{share}")
    if answer.speed >= 1:
        parts.append(f"{answer.speed:.0f} a second")
    if answer.cost is not None:
        parts.append(f"{answer.cost:.4f} {answer.currency}")
    return " · ".join([*parts, answer.model])
