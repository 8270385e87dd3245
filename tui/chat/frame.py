"""What a model can hold: its real context, counted by its own tokenizer, and how it is filled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.chat.condense import Count
from tui.domain.chat import Exchange
from tui.domain.endpoint import Endpoint
from tui.domain.errors import UsageError
from tui.domain.example import Turn
from tui.mistral.client import Client
from tui.mistral.endpoints import Endpoints
from tui.mistral.errors import ApiError

# Tokens of sources in a prompt. llama.cpp reads some 200 prompt tokens a second on two cores, so on
# a CPU every source costs a wait, and small models do better with few: the bundled one answered 8
# of 23 questions from 60 tokens and 6 from 190, the answer being in both. Elsewhere it is cheap.
BRIEF_TOKENS = 80
FULL_TOKENS = 3000
# Left free for what a server puts around a prompt and for counts that are estimates.
_MARGIN = 32
_LEAST_ANSWER = 64
_LEAST_SOURCES = 200
_CHARACTERS_PER_TOKEN = 4
# No tokenizer makes fewer tokens than this of so many characters: a pasted megabyte need not be
# counted to be refused.
_MOST_CHARACTERS_PER_TOKEN = 16

CountTurns = Callable[[Sequence[Turn]], int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One model at one endpoint, as far as filling its prompt is concerned.

    `brief` says that it reads slowly; `capable` that it can be asked to judge and to rewrite.
    """

    client: Client
    model: str
    context: int
    brief: bool
    capable: bool
    count: Count
    count_turns: CountTurns

    @property
    def endpoint(self) -> Endpoint:
        """Where the model is."""
        return self.client.endpoint

    def room(self, turns: Sequence[Turn], answer: int) -> int:
        """Tokens left for sources beside `turns` and an answer of `answer` tokens."""
        return self.context - _MARGIN - answer - self.count_turns(turns)

    def refuse_too_long(self, text: str) -> None:
        """Raise UsageError for a question that the model cannot hold by itself."""
        least = len(text) // _MOST_CHARACTERS_PER_TOKEN
        tokens = least if least > self.context else self.count(text)
        if tokens > self.context - _MARGIN - _LEAST_ANSWER:
            raise UsageError(
                f"The question has {'over ' if least == tokens else ''}{tokens:,} tokens; "
                f"{self.model} holds {self.context:,} with its answer.",
                "Ask a shorter question, or add the text to the corpus and ask about it.",
            )

    def fit(
        self,
        history: Sequence[Exchange],
        turns: Callable[[Sequence[Exchange]], Sequence[Turn]],
        wanted: int,
        answer: int,
    ) -> tuple[tuple[Exchange, ...], int, int]:
        """What of the conversation, how many source tokens and how long an answer fit together.

        `turns` composes the prompt around empty sources. The oldest exchanges give way first, then
        the answer, then the sources.
        """
        kept = tuple(history)
        enough = min(wanted, _LEAST_SOURCES)
        while kept and self.room(turns(kept), answer) < enough:
            kept = kept[1:]
        room = self.room(turns(kept), answer)
        if room < enough:
            shorter = max(_LEAST_ANSWER, answer - (enough - room))
            room, answer = room + answer - shorter, shorter
        return kept, max(0, min(wanted, room)), answer


class Frames:
    """Asks an endpoint once about each of its models and remembers."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._known: dict[tuple[str, str, str], Frame] = {}

    async def of(self, model: str, endpoint: str | None) -> Frame:
        """The frame of a model at an endpoint, by default the one that listed it."""
        client = self._endpoints.for_model(model, endpoint)
        key = (client.endpoint.name, client.endpoint.url, model)
        known = self._known.get(key)
        if known is not None and known.client is client:
            return known
        frame = await self._ask(client, model)
        self._known[key] = frame
        return frame

    async def _ask(self, client: Client, model: str) -> Frame:
        count, count_turns = estimate, estimate_turns
        brief = False
        if not client.endpoint.outside:
            tokenizer = await client.local.tokenizer(model)
            count, count_turns = tokenizer.count, tokenizer.count_prompt
            brief = (await client.local.status()).device == "cpu"
            await asyncio.to_thread(count, "a")  # reads the tokenizer's file once, off the loop
        context, capable = 32768, False
        try:
            card = await client.model(self._endpoints.resolve(model))
            context = card.context
            capabilities = card.raw.get("capabilities")
            # A model that can call functions can follow a schema and an instruction.
            capable = (
                isinstance(capabilities, dict) and capabilities.get("function_calling") is True
            )
        except ApiError:
            pass  # a server that chats but does not describe its models
        return Frame(client, model, context, brief, capable, count, count_turns)


def estimate(text: str) -> int:
    """Tokens of a text at four characters each, for models whose tokenizer is not here."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def estimate_turns(turns: Sequence[Turn]) -> int:
    """Tokens of messages, with what a template puts around each."""
    return sum(estimate(turn.content) + 8 for turn in turns)
