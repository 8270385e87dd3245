"""`/v1/embeddings`: vectors of texts, as numbers or as base64."""

from __future__ import annotations

import base64
import sys
import uuid
from array import array
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from tui.engine.server.answering import answered, usage, while_connected
from tui.engine.server.chat_request import Text
from tui.engine.server.errors import invalid_model, unprocessable
from tui.engine.server.ports import ModelInfo
from tui.engine.server.state import Engine

MAX_TEXTS = 512
MAX_CHARACTERS = 1_000_000
_MAX_TEXT = 32_768
_Input = Annotated[Text, Field(max_length=_MAX_TEXT)]


class EmbeddingIn(BaseModel):
    """The body of a request for embeddings."""

    model_config = ConfigDict(extra="forbid")
    model: Annotated[Text, Field(min_length=1, max_length=256)]
    input: _Input | Annotated[list[_Input], Field(min_length=1, max_length=MAX_TEXTS)]
    output_dimension: Annotated[int, Field(gt=0)] | None = None
    output_dtype: Literal["float", "int8", "uint8", "binary", "ubinary"] = "float"
    encoding_format: Literal["float", "base64"] = "float"
    metadata: dict[str, Any] | None = None
    # OpenAI's clients may name their user; it is taken and not used.
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        """What is to be embedded."""
        return [self.input] if isinstance(self.input, str) else list(self.input)


def routes(engine: Engine) -> APIRouter:
    """The route of embeddings."""
    router = APIRouter(tags=["embeddings"])

    @router.post("/v1/embeddings")
    async def embeddings(body: EmbeddingIn, request: Request) -> Response:
        """A vector for each text."""
        info = _usable(engine, body)
        work = engine.embedder.embed(info.id, body.texts)
        found = await while_connected(request, answered(work))
        form = _base64 if body.encoding_format == "base64" else _numbers
        return JSONResponse(
            {
                "id": uuid.uuid4().hex,
                "object": "list",
                "model": info.id,
                "usage": usage(found.tokens, 0),
                "data": [
                    {"object": "embedding", "index": index, "embedding": form(vector)}
                    for index, vector in enumerate(found.vectors)
                ],
            }
        )

    return router


def _usable(engine: Engine, body: EmbeddingIn) -> ModelInfo:
    info = engine.library.find(body.model)
    if info is None:
        raise invalid_model(body.model, engine.library.remedy(body.model))
    if info.kind != "embedding":
        raise invalid_model(
            body.model, "It chats. For embeddings: papertune model pull all-minilm-l6-v2"
        )
    if sum(map(len, body.texts)) > MAX_CHARACTERS:
        raise unprocessable(
            ["body", "input"],
            f"Value error, the texts have more than {MAX_CHARACTERS} characters; send fewer.",
            kind="too_long",
        )
    if body.output_dtype != "float":
        raise unprocessable(
            ["body", "output_dtype"], f"Value error, {info.id} gives float only.", body.output_dtype
        )
    if body.output_dimension not in (None, info.dimensions):
        raise unprocessable(
            ["body", "output_dimension"],
            f"Value error, the vectors of {info.id} have {info.dimensions} dimensions.",
            body.output_dimension,
        )
    return info


def _numbers(vector: array[float]) -> list[float]:
    return vector.tolist()


def _base64(vector: array[float]) -> str:
    """Little-endian float32, as OpenAI's clients read it."""
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode("ascii")
