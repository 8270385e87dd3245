"""What answers under a model's name: checks that it may, then lets a backend compute."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from tui.domain.errors import UsageError
from tui.domain.example import Turn
from tui.engine.chat.backend import Backend, plan_threads
from tui.engine.chat.choose import Chosen
from tui.engine.chat.cores import cores
from tui.engine.chat.upstream import Upstreams
from tui.engine.launchers.serving import ChatPlace
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Piece, Sampling


class ContextError(UsageError):
    """The prompt leaves no room for an answer."""


class LocalVoice:
    """The engine's voice: resolves a name through the library and answers with its weights.

    `logs` is the folder for what backends say of themselves; `place` is where models answer that
    this machine does not hold.
    """

    def __init__(
        self,
        library: ModelLibrary,
        logs: Path,
        backend: Backend | None = None,
        place: ChatPlace | None = None,
    ) -> None:
        self._library = library
        self._backend = backend or Chosen(logs, threads=plan_threads(cores(), 0), place=place)
        self._upstreams = Upstreams()

    async def generate(
        self, model_id: str, prompt: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Answer a rendered prompt; closing the iterator stops the computation.

        Raises MissingError when the model is not here, TemplateMismatchError when it was trained
        with another chat template than its base model has now, ContextError when the prompt is
        too long, ChatError when the computation fails.
        """
        served = await asyncio.to_thread(self._library.served, model_id)
        tokenizer = await asyncio.to_thread(self._library.tokenizer, model_id)
        tokens = await asyncio.to_thread(tokenizer.encode, prompt)
        if not tokens or len(tokens) >= served.context:
            raise ContextError(
                f"The prompt has {len(tokens)} tokens; {served.id} takes 1 to "
                f"{served.context - 1} and an answer.",
                "Ask with fewer or shorter sources.",
            )
        if sampling.max_tokens == 0:
            yield Piece("", "length", len(tokens), 0)
            return
        answer = self._backend.answer(served, tokens, sampling)
        async with contextlib.aclosing(answer) as pieces:
            async for piece in pieces:
                yield piece

    async def converse(
        self, model_id: str, turns: Sequence[Turn], prefix: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Let another server answer a conversation under the model's name.

        Raises MissingError when the settings name none, UpstreamError when it cannot.
        """
        name, upstream = self._library.upstream(model_id)
        answer = self._upstreams.answer(name, upstream, turns, prefix, sampling)
        async with contextlib.aclosing(answer) as pieces:
            async for piece in pieces:
                yield piece

    def jobs_changed(self, running: int) -> None:
        """So many jobs train now: chat takes the cores that they leave."""
        self._backend.use_threads(plan_threads(cores(), running))

    async def close(self) -> None:
        """End the processes that answer."""
        await self._backend.close()
        await self._upstreams.close()
