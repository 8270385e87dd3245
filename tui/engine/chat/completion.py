"""Asking a worker for an answer: `POST /completion` as llama.cpp's server has it.

Token ids in, server-sent events out: `{"content"}` and at last `{"stop": true, "tokens_predicted",
"stop_type", "truncated"}`. Closing the stream closes the connection, which ends the work.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import httpx2 as httpx

from tui.engine.chat.backend import ChatError
from tui.engine.server.ports import Piece, Sampling
from tui.text import shorten

_SILENCE_SECONDS = 600.0
_SEEDS = 2**32 - 1  # llama.cpp takes 2**32 - 1 itself to mean "any seed"


def client_of(url: str, key: str) -> httpx.AsyncClient:
    """A client for one worker; each answer has a connection of its own."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(_SILENCE_SECONDS, connect=10),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,
    )


def completion_body(tokens: Sequence[int], sampling: Sampling) -> dict[str, Any]:
    """The request for an answer to a prompt."""
    body: dict[str, Any] = {
        "prompt": list(tokens),
        "stream": True,
        "cache_prompt": True,
        "n_predict": -1 if sampling.max_tokens is None else sampling.max_tokens,
        "temperature": 0.3 if sampling.temperature is None else sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": list(sampling.stop),
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed % _SEEDS
    if sampling.schema is not None:
        body["json_schema"] = sampling.schema
    return body


async def stream_completion(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    context: int,
    why_cut: Callable[[], Awaitable[ChatError]],
) -> AsyncGenerator[Piece, None]:
    """The answer in pieces, the last one with counts.

    `context` is prompt and answer together; `why_cut` says what happened when the connection
    breaks. Raises ChatError.
    """
    count = len(body["prompt"])
    try:
        async with client.stream("POST", "/completion", json=body) as response:
            if response.status_code != 200:
                raise ChatError(_refusal(await response.aread()))
            async for line in response.aiter_lines():
                if piece := _piece(line, count, context):
                    yield piece
                    if piece.finish_reason:
                        return
    except httpx.TimeoutException as error:
        raise ChatError(
            "The model did not answer in time.", "Ask again, or ask for less."
        ) from error
    except httpx.HTTPError as error:
        raise await why_cut() from error
    raise await why_cut()


def _piece(line: str, prompt_tokens: int, context: int) -> Piece | None:
    if line.startswith("error:"):
        raise ChatError(_refusal(line[6:].encode()))
    if not line.startswith("data:"):
        return None
    event = json.loads(line[5:])
    if "error" in event:
        raise ChatError(_refusal(line[5:].encode()))
    text = str(event.get("content") or "")
    if not event.get("stop"):
        return Piece(text) if text else None
    count = int(event.get("tokens_predicted") or 0)
    reason = "stop"
    if event.get("stop_type") == "limit":
        full = event.get("truncated") or prompt_tokens + count >= context
        reason = "model_length" if full else "length"
    return Piece(text, reason, prompt_tokens, count)


def _refusal(body: bytes) -> str:
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = body.decode(errors="replace")
    return f"The model's process refused the request: {shorten(str(message), 300)}."
