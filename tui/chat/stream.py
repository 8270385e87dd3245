"""Reading a model's stream to whatever end it comes to, and holding the answer to its sources."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from tui.chat.cite import verify
from tui.chat.events import Piece, Question
from tui.chat.frame import Frame
from tui.chat.guard import Loop
from tui.chat.prompt import missing_marks, refuses
from tui.domain.chat import Answer, Source, Usage
from tui.mistral.errors import ApiError, CutStream
from tui.mistral.prices import Prices
from tui.mistral.types import ChatRequest
from tui.text import clean

LOOPED = "The model only repeated itself and was stopped."


@dataclass(slots=True)
class Said:
    """What came so far: words, how it ended, what it used, what went wrong."""

    text: str = ""
    reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    problems: tuple[str, ...] = ()
    started: float = field(default_factory=time.monotonic)


async def stream(frame: Frame, request: ChatRequest, said: Said) -> AsyncGenerator[Piece, None]:
    """Pieces of the answer; `said` follows. Raises ApiError only before the first word.

    A request with a prefix goes on with it: a server may say the prefix again, which is dropped.
    """
    loop = Loop()
    pending = request.prefix
    begun = bool(said.text)
    try:
        # Closing the stream is what stops the model when a person stops the answer.
        async with aclosing(frame.client.stream(request)) as deltas:
            async for delta in deltas:
                text = clean(delta.text) if delta.text else ""
                if pending and text:
                    text, pending = _without(text, pending)
                if text:
                    begun = True
                    said.text += text
                    yield Piece(text)
                said.reason = delta.finish_reason or said.reason
                if delta.usage:
                    said.usage = _sum(said.usage, delta.usage)
                if text and loop.add(text):
                    said.problems = (*said.problems, LOOPED)
                    said.reason = None
                    break
    except CutStream as error:
        said.usage = _sum(said.usage, error.usage)
        said.problems = (*said.problems, str(error))
    except ApiError as error:
        if not begun:
            raise
        said.problems = (*said.problems, str(error))


def _without(text: str, prefix: str) -> tuple[str, str]:
    """What of `text` is new behind a repeated prefix, and what of the prefix may still come."""
    if text.startswith(prefix):
        return text[len(prefix) :], ""
    if prefix.startswith(text):
        return "", prefix[len(text) :]
    return text, ""


def _sum(a: Usage, b: Usage) -> Usage:
    return Usage(a.prompt_tokens + b.prompt_tokens, a.completion_tokens + b.completion_tokens)


async def judged(
    said: Said,
    question: Question,
    frame: Frame,
    sources: Sequence[Source],
    passage_text: Callable[[str], str],
    about: Callable[[Source], str],
    prices: Prices,
    notes: Sequence[str] = (),
) -> Answer:
    """The whole answer: what of it holds, what it used, what it cost."""
    text = said.text.strip()
    checked, flaws = await asyncio.to_thread(verify, text, sources, passage_text, about)
    seconds = time.monotonic() - said.started
    amount = prices.cost(
        question.model,
        said.usage.prompt_tokens,
        said.usage.completion_tokens,
        kind=frame.endpoint.kind,
        device_seconds=0.0 if frame.endpoint.outside else seconds,
    )
    return Answer(
        text=text,
        model=question.model,
        arm=question.arm,
        sources=checked,
        usage=said.usage,
        finish_reason=said.reason,
        problems=(*said.problems, *dict.fromkeys(flaw.message for flaw in flaws)),
        seconds=seconds,
        flaws=flaws,
        notes=(*notes, *missing_marks(question.mode, text)),
        refused=bool(text) and refuses(text),
        context=frame.context,
        cost=amount.value if amount else None,
        currency=amount.unit if amount else "",
    )
