"""The conversation on the screen: questions, answers as they come, what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

from tui.domain.chat import Answer, Exchange
from tui.keymap import bindings
from tui.text import clean

# Streams are coalesced: words that come faster than this are drawn together.
_FLUSH_SECONDS = 0.12
WINDOW = 20
"""Exchanges drawn at once; older ones come on request, so a long conversation stays light."""


class ExchangeView(Vertical):
    """One question with its answer."""

    DEFAULT_CSS = """
    ExchangeView { height: auto; padding: 0 1 1 1; }
    ExchangeView > .asked { height: auto; color: $accent; text-style: bold; }
    ExchangeView > Markdown { height: auto; margin: 0; padding: 0; background: $background; }
    ExchangeView > .facts {
        height: 1; color: $muted; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ExchangeView > .problems { height: auto; color: $warning; display: none; }
    ExchangeView.-problems > .problems { display: block; }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question
        self._pending = ""
        self._flushed = 0.0
        self._text = ""

    def compose(self) -> ComposeResult:
        """Question, answer, facts."""
        yield Static(Content(f"› {clean(self._question)}"), classes="asked")
        yield Markdown(open_links=False)
        yield Static(classes="problems")
        yield Static(classes="facts")

    async def add(self, text: str) -> None:
        """Some more words of the answer; drawn at most every `_FLUSH_SECONDS`."""
        self._pending += text
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        """Draw what came since."""
        if self._pending:
            pending, self._pending = self._pending, ""
            self._flushed = time.monotonic()
            self._text += pending
            await self.query_one(Markdown).append(pending)

    async def finish(self, answer: Answer) -> None:
        """Show the whole answer with its facts and problems."""
        self._pending = ""
        if answer.text != self._text.strip():
            self._text = answer.text
            await self.query_one(Markdown).update(answer.text)
        problems = [clean(problem) for problem in answer.problems]
        if not answer.complete:
            problems.insert(0, "This answer was cut short.")
        self.set_class(bool(problems), "-problems")
        self.query_one(".problems", Static).update(Content("\n".join(f"! {p}" for p in problems)))
        self.say(facts(answer))

    def say(self, words: str) -> None:
        """A line under the answer."""
        self.query_one(".facts", Static).update(Content(words))


class Transcript(VerticalScroll, can_focus=True):
    """The exchanges of a conversation, the newest at the bottom."""

    BINDINGS = bindings("transcript")
    DEFAULT_CSS = """
    Transcript { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
    Transcript > .hint { padding: 1 2; color: $muted; height: auto; }
    """

    async def show(self, exchanges: Sequence[Exchange], hint: str) -> None:
        """Show a conversation's last exchanges, or the hint where there is none."""
        self.anchor(False)
        await self.remove_children()
        if not exchanges:
            await self.mount(Static(Content(hint), classes="hint"))
            return
        if len(exchanges) > WINDOW:
            words = f"{len(exchanges) - WINDOW} earlier exchanges; export to read them all."
            await self.mount(Static(Content(words), classes="hint"))
        for exchange in exchanges[-WINDOW:]:
            view = ExchangeView(exchange.question)
            await self.mount(view)
            await view.finish(exchange.answer)
        self.anchor()

    async def begin(self, question: str) -> ExchangeView:
        """A new exchange at the bottom, which the view then follows."""
        for hint in self.query(".hint"):
            await hint.remove()
        view = ExchangeView(question)
        await self.mount(view)
        self.anchor()
        return view


def facts(answer: Answer) -> str:
    """Arm, time, tokens and model in one line, what is long at its end."""
    if not answer.model:
        return ""
    parts = [answer.arm.value]
    if answer.seconds:
        parts.append(f"{answer.seconds:.1f} s")
    if answer.usage.total_tokens:
        parts.append(f"{answer.usage.prompt_tokens} + {answer.usage.completion_tokens} tokens")
    return " · ".join([*parts, answer.model])
