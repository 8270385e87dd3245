"""Making a checked GGUF file ready: tokenizer, chat template, a copy that chat reads fast, a card.

No torch is needed here, so a newcomer chats before the trainer is installed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tui.engine.models.catalogue import KnownModel
from tui.engine.models.gguf import read_header
from tui.engine.models.requantise import Q4_1, write_q8_0
from tui.engine.models.tokenizer import write_tokenizer
from tui.formats.chat_template import ChatTemplate
from tui.storage.atomic import write_json

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
    weights = folder / "model.gguf"
    header = read_header(weights)
    requantised = any(tensor.kind == Q4_1 for tensor in header.tensors)
    if requantised:
        write_q8_0(weights, folder / CHAT_WEIGHTS)
    (folder / HF).mkdir(exist_ok=True)
    write_tokenizer(header, folder / HF, model.template)
    note = _Q8_NOTE if requantised else "as published"
    write_json(folder / CARD, _card(model, engine="llama.cpp", weights=note))


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
