"""One conversation under way: what is on disk, what is asked of whom.

The screen and the command hold the same session, so what one of them keeps the other finds.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from tui.chat.conversations import Conversations
from tui.chat.events import Piece, Question, SourcesFound, Working
from tui.chat.scope import Scope
from tui.chat.service import Chat
from tui.corpus import Corpus
from tui.domain.chat import Answer, Arm, Exchange, Mode, Source
from tui.domain.model import ModelCard

# How much of the conversation a model is shown at most; what it can hold decides in the end.
_HISTORY = 8
# Words under way are on disk after so long: what a crash can lose.
_SAVED_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """Something the answer of a side tells; side 1 is the arm beside the chosen one."""

    side: int
    event: SourcesFound | Working | Piece | Answer


class Session:
    """Asks, and keeps on disk what was said: the question before it leaves, words as they come.

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
        self.beside = False
        self.blind = False
        self.mode = Mode.ASK
        self.scope = Scope()
        self._open: tuple[str, str] | None = None

    # Who answers

    @property
    def arm(self) -> Arm:
        """Which arm answers next."""
        tuned = self.card is not None and self.card.tuned and not self.base
        return Arm.of(tuned=tuned, sources=self.sources)

    @property
    def other_arm(self) -> Arm:
        """Which arm answers beside it: the base of a tuned model, else the same without sources."""
        if self.card is not None and self.card.tuned:
            return Arm.of(tuned=self.base, sources=self.sources)
        return Arm.of(tuned=False, sources=not self.sources)

    @property
    def model(self) -> str:
        """Which model answers next: the chosen one, or the base it was tuned from."""
        return self.model_of(self.arm)

    def model_of(self, arm: Arm) -> str:
        """The model that answers on an arm; empty while none is chosen."""
        if self.card is None:
            return ""
        return self.card.id if arm.tuned else self.card.root or self.card.id

    def next_arm(self) -> None:
        """tuned+sources → tuned → base+sources → base; a base model has two arms."""
        self.sources = not self.sources
        if self.sources and self.card is not None and self.card.tuned:
            self.base = not self.base

    # Which conversation

    def renew(self) -> None:
        """Begin a new conversation."""
        self.id = self._conversations.start()
        self.exchanges = []
        self._open = None

    def resume(self, conversation: str) -> None:
        """Go on with an earlier one, with its mode and scope."""
        held = self._conversations.read(conversation)
        self.show(held.id, held.exchanges)
        if held.exchanges:
            self.mode = held.exchanges[-1].mode
            self.scope = Scope.parse(held.exchanges[-1].scope)

    def show(self, conversation: str, exchanges: Sequence[Exchange]) -> None:
        """Go on at the end of one branch of a conversation."""
        self.id, self.exchanges = conversation, list(exchanges)
        self._open = None

    def rewind(self, exchange: str) -> None:
        """Go back to before an exchange: what is asked next begins a branch there."""
        keys = [held.id for held in self.exchanges]
        if exchange in keys:
            del self.exchanges[keys.index(exchange) :]
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

    # Asking

    async def ask(self, text: str, corpus: Corpus | None = None) -> AsyncGenerator[Told, None]:
        """Ask one arm, or two at a time; each side ends in an Answer unless it is stopped or fails.

        `corpus` is needed for a scope that is not everything.
        """
        papers = None
        if corpus is not None:
            papers = await asyncio.to_thread(self.scope.papers, corpus)
        arms = [self.arm, self.other_arm] if self.beside else [self.arm]
        if self.blind and secrets.randbelow(2):
            arms.reverse()
        key = await self._asked(text)
        self._open = (key, text)
        exchange = Exchange(
            key,
            text,
            Answer("", "", self.arm),
            time.time(),
            after=self.exchanges[-1].id if self.exchanges else "",
            mode=self.mode,
            scope=str(self.scope),
        )
        questions = [self._question(text, arm, papers) for arm in arms]
        sides = [_Side(self, exchange, n, question) for n, question in enumerate(questions)]
        try:
            async with aclosing(_together(sides) if len(sides) > 1 else sides[0].run()) as events:
                async for told in events:
                    yield told
        finally:
            # Not awaited: this also runs when the answers are being cancelled.
            self._keep(exchange, sides)

    async def go_on(self) -> AsyncGenerator[Told, None]:
        """Have the model go on with its last answer, which was cut; from the same sources."""
        last = self.exchanges[-1]
        cut = last.answer
        question = replace(
            self._question(last.question, cut.arm, None, history=self.exchanges[:-1]),
            model=cut.model,
            mode=last.mode,
            prefix=cut.text,
            sources=cut.sources,
        )
        side = _Side(self, last, 0, question)
        side.said = [cut.text]
        del self.exchanges[-1]
        try:
            async with aclosing(side.run()) as events:
                async for told in events:
                    yield told
        finally:
            if side.went_on:
                self._keep(last, [side])
            else:
                self.exchanges.append(last)

    def prefer(self, side: int) -> Exchange:
        """Record which of the last two answers a person chose; the exchange as it is now."""
        last = self.exchanges[-1]
        chosen = last.answer if side == 0 else last.other
        if chosen is not None:
            self._conversations.preferred(self.id, last.id, chosen.arm.value)
            self.exchanges[-1] = replace(last, preferred=chosen.arm.value)
        return self.exchanges[-1]

    async def _asked(self, text: str) -> str:
        if self._open is not None and self._open[1] == text:
            return self._open[0]
        after = self.exchanges[-1].id if self.exchanges else ""

        def record() -> str:
            return self._conversations.asked(
                self.id,
                text,
                after=after,
                mode=self.mode,
                scope=str(self.scope),
                model=self.model,
                arm=self.arm,
            )

        return await asyncio.to_thread(record)

    def _question(
        self,
        text: str,
        arm: Arm,
        papers: frozenset[str] | None,
        history: Sequence[Exchange] | None = None,
    ) -> Question:
        earlier = self.exchanges if history is None else history
        answered = [liked(exchange) for exchange in earlier if exchange.answer.text]
        return Question(
            text,
            self.model_of(arm),
            arm,
            self.mode,
            endpoint=self.card.endpoint if self.card else None,
            history=tuple(answered[-_HISTORY:]),
            papers=papers,
        )

    def _keep(self, exchange: Exchange, sides: Sequence[_Side]) -> None:
        """Put on disk what each side said, and the exchange into the conversation."""
        answers = [side.ended() for side in sides]
        for side, answer in enumerate(answers):
            if answer is not None:
                self._conversations.answered(self.id, exchange.id, answer, other=side == 1)
        first = answers[0]
        if first is None and not any(answers):
            return  # not a word: the question stays open
        self._open = None
        other = answers[1] if len(answers) > 1 else None
        blank = Answer("", sides[0].question.model, sides[0].question.arm)
        self.exchanges.append(replace(exchange, answer=first or blank, other=other))


class _Side:
    """One arm's answer under way."""

    def __init__(self, session: Session, exchange: Exchange, side: int, question: Question) -> None:
        self._session = session
        self._exchange = exchange
        self.side = side
        self.question = question
        self.said: list[str] = []
        self._sources: tuple[Source, ...] = question.sources
        self._answer: Answer | None = None
        self._unsaved: list[str] = []

    async def run(self) -> AsyncGenerator[Told, None]:
        """What the answer tells; what was said is put on disk as it comes."""
        saver = asyncio.create_task(self._saving())
        try:
            async with aclosing(self._session._chat.ask(self.question)) as events:
                async for event in events:
                    if isinstance(event, SourcesFound):
                        self._sources = event.sources
                    elif isinstance(event, Piece):
                        self.said.append(event.text)
                        self._unsaved.append(event.text)
                    elif isinstance(event, Answer):
                        self._answer = event
                    yield Told(self.side, event)
        finally:
            saver.cancel()

    async def _saving(self) -> None:
        """Put words on disk by the clock: a model that falls silent must not take them along."""
        while True:
            await asyncio.sleep(_SAVED_EVERY)
            if self._unsaved:
                words, self._unsaved = "".join(self._unsaved), []
                await asyncio.to_thread(self._save, words)

    def _save(self, words: str) -> None:
        session = self._session
        session._conversations.said(
            session.id,
            self._exchange.id,
            words,
            other=self.side == 1,
            on=bool(self.question.prefix),
        )

    @property
    def went_on(self) -> bool:
        """Whether a word came, or the end."""
        return self._answer is not None or len(self.said) > 1

    def ended(self) -> Answer | None:
        """The whole answer, else what was said so far; None without a word."""
        if self._answer is not None:
            return self._answer
        text = "".join(self.said).strip()
        if not text:
            return None
        return Answer(text, self.question.model, self.question.arm, self._sources)


async def _together(sides: Sequence[_Side]) -> AsyncGenerator[Told, None]:
    """The events of both sides as they come; the first error ends both."""
    queue: asyncio.Queue[Told | BaseException | None] = asyncio.Queue()

    async def pump(side: _Side) -> None:
        try:
            async with aclosing(side.run()) as events:
                async for told in events:
                    queue.put_nowait(told)
        except Exception as error:
            queue.put_nowait(error)
        else:
            queue.put_nowait(None)

    tasks = [asyncio.create_task(pump(side)) for side in sides]
    try:
        ended = 0
        while ended < len(tasks):
            told = await queue.get()
            if isinstance(told, BaseException):
                raise told
            if told is None:
                ended += 1
            else:
                yield told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def liked(exchange: Exchange) -> Exchange:
    """An exchange with the answer a person preferred, as a follow-up should see it."""
    other = exchange.other
    if other is not None and exchange.preferred == other.arm.value:
        return replace(exchange, answer=other)
    return exchange
