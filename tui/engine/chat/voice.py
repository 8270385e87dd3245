"""What answers under a model's name: checks that it may, then lets a backend compute."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from tui.domain.errors import UsageError
from tui.engine.chat.backend import Backend, plan_threads
from tui.engine.chat.cores import cores
from tui.engine.chat.llama import Llama
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Piece, Sampling


class ContextError(UsageError):
    """The prompt leaves no room for an answer."""


class LocalVoice:
    """The engine's voice: resolves a name through the library and answers with its weights.

    `logs` is the folder for what backends say of themselves.
    """

    def __init__(self, library: ModelLibrary, logs: Path, backend: Backend | None = None) -> None:
        self._library = library
        self._backend = backend or Llama(logs, threads=plan_threads(cores(), 0))

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

    def jobs_changed(self, running: int) -> None:
        """So many jobs train now: chat takes the cores that they leave."""
        self._backend.use_threads(plan_threads(cores(), running))

    async def close(self) -> None:
        """End the processes that answer."""
        await self._backend.close()
