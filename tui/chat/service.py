"""Asking: retrieve, compose, stream, verify; the same path for the screen, the command and runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from tui.chat.embed import Embedder
from tui.chat.events import ANSWER_TOKENS, Piece, Question, SourcesFound, Working
from tui.chat.frame import BRIEF_TOKENS, FULL_TOKENS, Frame, Frames
from tui.chat.onboarding import Onboarding
from tui.chat.prompt import Prompts, compose
from tui.chat.sources import Found, SourceFinder
from tui.chat.stream import Said, judged, stream
from tui.chat.summarise import Summariser
from tui.corpus import Corpus
from tui.domain.chat import Answer, Exchange, Mode, Source
from tui.domain.errors import MissingError, NotFoundError
from tui.domain.example import Turn
from tui.domain.model import ModelCard
from tui.mistral.endpoints import Endpoints
from tui.mistral.prices import Prices
from tui.mistral.privacy import Gate
from tui.mistral.types import ChatRequest

__all__ = ["ANSWER_TOKENS", "Chat", "Piece", "Question", "SourcesFound", "Working"]

# Follow-ups see the last exchanges only: a model on a CPU reads every token of them anew.
_BRIEF_HISTORY = 2

Event = SourcesFound | Working | Piece | Answer


class Chat:
    """Answers questions from a team's papers with any model on any endpoint."""

    def __init__(
        self,
        corpus: Corpus,
        endpoints: Endpoints,
        gate: Gate,
        prompts: Prompts,
        *,
        embedder: Embedder | None = None,
        onboarding: Onboarding | None = None,
    ) -> None:
        self._corpus = corpus
        self._endpoints = endpoints
        self._gate = gate
        self._prompts = prompts
        self._frames = Frames(endpoints)
        self._finder = SourceFinder(corpus, gate, prompts, embedder)
        self._summariser = Summariser(corpus, gate, prompts)
        self.onboarding = onboarding

    async def pick(self, model: str | None, endpoint: str | None = None) -> ModelCard:
        """The card of `model`; without a name the newest fine-tuned model, else the first base one.

        Raises MissingError when the endpoint has no model at all.
        """
        if model:
            client = self._endpoints.for_model(model, endpoint)
            return await client.model(self._endpoints.resolve(model))
        cards = await self.models(endpoint)
        if not cards:
            raise MissingError(
                "The endpoint has no model.",
                "Get one with: papertune model pull smollm2-135m-instruct",
            )
        tuned = [card for card in cards if card.tuned]
        return max(tuned, key=lambda card: int(card.raw.get("created", 0))) if tuned else cards[0]

    async def models(self, endpoint: str | None = None) -> list[ModelCard]:
        """The models of an endpoint that are in use and can chat, as it lists them."""
        client = self._endpoints.client(endpoint)
        return [card for card in await client.models() if not card.archived and _chats(card)]

    async def ask(self, question: Question) -> AsyncGenerator[Event, None]:
        """Stream the answer: what is done before it, sources, pieces, last the whole `Answer`.

        A stream that is cut ends in an Answer without finish reason and with what was said.
        Raises PrivateTextError or ConsentNeeded before anything leaves for an outside endpoint,
        UsageError for a question that the model cannot hold.
        """
        frame = await self._frames.of(question.model, question.endpoint)
        await asyncio.to_thread(frame.refuse_too_long, question.text)
        self._gate.require(frame.endpoint, _told(question.history))
        if question.mode is Mode.SUMMARISE and question.papers and not question.prefix:
            whole = self._summariser.summarise(question, frame, self._prices())
            async with aclosing(whole) as events:
                async for event in events:
                    yield event
            return
        said = Said(question.prefix)
        with_sources = question.arm.sources or question.mode is not Mode.ASK
        read = await asyncio.to_thread(self._titles_read) if question.mode is Mode.ONBOARD else ()
        history, budget, tokens = await self._fitted(question, frame, with_sources, read)
        found = Found(question.sources, (), "words")
        if with_sources and not question.prefix:
            yield Working("searching")
            found = await self._finder.find(question, frame, budget)
            said.usage = found.usage
            yield SourcesFound(found.sources, found.retrieved, found.by)
        sources = found.sources
        self._gate.require(frame.endpoint, {source.paper for source in sources})
        turns = self._turns(question, frame, sources, with_sources, history, read)
        request = _request(question, turns, tokens)
        async with aclosing(stream(frame, request, said)) as pieces:
            async for piece in pieces:
                yield piece
        if question.mode is Mode.ONBOARD and self.onboarding is not None and said.reason:
            papers = [source.paper for source in sources]
            await asyncio.to_thread(self.onboarding.given, question.text, papers)
        yield await judged(
            said, question, frame, sources, self._passage_text, self._about, self._prices(),
            found.notes,
        )  # fmt: skip

    async def answer(self, question: Question) -> tuple[Answer, tuple[str, ...]]:
        """The whole answer at once, with the ids of the retrieved passages, best first."""
        retrieved: tuple[str, ...] = ()
        async with aclosing(self.ask(question)) as events:
            async for event in events:
                if isinstance(event, SourcesFound):
                    retrieved = event.retrieved
                elif isinstance(event, Answer):
                    return event, retrieved
        raise AssertionError("ask ends in an Answer")

    async def _fitted(
        self, question: Question, frame: Frame, with_sources: bool, read: Sequence[str]
    ) -> tuple[tuple[Exchange, ...], int, int]:
        """What of the history, how many source tokens and how long an answer the model holds."""
        wanted = 0
        if with_sources:
            wanted = question.source_tokens or (BRIEF_TOKENS if frame.brief else FULL_TOKENS)
        sources = question.sources

        def turns(history: Sequence[Exchange]) -> Sequence[Turn]:
            return self._turns(question, frame, sources, with_sources, history, read)

        history = question.history[-_BRIEF_HISTORY:] if frame.brief else question.history
        return await asyncio.to_thread(frame.fit, history, turns, wanted, question.max_tokens)

    def _turns(
        self,
        question: Question,
        frame: Frame,
        sources: Sequence[Source],
        with_sources: bool,
        history: Sequence[Exchange],
        read: Sequence[str],
    ) -> tuple[Turn, ...]:
        return compose(
            question.text,
            mode=question.mode,
            sources=sources,
            with_sources=with_sources,
            brief=frame.brief,
            history=history,
            prompts=self._prompts,
            read=read,
        )

    def _titles_read(self) -> tuple[str, ...]:
        """Titles of the papers that this person has read."""
        if self.onboarding is None:
            return ()
        titles = []
        for paper in sorted(self.onboarding.read()):
            try:
                titles.append(self._corpus.paper(paper).title)
            except NotFoundError:
                continue
        return tuple(titles)

    def _passage_text(self, passage: str) -> str:
        try:
            return self._corpus.passage(passage).text
        except NotFoundError:
            return ""  # removed while the model answered; what it was shown is still checked

    def _about(self, source: Source) -> str:
        """What is known of a source beside its text: an author's or a year's number is no guess."""
        try:
            paper = self._corpus.paper(source.paper)
        except NotFoundError:
            return source.title
        return f"{paper.title} {paper.year or ''} {paper.venue} p. {source.page}"

    def _prices(self) -> Prices:
        return Prices(self._gate.settings.prices)


def _chats(card: ModelCard) -> bool:
    """Whether a card says that its model chats; one that says nothing is given the benefit."""
    capabilities = card.raw.get("capabilities")
    return not isinstance(capabilities, dict) or bool(capabilities.get("completion_chat", True))


def _told(history: Sequence[Exchange]) -> set[str]:
    """The papers whose text may stand in what was said before."""
    return {source.paper for exchange in history for source in exchange.answer.sources}


def _request(question: Question, turns: Sequence[Turn], tokens: int) -> ChatRequest:
    return ChatRequest(
        model=question.model,
        messages=tuple(turns),
        max_tokens=tokens,
        temperature=question.temperature,
        prefix=question.prefix,
        purpose=question.purpose,
    )
