"""One conversation under way: what is on disk, what is asked of whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from tui.chat import Piece, Question, SourcesFound
from tui.domain.chat import Answer, Arm, Exchange, Mode, Source
from tui.domain.model import ModelCard

if TYPE_CHECKING:
    from tui.chat import Chat, Conversations

# Follow-ups see the last exchanges only; a model on a CPU reads every token of them anew.
_HISTORY = 2


class Session:
    """Asks, and keeps on disk what was said: the question before it leaves, the answer as it ends.

    A stopped or broken answer is kept as far as it came, without a finish reason. A question that
    got no word of an answer stays open: asked again, it is the same exchange.
    """

    def __init__(self, chat: Chat, conversations: Conversations) -> None:
        self._chat = chat
        self._conversations = conversations
        self.id = conversations.start()
        self.exchanges: list[Exchange] = []
        self.card: ModelCard | None = None
        self.sources = True
        self.base = False
        self.mode = Mode.ASK
        self._open: tuple[str, str] | None = None

    @property
    def arm(self) -> Arm:
        """Which arm answers next."""
        tuned = self.card is not None and self.card.tuned and not self.base
        return Arm.of(tuned=tuned, sources=self.sources)

    @property
    def model(self) -> str:
        """Which model answers next: the chosen one, or the base it was tuned from."""
        if self.card is None:
            return ""
        return self.card.root or self.card.id if self.base else self.card.id

    def next_arm(self) -> None:
        """tuned+sources → tuned → base+sources → base; a base model has two arms."""
        self.sources = not self.sources
        if self.sources and self.card is not None and self.card.tuned:
            self.base = not self.base

    def renew(self) -> None:
        """Begin a new conversation."""
        self.id = self._conversations.start()
        self.exchanges = []
        self._open = None

    def resume(self, conversation: str) -> None:
        """Go on with an earlier one."""
        held = self._conversations.read(conversation)
        self.id, self.exchanges = held.id, list(held.exchanges)
        self._open = None

    @property
    def open_question(self) -> bool:
        """Whether the last question got no word of an answer."""
        return self._open is not None

    @property
    def last_question(self) -> str:
        """What was asked last, answered or not; empty in a new conversation."""
        if self._open is not None:
            return self._open[1]
        return self.exchanges[-1].question if self.exchanges else ""

    async def ask(self, text: str) -> AsyncGenerator[SourcesFound | Piece | Answer, None]:
        """Ask and stream; ends in an Answer unless it is stopped or fails."""
        if self._open is not None and self._open[1] == text:
            key = self._open[0]
        else:
            key = await asyncio.to_thread(self._conversations.asked, self.id, text)
        self._open = (key, text)
        answered = [exchange for exchange in self.exchanges if exchange.answer.text]
        question = Question(
            text,
            self.model,
            self.arm,
            self.mode,
            endpoint=self.card.endpoint if self.card else None,
            history=tuple(answered[-_HISTORY:]),
        )
        said = ""
        sources: tuple[Source, ...] = ()
        answer: Answer | None = None
        try:
            async with aclosing(self._chat.ask(question)) as events:
                async for event in events:
                    if isinstance(event, SourcesFound):
                        sources = event.sources
                    elif isinstance(event, Piece):
                        said += event.text
                    else:
                        answer = event
                    yield event
        finally:
            if answer is None and said.strip():
                answer = Answer(said.strip(), question.model, question.arm, sources)
            if answer is not None:
                # Not awaited: this also runs when the answer is being cancelled.
                self._open = None
                self._conversations.answered(self.id, key, answer)
                self.exchanges.append(Exchange(key, text, answer, time.time()))
