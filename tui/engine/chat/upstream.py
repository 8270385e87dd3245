"""Another server that answers for a model: vLLM or anything else that speaks OpenAI's chat API.

Messages go there as they came and its own template renders them; the stream is passed on piece by
piece. Its key is read from the environment at each request and is never logged or stored. Mistral's
dialect, which papertune's own engine speaks, names the seed and the prefix otherwise.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

from tui.domain.example import Turn
from tui.engine.chat.backend import ChatError
from tui.engine.server.ports import Piece, Sampling
from tui.engine.settings import Upstream
from tui.text import clean, shorten

_TIMEOUT = httpx.Timeout(600, connect=10)
_REASONS = {"stop": "stop", "length": "length", "model_length": "length", "tool_calls": "stop"}


class UpstreamError(ChatError):
    """The other server refused, could not be reached, or broke off."""


class Upstreams:
    """Asks the servers that the settings name."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)

    async def answer(
        self, model: str, upstream: Upstream, turns: Sequence[Turn], prefix: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """The answer in pieces, the last one with the counts that the server gives.

        Closing the generator closes the connection, which is how such servers learn to stop.
        Raises UpstreamError.
        """
        host = urlsplit(upstream.url).netloc
        body = _body(model, upstream.dialect, turns, prefix, sampling)
        reason, counts = "", (0, 0)
        # Mistral's API says the prefix again at the start of its answer; OpenAI's servers do not.
        echo = _Echo(prefix if upstream.dialect == "mistral" else "")
        try:
            async with self._client.stream(
                "POST",
                f"{upstream.url}/v1/chat/completions",
                json=body,
                headers=_headers(upstream),
            ) as response:
                if response.status_code != 200:
                    raise _refusal(host, upstream, response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line[5:].strip()
                    if data == "[DONE]":
                        break
                    event = _event(data, host)
                    if usage := event.get("usage"):
                        counts = (int(usage["prompt_tokens"]), int(usage["completion_tokens"]))
                    for choice in event.get("choices") or ():
                        text = str((choice.get("delta") or {}).get("content") or "")
                        reason = choice.get("finish_reason") or reason
                        if text := echo.feed(text):
                            yield Piece(text)
        except httpx.TimeoutException as error:
            raise UpstreamError(f"{host} did not answer in time.", "Ask again.") from error
        except httpx.HTTPError as error:
            raise UpstreamError(
                f"{host} cannot be reached: {shorten(clean(str(error)), 120)}.",
                f'Look whether it runs; its address stands in [engine.upstream."{model}"].',
            ) from error
        if reason not in _REASONS:
            raise UpstreamError(f"{host} broke off its answer.", "Ask again; look at its log.")
        yield Piece("", _REASONS[reason], *counts)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class _Echo:
    """Takes a prefix off the start of a stream, if it is there."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._held = ""

    def feed(self, text: str) -> str:
        """What comes after the prefix, or all of it once it cannot be the prefix."""
        if not self._prefix:
            return text
        self._held += text
        if len(self._held) < len(self._prefix) and self._prefix.startswith(self._held):
            return ""
        said = self._held.removeprefix(self._prefix)
        self._prefix = ""
        return said


def _body(
    model: str, dialect: str, turns: Sequence[Turn], prefix: str, sampling: Sampling
) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": str(turn.role), "content": turn.content} for turn in turns
    ]
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    ours = dialect == "mistral"
    if prefix:
        messages.append(
            {"role": "assistant", "content": prefix} | ({"prefix": True} if ours else {})
        )
        if not ours:  # vLLM's words for going on with the last message
            body |= {"continue_final_message": True, "add_generation_prompt": False}
    if not ours:
        body["stream_options"] = {"include_usage": True}
    if sampling.temperature is not None:
        body["temperature"] = sampling.temperature
    if sampling.max_tokens is not None:
        body["max_tokens"] = sampling.max_tokens
    if sampling.seed is not None:
        body["random_seed" if ours else "seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.schema is not None:
        schema = {"name": "answer", "schema": sampling.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _headers(upstream: Upstream) -> dict[str, str]:
    if not upstream.key_env:
        return {}
    key = os.environ.get(upstream.key_env, "").strip()
    if not key:
        raise UpstreamError(
            f"The key for {urlsplit(upstream.url).netloc} is not set.",
            f"Start the engine with {upstream.key_env} in its environment.",
        )
    return {"authorization": f"Bearer {key}"}


def _event(data: str, host: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise UpstreamError(f"{host} does not speak OpenAI's chat API.") from error
    if not isinstance(event, dict) or "error" in event:
        raise UpstreamError(f"{host} broke off: {_words(data.encode())}.", "Ask again.")
    return event


def _refusal(host: str, upstream: Upstream, status: int, body: bytes) -> UpstreamError:
    if status in (401, 403):
        remedy = f"Look at {upstream.key_env}." if upstream.key_env else "Name a key_env."
        return UpstreamError(f"{host} does not accept our key ({status}).", remedy)
    if status == 404:
        return UpstreamError(f"{host} has no such model.", "Look at the name in the settings.")
    if status == 429:
        return UpstreamError(f"{host} is busy (429): {_words(body)}.", "Ask again later.")
    return UpstreamError(f"{host} refused ({status}): {_words(body)}.")


def _words(body: bytes) -> str:
    """What an error document of whatever shape says, shortened."""
    try:
        found = json.loads(body)
        found = found.get("error", found) if isinstance(found, dict) else found
        if isinstance(found, dict):
            found = found.get("message") or found.get("detail") or found
    except ValueError:
        found = body.decode("utf-8", "replace")
    return shorten(clean(str(found)), 200).rstrip(".")
