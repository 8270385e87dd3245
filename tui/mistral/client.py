"""One endpoint as the services use it: chat, models, files, embeddings, jobs, engine extras."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from tui.domain.chat import Usage
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.model import ModelCard
from tui.domain.usage import LedgerRow
from tui.mistral.errors import AbsentError, ApiError, CutStream
from tui.mistral.http import Connection
from tui.mistral.jobs import JobRoutes
from tui.mistral.ledger import Ledger
from tui.mistral.local import LocalRoutes
from tui.mistral.retries import RetryPolicy
from tui.mistral.sdk import SdkRoutes, estimated
from tui.mistral.types import ChatReply, ChatRequest, Delta, FilePurpose, RemoteFile
from tui.settings import SecretStr

_LOG = logging.getLogger(__name__)
# An engine on CPU reads about 210 prompt tokens a second and answers one request at a time.
_PATIENCE = {EndpointKind.LOCAL: 300.0}
_USUAL_PATIENCE = 120.0


class Client:
    """Speaks the API to one endpoint; every failure is an ApiError, every call in the ledger.

    `seconds` is how long the server may stay silent. `on_models` hears every listing, so that the
    endpoint of a model is known later. Cancelling a task that waits here closes its request.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        key: SecretStr | None,
        ledger: Ledger | None = None,
        *,
        seconds: float | None = None,
        policy: RetryPolicy | None = None,
        on_models: Callable[[str, list[ModelCard]], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        patience = seconds or _PATIENCE.get(endpoint.kind, _USUAL_PATIENCE)
        self._connection = Connection(endpoint, key, seconds=patience, policy=policy)
        self._sdk = SdkRoutes(self._connection)
        self._ledger = ledger
        self._on_models = on_models
        self._is_engine: bool | None = {
            EndpointKind.LOCAL: True,
            EndpointKind.MISTRAL: False,
        }.get(endpoint.kind)
        self.jobs = JobRoutes(self._connection)
        self.local = LocalRoutes(self._connection)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.aclose()

    async def check(self) -> int:
        """One harmless call that needs the key: the number of models; raises ApiError."""
        return len(await self._sdk.models())

    async def is_engine(self) -> bool:
        """Whether the server is an engine of papertune and has the `/local` routes."""
        if self._is_engine is None:
            try:
                await self.local.status()
                self._is_engine = True
            except AbsentError:
                self._is_engine = False
        return self._is_engine

    async def models(self) -> list[ModelCard]:
        """All models; fine-tuned ones of an engine with their lineage."""
        cards = [await self._with_lineage(card) for card in await self._sdk.models()]
        if self._on_models:
            self._on_models(self.endpoint.name, cards)
        return cards

    async def model(self, model_id: str) -> ModelCard:
        """One model; raises AbsentError when the endpoint has none of that name."""
        return await self._with_lineage(await self._sdk.model(model_id))

    async def delete_model(self, model_id: str) -> None:
        """Delete a fine-tuned model for good."""
        await self._sdk.delete_model(model_id)

    async def archive(self, model_id: str, archived: bool = True) -> None:
        """Take a fine-tuned model out of use, or back into it."""
        await self._sdk.archive(model_id, archived)

    async def upload(
        self, path: Path, *, purpose: FilePurpose = "fine-tune", name: str | None = None
    ) -> RemoteFile:
        """Send a file; not repeated once the server may have it."""
        return await self._sdk.upload(path, purpose=purpose, name=name)

    async def files(self, search: str = "") -> list[RemoteFile]:
        """Files of the endpoint whose name contains `search`."""
        return await self._sdk.files(search)

    async def file(self, file_id: str) -> RemoteFile:
        """One file; raises AbsentError when the endpoint has it no longer."""
        return await self._sdk.file(file_id)

    async def delete_file(self, file_id: str) -> None:
        """Delete a file for good."""
        await self._sdk.delete_file(file_id)

    async def embed(
        self, texts: Sequence[str], model: str, *, purpose: str = "embedding"
    ) -> list[list[float]]:
        """One vector per text."""
        started = time.monotonic()
        vectors, usage = await self._sdk.embed(texts, model)
        await self._record(model, purpose, usage, started)
        return vectors

    async def chat(self, request: ChatRequest) -> ChatReply:
        """A whole answer; one that nobody waits for any longer is recorded as an estimate."""
        started = time.monotonic()
        try:
            text, model, usage, reason = await self._sdk.chat(request)
        except asyncio.CancelledError:
            await self._record(request.model, request.purpose, estimated(request, 0), started)
            raise
        await self._record(request.model, request.purpose, usage, started)
        return ChatReply(text, model, usage, reason, time.monotonic() - started)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer as it comes; its text is foreign and a piece may end within a sequence.

        Raises ApiError before the first piece and CutStream with the partial answer after it.
        Read it under `contextlib.aclosing`, so that leaving early stops the model at once. What
        was used is recorded however the stream ends; estimated where the server did not say.
        """
        started = time.monotonic()
        usage: Usage | None = None
        characters = 0
        opened = False
        try:
            async with aclosing(self._sdk.stream(request)) as deltas:
                async for delta in deltas:
                    opened = True
                    characters += len(delta.text)
                    usage = delta.usage or usage
                    yield delta
        except CutStream as error:
            opened, usage = True, error.usage
            raise
        finally:
            if opened:
                used = usage or estimated(request, characters)
                await self._record(request.model, request.purpose, used, started)

    async def _with_lineage(self, card: ModelCard) -> ModelCard:
        if not card.tuned or not await self.is_engine():
            return card
        try:
            return replace(card, lineage=await self.local.lineage(card.id))
        except ApiError:
            return card  # the card is worth showing without it

    async def _record(self, model: str, purpose: str, usage: Usage, started: float) -> None:
        if self._ledger is None:
            return
        local = self.endpoint.kind is EndpointKind.LOCAL
        seconds = time.monotonic() - started
        device = seconds if local else 0.0
        cost = self._ledger.prices.cost(
            model,
            usage.prompt_tokens,
            usage.completion_tokens,
            kind=self.endpoint.kind,
            device_seconds=device,
        )
        row = LedgerRow(
            at=time.time(),
            endpoint=self.endpoint.name,
            model=model,
            purpose=purpose,
            workspace="",
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            device_seconds=device,
            cost=cost.value if cost else None,
            currency=cost.unit if cost else None,
            seconds=seconds,
        )
        try:
            # Shielded: a stream that is stopped by the person was used all the same.
            await asyncio.shield(asyncio.to_thread(self._ledger.record, row))
        except OSError as error:
            _LOG.warning("The usage ledger cannot be written: %s", error.strerror)
