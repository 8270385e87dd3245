"""Having a capable model read the candidates first: how telling is each, and which sentences of it.

The lesson of paper-qa: ranking by a model that has read the passage against the question is what
lifts answers most. The model picks sentences by their numbers instead of writing a summary, so what
is put into the answer's prompt stays the paper's own words and can be held against the page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from tui.chat.condense import split_sentences
from tui.chat.prompt import fence
from tui.chat.retrieve import Ranked
from tui.domain.example import Turn
from tui.mistral.errors import ApiError, AuthError, QuotaError
from tui.mistral.types import ChatReply, ChatRequest

CANDIDATES = 10
"""Passages that are read; each is a call."""

LEAST = 3
"""A passage below this score, of 10, does not go into the prompt."""

_AT_ONCE = 4
_TOKENS = 120
_SCHEMA = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "sentences": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["score", "sentences"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Read:
    """What a model found in a passage: a score of 10, and the numbers of its telling sentences."""

    ranked: Ranked
    score: int
    sentences: frozenset[int]


async def read(
    ask: Callable[[ChatRequest], Awaitable[ChatReply]],
    model: str,
    template: str,
    question: str,
    found: Sequence[Ranked],
    *,
    purpose: str = "chat",
) -> list[Read]:
    """Score and condense `found`, most telling first; those below `LEAST` are left out.

    A reply that cannot be read leaves its passage as it was ranked. Raises AuthError and
    QuotaError, which every further call would meet too.
    """
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Ranked) -> Read:
        parts = split_sentences(item.passage.text)
        numbered = "\n".join(f"{n}. {fence(part)}" for n, part in enumerate(parts, 1))
        text = template.replace("{passage}", numbered).replace("{question}", question)
        request = ChatRequest(
            model=model,
            messages=(Turn("user", text.strip()),),
            max_tokens=_TOKENS,
            temperature=0.0,
            schema=_SCHEMA,
            purpose=purpose,
        )
        everything = frozenset(range(len(parts)))
        try:
            async with limit:
                reply = await ask(request)
            return _verdict(item, reply.text, everything)
        except (AuthError, QuotaError):
            raise
        except (ApiError, ValueError):
            return Read(item, LEAST, everything)

    tasks = [asyncio.create_task(one(item)) for item in found[:CANDIDATES]]
    try:
        verdicts = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    telling = sorted((v for v in verdicts if v.score >= LEAST), key=lambda v: -v.score)
    return [replace(v, ranked=replace(v.ranked, rank=rank)) for rank, v in enumerate(telling)]


def _verdict(item: Ranked, text: str, everything: frozenset[int]) -> Read:
    """Raises ValueError when the reply is no verdict."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(text)
    score = min(10, max(0, int(value["score"])))
    listed = value.get("sentences")
    chosen = (
        {int(n) - 1 for n in listed if isinstance(n, int)} if isinstance(listed, list) else set()
    )
    return Read(item, score, frozenset(chosen & everything) or everything)
