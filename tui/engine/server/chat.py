"""`/v1/chat/completions`: whole answers and streams of server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tui.domain.errors import PapertuneError
from tui.domain.example import Turn
from tui.engine.server.answering import answered, usage, while_connected
from tui.engine.server.chat_request import ChatIn
from tui.engine.server.errors import invalid_model, unprocessable
from tui.engine.server.models import DEFAULT_TEMPERATURE
from tui.engine.server.ports import ModelInfo, Piece, Sampling
from tui.engine.server.state import Engine

_T = TypeVar("_T")
_LOG = logging.getLogger("papertune.engine")


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, ready to be answered; `prompt_tokens` as the model's tokenizer counts them.

    With `turns` another server answers, which has its own template and counts.
    """

    id: str
    created: int
    model: str
    prompt: str
    prompt_tokens: int
    prefix: str
    sampling: Sampling
    choices: int
    turns: tuple[Turn, ...] | None = None

    async def pieces(self, engine: Engine, index: int) -> AsyncGenerator[Piece, None]:
        """The answer of one choice; each choice has its own seed."""
        if self.sampling.max_tokens == 0:
            yield Piece("", "length", self.prompt_tokens, 0)
            return
        seed = self.sampling.seed
        sampling = self.sampling if seed is None else replace(self.sampling, seed=seed + index)
        source = (
            engine.voice.generate(self.model, self.prompt, sampling)
            if self.turns is None
            else engine.voice.converse(self.model, self.turns, self.prefix, sampling)
        )
        async with contextlib.aclosing(source):
            async for piece in source:
                yield piece


def routes(engine: Engine) -> APIRouter:
    """The route of chat."""
    router = APIRouter(tags=["chat"])

    @router.post("/v1/chat/completions")
    async def chat_completions(body: ChatIn, request: Request) -> Response:
        """Answer a conversation."""
        call = await _call(engine, body)
        if body.stream:
            # The first piece is awaited here, so that a failure to start has a status of its own.
            events = _events(engine, call)
            return _Stream(await while_connected(request, answered(_first(events))), events)
        return JSONResponse(await while_connected(request, answered(_whole(engine, call))))

    return router


async def _call(engine: Engine, body: ChatIn) -> _Call:
    info = _usable(engine, body.model)
    body.refuse_what_we_lack()
    turns = [Turn(message.role, message.text) for message in body.messages]
    prefix = turns.pop().content if body.messages[-1].prefix else ""
    sampling = Sampling(
        max_tokens=body.max_tokens,
        temperature=DEFAULT_TEMPERATURE if body.temperature is None else body.temperature,
        top_p=body.top_p,
        seed=body.random_seed,
        stop=body.stops,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        schema=body.schema_wanted,
    )
    mark, now, choices = uuid.uuid4().hex, int(time.time()), body.n or 1
    if info.upstream:
        given = tuple(turns)
        return _Call(mark, now, info.id, "", 0, prefix, sampling, choices, given)
    tokenizer = await asyncio.to_thread(engine.library.tokenizer, info.id)
    try:
        safe = tokenizer.defused(turns)
        prompt = tokenizer.template.render(safe, add_generation_prompt=True)
        prompt += tokenizer.defuse(prefix)
    except PapertuneError as error:
        raise unprocessable(["body", "messages"], f"Value error, {error}") from error
    count = len(await asyncio.to_thread(tokenizer.encode, prompt))
    room = info.context - count
    if room < 1 or (body.max_tokens or 0) > room + count:
        wanted = f"{count} prompt tokens" + (
            f" and {body.max_tokens} to answer" if body.max_tokens else ""
        )
        raise unprocessable(
            ["body", "messages"],
            f"Value error, {wanted} do not fit the context of {info.context} tokens.",
        )
    limit = min(body.max_tokens, room) if body.max_tokens is not None else room
    sampling = replace(sampling, max_tokens=limit)
    return _Call(mark, now, info.id, prompt, count, prefix, sampling, choices)


def _usable(engine: Engine, model: str) -> ModelInfo:
    info = engine.library.find(model)
    stored = engine.models.get(model) if info is not None and info.root else None
    if info is None or (info.root and stored is None):
        raise invalid_model(model, engine.library.remedy(model))
    if stored is not None and stored.archived:
        raise invalid_model(model, f"It is archived: papertune model archive --undo {info.id}")
    if info.kind != "chat":
        raise invalid_model(model, "It makes embeddings and does not chat.")
    return info


async def _first(events: AsyncGenerator[str, None]) -> str:
    return await anext(events)


async def _whole(engine: Engine, call: _Call) -> dict[str, Any]:
    choices, prompt_tokens, completion_tokens = [], 0, 0
    for index in range(call.choices):
        text, last = [call.prefix], Piece("")
        async with contextlib.aclosing(call.pieces(engine, index)) as pieces:
            async for last in pieces:
                text.append(last.text)
        prompt_tokens = last.prompt_tokens
        completion_tokens += last.completion_tokens
        choices.append(
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": "".join(text),
                    "tool_calls": None,
                    "prefix": False,
                },
                "finish_reason": last.finish_reason or "error",
            }
        )
    return {
        "id": call.id,
        "object": "chat.completion",
        "created": call.created,
        "model": call.model,
        "usage": usage(prompt_tokens, completion_tokens),
        "choices": choices,
    }


async def _events(engine: Engine, call: _Call) -> AsyncGenerator[str, None]:
    """The stream's events; a failure on the way ends it with `finish_reason` error."""
    completion_tokens = 0
    for index in range(call.choices):
        final = index == call.choices - 1
        opened = False
        try:
            async with contextlib.aclosing(call.pieces(engine, index)) as pieces:
                async for piece in pieces:
                    delta: dict[str, Any] = {"content": piece.text}
                    if not opened:
                        delta = {"role": "assistant", "content": call.prefix + piece.text}
                        opened = True
                    counts = None
                    if piece.finish_reason:
                        completion_tokens += piece.completion_tokens
                        if final:
                            counts = usage(piece.prompt_tokens, completion_tokens)
                    yield _event(call, index, delta, _streamed(piece.finish_reason), counts)
        except Exception:
            if not opened and not index:
                raise
            _LOG.exception("chat with %s was cut", call.model)
            yield _event(call, index, {"content": ""}, "error", None)
            break
    yield "data: [DONE]\n\n"


def _event(
    call: _Call,
    index: int,
    delta: dict[str, Any],
    finish_reason: str | None,
    counts: dict[str, int] | None,
) -> str:
    value: dict[str, Any] = {
        "id": call.id,
        "object": "chat.completion.chunk",
        "created": call.created,
        "model": call.model,
        "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
    }
    if counts is not None:
        value["usage"] = counts
    return f"data: {json.dumps(value)}\n\n"


def _streamed(reason: str | None) -> str | None:
    """The contract knows `model_length` in whole answers only."""
    return "length" if reason == "model_length" else reason


class _Stream(StreamingResponse):
    """A stream whose source is closed at once when the client hangs up, wherever it stood."""

    def __init__(self, first: str, events: AsyncGenerator[str, None]) -> None:
        async def chained() -> AsyncIterator[str]:
            yield first
            async for event in events:
                yield event

        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(chained(), media_type="text/event-stream", headers=headers)
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()
