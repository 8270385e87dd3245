"""Asking: retrieve, compose, stream, verify; the same path for the screen, the command and runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tui.chat.cite import verify
from tui.chat.prompt import Prompts, compose
from tui.chat.retrieve import Ranked, Retriever, condense
from tui.corpus import Corpus
from tui.domain.chat import Answer, Arm, Exchange, Mode, Source, Usage
from tui.domain.endpoint import Endpoint
from tui.domain.errors import MissingError
from tui.domain.example import Turn
from tui.domain.model import ModelCard
from tui.mistral.client import Client
from tui.mistral.endpoints import Endpoints
from tui.mistral.errors import ApiError, CutStream
from tui.mistral.privacy import Gate
from tui.mistral.types import ChatRequest
from tui.text import clean

# Tokens of sources in a prompt. llama.cpp reads some 200 prompt tokens a second on two cores, so on
# a CPU every source costs a wait, and small models do better with few: the bundled one answered 8
# of 23 questions from 60 tokens and 6 from 190, the answer being in both. Elsewhere it is cheap.
BRIEF_TOKENS = 80
FULL_TOKENS = 3000
ANSWER_TOKENS = 600
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of which model on which arm; `papers` None searches the whole corpus.

    `source_tokens` None chooses by where the model runs.
    """

    text: str
    model: str
    arm: Arm = Arm.BASE
    mode: Mode = Mode.ASK
    endpoint: str | None = None
    history: tuple[Exchange, ...] = ()
    papers: frozenset[str] | None = None
    source_tokens: int | None = None
    max_tokens: int = ANSWER_TOKENS
    temperature: float | None = None
    purpose: str = "chat"


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """The passages put before the model; `retrieved` holds all ranked ones, best first."""

    sources: tuple[Source, ...]
    retrieved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more words of the answer, safe to draw."""

    text: str


class Chat:
    """Answers questions from a team's papers with any model on any endpoint."""

    def __init__(self, corpus: Corpus, endpoints: Endpoints, gate: Gate, prompts: Prompts) -> None:
        self._corpus = corpus
        self._endpoints = endpoints
        self._gate = gate
        self._prompts = prompts
        self._retriever = Retriever(corpus)
        self._counters: dict[tuple[str, str], Callable[[str], int]] = {}
        self._brief: dict[str, bool] = {}

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

    async def ask(self, question: Question) -> AsyncGenerator[SourcesFound | Piece | Answer, None]:
        """Stream the answer: first the sources, then pieces, last the whole `Answer`.

        A stream that is cut ends in an Answer without finish reason and with what was said.
        Raises PrivateTextError or ConsentNeeded before anything leaves for an outside endpoint.
        """
        started = time.monotonic()
        sources: tuple[Source, ...] = ()
        client = self._endpoints.for_model(question.model, question.endpoint)
        brief = await self._is_brief(client)
        with_sources = question.arm.sources or question.mode is not Mode.ASK
        if with_sources:
            sources, found = await self._sources(question, client, brief)
            yield SourcesFound(sources, tuple(item.passage.id for item in found))
        self._gate.require(client.endpoint, _papers(question, sources))
        turns = compose(
            question.text,
            mode=question.mode,
            sources=sources,
            with_sources=with_sources,
            brief=brief,
            history=question.history,
            prompts=self._prompts,
        )
        said = ""
        reason: str | None = None
        usage = Usage()
        problems: tuple[str, ...] = ()
        try:
            # Closing the stream is what stops the model when a person stops the answer.
            async with aclosing(client.stream(_request(question, turns))) as deltas:
                async for delta in deltas:
                    if delta.text:
                        text = clean(delta.text)
                        said += text
                        yield Piece(text)
                    reason = delta.finish_reason or reason
                    usage = delta.usage or usage
        except CutStream as error:
            problems = (str(error),)
        except ApiError as error:
            if not said:
                raise
            problems = (str(error),)
        checked, faults = await asyncio.to_thread(verify, said, sources, self._passage_text)
        yield Answer(
            text=said.strip(),
            model=question.model,
            arm=question.arm,
            sources=checked,
            usage=usage,
            finish_reason=reason,
            problems=problems + faults,
            seconds=time.monotonic() - started,
        )

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

    async def _sources(
        self, question: Question, client: Client, brief: bool
    ) -> tuple[tuple[Source, ...], list[Ranked]]:
        budget = question.source_tokens or (BRIEF_TOKENS if brief else FULL_TOKENS)
        count = await self._counter(client, question.model)
        found = await asyncio.to_thread(self._find, question, client.endpoint)
        return await asyncio.to_thread(condense, question.text, found, budget, count), found

    def _find(self, question: Question, endpoint: Endpoint) -> list[Ranked]:
        """Ranked passages; what is private stays out of a prompt for an endpoint without trust."""
        found = self._retriever.find(question.text, papers=question.papers)
        if endpoint.trusted or not endpoint.outside:
            return found
        private = self._corpus.private({item.passage.paper for item in found})
        return [item for item in found if item.passage.paper not in private]

    async def _counter(self, client: Client, model: str) -> Callable[[str], int]:
        """Tokens by the model's own tokenizer where the endpoint shares it, else an estimate."""
        key = (client.endpoint.name, model)
        if key not in self._counters:
            self._counters[key] = _estimate
            if not client.endpoint.outside:
                self._counters[key] = (await client.local.tokenizer(model)).count
        return self._counters[key]

    async def _is_brief(self, client: Client) -> bool:
        """Whether the endpoint answers on a CPU of this machine."""
        name = client.endpoint.name
        if name not in self._brief:
            self._brief[name] = (
                not client.endpoint.outside and (await client.local.status()).device == "cpu"
            )
        return self._brief[name]

    def _passage_text(self, passage: str) -> str:
        return self._corpus.passage(passage).text


def _chats(card: ModelCard) -> bool:
    """Whether a card says that its model chats; one that says nothing is given the benefit."""
    capabilities = card.raw.get("capabilities")
    return not isinstance(capabilities, dict) or bool(capabilities.get("completion_chat", True))


def _papers(question: Question, sources: Sequence[Source]) -> set[str]:
    """The papers whose text the prompt holds, in its sources or in what was said before."""
    earlier = (source for exchange in question.history for source in exchange.answer.sources)
    return {source.paper for source in (*sources, *earlier)}


def _request(question: Question, turns: Sequence[Turn]) -> ChatRequest:
    return ChatRequest(
        model=question.model,
        messages=tuple(turns),
        max_tokens=question.max_tokens,
        temperature=question.temperature,
        purpose=question.purpose,
    )


def _estimate(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)
