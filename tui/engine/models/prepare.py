"""Making a checked GGUF file ready: tokenizer, chat template, a copy that chat reads fast, a card.

No torch is needed here, so a newcomer chats before the trainer is installed.
"""

from __future__ import annotations

import time
from math import prod
from pathlib import Path
from typing import Any

from tui.engine.models.catalogue import KnownModel
from tui.engine.models.errors import PullError
from tui.engine.models.gguf import GgufHeader, read_header
from tui.engine.models.requantise import Q4_1, write_q8_0
from tui.engine.models.tokenizer import context_length, write_tokenizer
from tui.formats.chat_template import ChatTemplate
from tui.storage.atomic import write_json
from tui.text import visible

CARD = "papertune.json"
HF = "hf"
CHAT_WEIGHTS = "chat.gguf"
_Q8_NOTE = "Q4_1 as published; chat reads the same values rounded to Q8_0, which is faster"


def prepare(folder: Path, model: KnownModel) -> None:
    """Write what the model's files need beside them; the card last.

    Raises PapertuneError when the file's tokenizer or architecture is not supported.
    """
    if model.kind == "embedding":
        write_json(folder / CARD, _card(model, engine="numpy", weights="as published"))
        return
    header = read_header(folder / "model.gguf")
    note = _chat_weights(folder, header)
    (folder / HF).mkdir(exist_ok=True)
    write_tokenizer(header, folder / HF, model.template)
    write_json(folder / CARD, _card(model, engine="llama.cpp", weights=note))


def prepare_gguf(folder: Path) -> dict[str, Any]:
    """Make the foreign file `folder/model.gguf` ready by what stands in it; most of its card.

    Raises PapertuneError when its tokenizer cannot be rebuilt or it has no chat template.
    """
    header = read_header(folder / "model.gguf")
    template = header.text("tokenizer.chat_template")
    if not template:
        raise PullError(
            "The file has no chat template, so it cannot be asked anything.",
            "Choose the instruct or chat version of the model.",
        )
    (folder / HF).mkdir(exist_ok=True)
    write_tokenizer(header, folder / HF, template)
    return {
        "kind": "chat",
        "title": visible(header.text("general.name")),
        "license": visible(header.text("general.license")),
        "template_sha256": ChatTemplate(template).sha256,
        "context": context_length(header),
        "parameters": sum(prod(tensor.dimensions) for tensor in header.tensors),
        "bytes": (folder / "model.gguf").stat().st_size,
        "architecture": visible(header.text("general.architecture")),
        "engine": "llama.cpp",
        "weights": _chat_weights(folder, header),
        "created": int(time.time()),
        "defaults": {},
    }


def _chat_weights(folder: Path, header: GgufHeader) -> str:
    """Write the copy that chat reads faster, where there is one; what the card says of it."""
    if not any(tensor.kind == Q4_1 for tensor in header.tensors):
        return "as published"
    write_q8_0(folder / "model.gguf", folder / CHAT_WEIGHTS)
    return _Q8_NOTE


def _card(model: KnownModel, *, engine: str, weights: str) -> dict[str, Any]:
    """What the engine, the trainer and the chat need to know of a base model."""
    value: dict[str, Any] = {
        "id": model.id,
        "kind": model.kind,
        "title": model.title,
        "source": model.source.requirement,
        "license": model.license,
        "sha256": model.sha256,
        "context": model.context,
        "parameters": model.parameters,
        "engine": engine,
        "weights": weights,
        "created": int(time.time()),
        "defaults": dict(model.defaults),
    }
    if model.kind == "embedding":
        return value | {"pooling": model.pooling, "dimensions": model.dimensions}
    return value | {"template_sha256": ChatTemplate(model.template).sha256}
