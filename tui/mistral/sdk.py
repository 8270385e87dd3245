"""Chat, models, files and embeddings through the official SDK, in papertune's words.

The SDK is imported at the first call, in a thread: it takes twice as long as the app's own start.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tui.domain.chat import Usage
from tui.domain.errors import UsageError
from tui.domain.model import ModelCard
from tui.mistral import errors
from tui.mistral.http import Connection
from tui.mistral.retries import repeat
from tui.mistral.types import ChatRequest, Delta, FilePurpose, RemoteFile
from tui.text import visible

if TYPE_CHECKING:
    from mistralai.client import Mistral

T = TypeVar("T")

_NO_KEY = "none"  # the SDK would send $MISTRAL_API_KEY to any server if it were given no key
_LARGEST_FILE = 512 * 1024 * 1024
_PAGE = 100
_MOST_CHARACTERS_A_TOKEN = 64
_MOST_TOKENS = 32768


class _Silent:
    """In place of the SDK's debug logger, which writes headers if an environment variable asks."""

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""


class SdkRoutes:
    """The SDK over a Connection's pool: same timeouts, same errors, same retries as our routes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sdk: tuple[Any, Mistral] | None = None

    async def models(self) -> list[ModelCard]:
        """All models of the endpoint."""
        listed = await self._call(lambda sdk: sdk.models.list_async(), harmless=True)
        return [self._card(item) for item in listed.data or []]

    async def model(self, model_id: str) -> ModelCard:
        """One model's card."""
        card = await self._call(
            lambda sdk: sdk.models.retrieve_async(model_id=model_id), harmless=True
        )
        return self._card(card)

    async def delete_model(self, model_id: str) -> None:
        """Delete a fine-tuned model for good."""
        await self._call(lambda sdk: sdk.models.delete_async(model_id=model_id), harmless=False)

    async def archive(self, model_id: str, archived: bool) -> None:
        """Take a fine-tuned model out of use, or back into it."""
        await self._call(
            lambda sdk: (
                sdk.models.archive_async(model_id=model_id)
                if archived
                else sdk.models.unarchive_async(model_id=model_id)
            ),
            harmless=True,
        )

    async def upload(
        self, path: Path, *, purpose: FilePurpose = "fine-tune", name: str | None = None
    ) -> RemoteFile:
        """Send a file under `name`; raises UsageError when it is larger than the API takes."""
        size = (await asyncio.to_thread(path.stat)).st_size
        if size > _LARGEST_FILE:
            raise UsageError(
                f"{visible(str(path))} has {size / 2**20:.0f} MB; the API takes 512 MB a file.",
                "Split the dataset into smaller ones.",
            )

        async def send(sdk: Mistral) -> Any:
            with path.open("rb") as content:
                return await sdk.files.upload_async(
                    file={"file_name": name or path.name, "content": content}, purpose=purpose
                )

        file = _file(await self._call(send, harmless=False))
        if file.bytes != size:
            raise errors.not_the_api(
                self._connection.endpoint, f"{file.bytes} bytes for a file of {size}"
            )
        return file

    async def files(self, search: str = "") -> list[RemoteFile]:
        """All files of the endpoint, or those whose name contains `search`."""
        found: list[RemoteFile] = []
        page = 0
        while True:
            options: dict[str, Any] = {"page": page, "page_size": _PAGE}
            if search:
                options["search"] = search
            listed = await self._call(partial(_list_files, options=options), harmless=True)
            found += [_file(item) for item in listed.data]
            page += 1
            total = listed.total
            if len(listed.data) < _PAGE or not isinstance(total, int) or len(found) >= total:
                return found

    async def file(self, file_id: str) -> RemoteFile:
        """One file; raises AbsentError when the endpoint has it no longer."""
        return _file(
            await self._call(lambda sdk: sdk.files.retrieve_async(file_id=file_id), harmless=True)
        )

    async def delete_file(self, file_id: str) -> None:
        """Delete a file for good."""
        await self._call(lambda sdk: sdk.files.delete_async(file_id=file_id), harmless=False)

    async def embed(self, texts: Sequence[str], model: str) -> tuple[list[list[float]], Usage]:
        """One vector per text, in the texts' order."""
        reply = await self._call(
            lambda sdk: sdk.embeddings.create_async(model=model, inputs=list(texts)), harmless=True
        )
        rows = sorted(reply.data, key=lambda row: row.index or 0)
        vectors = [[float(value) for value in row.embedding or ()] for row in rows]
        if len(vectors) != len(texts) or not all(vectors):
            raise errors.not_the_api(
                self._connection.endpoint, f"{len(vectors)} vectors for {len(texts)} texts"
            )
        return vectors, _usage(reply.usage) or Usage()

    async def chat(self, request: ChatRequest) -> tuple[str, str, Usage, str | None]:
        """Text, model, usage and finish reason of a whole answer."""
        reply = await self._call(
            lambda sdk: sdk.chat.complete_async(**_arguments(request)), harmless=True
        )
        choice = reply.choices[0] if reply.choices else None
        if choice is None or choice.message is None:
            raise errors.not_the_api(self._connection.endpoint, "no choice")
        text = _text(choice.message.content)
        return text, str(reply.model), _usage(reply.usage) or Usage(), choice.finish_reason

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer as it comes.

        Raises ApiError before the first piece, CutStream with what had come after it: when the
        connection breaks, the server falls silent, sends something else, ends without a finish
        reason (which the SDK passes over in silence) or does not end at all. Closing the
        generator, or cancelling the task that reads it, closes the request.
        """
        opened = await self._call(
            lambda sdk: sdk.chat.stream_async(**_arguments(request)), harmless=True
        )
        pieces: list[str] = []
        length = 0
        usage: Usage | None = None
        finished = False
        most = (request.max_tokens or _MOST_TOKENS) * _MOST_CHARACTERS_A_TOKEN

        def cut(why: str) -> errors.CutStream:
            return errors.CutStream(
                f"'{self._connection.endpoint.name}' broke off its answer: {why}.",
                "Ask again; what had come is kept.",
                partial="".join(pieces),
                usage=usage or estimated(request, length),
            )

        async with opened as events:
            while True:
                try:
                    event = await anext(events)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    raise cut(self._why(error)) from None
                chunk = event.data
                usage = _usage(chunk.usage) or usage
                if not chunk.choices:
                    continue
                choice = chunk.choices[0]
                text = _text(choice.delta.content)
                length += len(text)
                pieces.append(text)
                if length > most:
                    raise cut("it goes on without end")
                if choice.finish_reason:
                    finished = True
                    yield Delta(
                        text, str(choice.finish_reason), usage or estimated(request, length)
                    )
                    break
                if text:
                    yield Delta(text)
        if not finished:
            raise cut("it ended in the middle")

    async def _call(self, call: Callable[[Mistral], Awaitable[T]], *, harmless: bool) -> T:
        sdk = await self._client()

        async def once() -> T:
            try:
                return await call(sdk)
            except Exception as error:
                raise self._connection.normalised(error) from None

        return await repeat(once, self._connection.policy, harmless=harmless)

    async def _client(self) -> Mistral:
        """The SDK on the running loop's pool."""
        pool = self._connection.pool
        if self._sdk is None or self._sdk[0] is not pool:
            module = await asyncio.to_thread(importlib.import_module, "mistralai.client")
            key = self._connection.key
            sdk: Mistral = module.Mistral(
                api_key=key.reveal() if key else _NO_KEY,
                server_url=self._connection.endpoint.url,
                async_client=pool,
                timeout_ms=int(self._connection.seconds * 1000),
                debug_logger=_Silent(),
            )
            self._sdk = (pool, sdk)
        return self._sdk[1]

    def _why(self, error: Exception) -> str:
        """Why a stream broke, in a clause; a server's error in mid-stream in its own words."""
        body = getattr(error, "body", None)
        if isinstance(body, str) and (
            said := errors.sentence(self._connection.redacted(body.encode()))
        ):
            return said
        known = self._connection.normalised(error)
        return getattr(known, "message", "").rstrip(".") or "it failed"

    def _card(self, card: Any) -> ModelCard:
        raw = (
            card.raw
            if getattr(card, "is_unknown", False)
            else card.model_dump(mode="json", by_alias=True)
        )
        raw = raw if isinstance(raw, dict) else {}
        return ModelCard(
            id=str(raw.get("id") or ""),
            endpoint=self._connection.endpoint.name,
            type=str(raw.get("type") or "base"),
            name=str(raw.get("name") or ""),
            description=str(raw.get("description") or ""),
            root=str(raw.get("root") or ""),
            job=str(raw.get("job") or ""),
            archived=bool(raw.get("archived")),
            context=int(raw.get("max_context_length") or 32768),
            raw=raw,
        )


async def _list_files(sdk: Mistral, options: dict[str, Any]) -> Any:
    return await sdk.files.list_async(**options)


def estimated(request: ChatRequest, characters: int) -> Usage:
    """Usage of a call whose server did not say it, at four characters a token."""
    asked = sum(len(turn.content) for turn in request.messages)
    return Usage(-(-asked // 4), -(-characters // 4))


def _arguments(request: ChatRequest) -> dict[str, Any]:
    """The SDK's arguments; what is left to the server is left out."""
    messages: list[dict[str, Any]] = [
        {"role": turn.role, "content": turn.content} for turn in request.messages
    ]
    if request.prefix:
        messages.append({"role": "assistant", "content": request.prefix, "prefix": True})
    given = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "random_seed": request.random_seed,
        "stop": list(request.stop) or None,
        "response_format": _format(request),
    }
    return {
        "model": request.model,
        "messages": messages,
        **{name: value for name, value in given.items() if value is not None},
    }


def _format(request: ChatRequest) -> dict[str, Any] | None:
    if request.schema is None:
        return None
    schema = {"name": "answer", "schema_definition": dict(request.schema), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _text(content: Any) -> str:
    """The text of a message: a text, or chunks of which the textual ones count."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(getattr(chunk, "text", "") or "" for chunk in content)
    return ""


def _usage(usage: Any) -> Usage | None:
    if usage is None:
        return None
    return Usage(int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0))


def _file(file: Any) -> RemoteFile:
    lines = file.num_lines
    return RemoteFile(
        id=str(file.id),
        name=str(file.filename),
        bytes=int(file.size_bytes),
        lines=lines if isinstance(lines, int) else None,
        sample_type=str(file.sample_type),
        created_at=int(file.created_at),
    )
