"""Vectors from an endpoint's `/v1/embeddings`: of the library, once; of each question, at once.

Filling can be stopped at any moment and goes on where it stopped. Where the endpoint has no model
that embeds, questions are searched by words alone, and the answer says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from dataclasses import dataclass

from tui.corpus.vectors import Coverage, VectorStore, Words
from tui.domain.errors import PapertuneError
from tui.mistral.endpoints import LOCAL, Endpoints
from tui.mistral.privacy import Gate
from tui.storage.workspace import Workspace

MODEL = "all-minilm-l6-v2"
"""What the local engine embeds with."""

_BATCH = 32
# A question waits no longer for its vector than a person would for the answer to begin.
_PATIENCE = 8.0


@dataclass(frozen=True, slots=True)
class Filled:
    """How far the filling is; `left_out` counts private passages that may not leave."""

    done: int
    total: int
    left_out: int = 0


class Embedder:
    """Fills a workspace's vectors and asks for those of questions."""

    def __init__(
        self,
        workspace: Workspace,
        endpoints: Endpoints,
        gate: Gate,
        private: Callable[[Iterable[str]], Collection[str]],
        *,
        model: str = MODEL,
        endpoint: str = LOCAL,
    ) -> None:
        self._endpoints = endpoints
        self._gate = gate
        self._private = private
        self._workspace = workspace
        self.endpoint = endpoint
        self.use(model)

    def use(self, model: str) -> None:
        """Embed with another model; each has vectors of its own."""
        self.model = model
        self.store = VectorStore(self._workspace, model)
        self._asked: tuple[str, list[float]] | None = None

    async def fill(self, *, again: bool = False) -> AsyncGenerator[Filled, None]:
        """Embed every passage that has no vector yet; yields after each call to the endpoint.

        `again` begins anew. Raises ConflictError while another process fills, and whatever the
        endpoint raises: what was embedded until then stays.
        """
        client = self._endpoints.client(self.endpoint)
        self._gate.require(client.endpoint)
        with self.store.filling():
            if again:
                await asyncio.to_thread(self.store.discard)
            coverage = await asyncio.to_thread(self.store.coverage)
            done, left_out = coverage.embedded, 0
            yield Filled(done, coverage.passages)
            missing = self.store.missing()
            while (part := await asyncio.to_thread(next, missing, None)) is not None:
                passages, position = part
                allowed = await asyncio.to_thread(self._allowed, passages)
                left_out += len(passages) - len(allowed)
                for start in range(0, len(allowed), _BATCH):
                    batch = allowed[start : start + _BATCH]
                    texts = [words.text for words in batch]
                    vectors = await client.embed(texts, self.model)
                    await asyncio.to_thread(self.store.append, batch, vectors)
                    done += len(batch)
                    yield Filled(done, coverage.passages, left_out)
                await asyncio.to_thread(self.store.done, position)

    async def question(self, text: str) -> tuple[list[float] | None, str]:
        """A question's vector, or None and why there is none; no reason where nothing is embedded.

        The last question's is remembered: retry and the arm beside it ask the same.
        """
        if await asyncio.to_thread(lambda: self.store.empty):
            return None, ""
        if self._asked is not None and self._asked[0] == text:
            return self._asked[1], ""
        try:
            client = self._endpoints.client(self.endpoint)
            self._gate.require(client.endpoint)
            found = await asyncio.wait_for(
                client.embed([text], self.model, purpose="chat"), timeout=_PATIENCE
            )
        except TimeoutError:
            return None, f"Searched by words alone: '{self.endpoint}' is too busy to embed."
        except PapertuneError as error:
            return None, f"Searched by words alone: {error}"
        self._asked = (text, found[0])
        return found[0], ""

    def coverage(self) -> Coverage:
        """How many passages have their vector."""
        return self.store.coverage()

    def _allowed(self, passages: list[Words]) -> list[Words]:
        endpoint = self._endpoints.get(self.endpoint)
        if endpoint.trusted or not endpoint.outside:
            return passages
        private = self._private({words.paper for words in passages})
        return [words for words in passages if words.paper not in private]
