"""What a folder in Hugging Face's layout holds, read from its own files without torch."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from math import prod
from pathlib import Path
from typing import Any

from tui.domain.errors import PapertuneError
from tui.engine.models.errors import PullError
from tui.formats.chat_template import ChatTemplate
from tui.formats.tokenizer import ModelTokenizer
from tui.text import visible

_MAX_HEADER = 100_000_000
_CHUNK = 1 << 20
_DEFAULT_CONTEXT = 2048


def describe(folder: Path) -> dict[str, Any]:
    """The card of the model in `folder`, without its name and where it comes from.

    Raises PullError when it is neither a model that chats nor an encoder of sentences, or when
    its files are damaged.
    """
    config = _json(folder / "config.json")
    weights = sorted(folder.glob("*.safetensors"))
    tensors = [_header(path) for path in weights]
    if not tensors:
        raise PullError("There are no safetensors in it.", "Choose another repository.")
    value: dict[str, Any] = {
        "sha256": _checksum(weights),
        "parameters": sum(prod(shape) for names in tensors for shape in names.values()),
        "bytes": sum(path.stat().st_size for path in weights),
        "weights": "as published",
        "architecture": visible(str(config.get("model_type") or "")),
        "created": int(time.time()),
        "defaults": {},
    }
    if config.get("model_type") == "bert" and "num_hidden_layers" in config:
        return value | _encoder(folder, config)
    template = _template(folder)
    return value | {
        "kind": "chat",
        "engine": "transformers",
        "template_sha256": template.sha256,
        "context": _context(config),
    }


def _encoder(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    pooling = _json(folder / "1_Pooling/config.json", required=False)
    sizes = _json(folder / "sentence_bert_config.json", required=False)
    kind = "cls" if pooling.get("pooling_mode_cls_token") else "mean"
    longest = int(config["max_position_embeddings"])
    return {
        "kind": "embedding",
        "engine": "numpy",
        "pooling": kind,
        "dimensions": int(config["hidden_size"]),
        "context": min(longest, int(sizes.get("max_seq_length") or longest)),
    }


def _template(folder: Path) -> ChatTemplate:
    try:
        template = ModelTokenizer.from_folder(folder).template
    except PapertuneError as error:
        raise PullError(f"Its tokenizer cannot be used: {error.message}") from error
    if not template.source:
        raise PullError(
            "It has no chat template, so it cannot be asked anything.",
            "Choose the instruct or chat version of the model.",
        )
    return template


def _context(config: dict[str, Any]) -> int:
    inner = config.get("text_config")
    found = config.get("max_position_embeddings") or (
        inner.get("max_position_embeddings") if isinstance(inner, dict) else None
    )
    return int(found or _DEFAULT_CONTEXT)


def _header(path: Path) -> dict[str, list[int]]:
    """Tensor names and shapes of a safetensors file, checked against the bytes that are there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(_MAX_HEADER, size - 8):
            raise PullError(f"{visible(path.name)} is no safetensors file.", "Pull again.")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    shapes = {str(name): list(entry["shape"]) for name, entry in header.items()}
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if end + 8 + length != size:
        raise PullError(f"{visible(path.name)} is cut short.", "Pull again.")
    return shapes


def _checksum(paths: list[Path]) -> str:
    """The SHA-256 of the weights; of several files, that of their checksums in order."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _json(path: Path, *, required: bool = True) -> dict[str, Any]:
    if not required and not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PullError(f"{visible(path.name)} is missing or damaged.", "Pull again.") from error
    if not isinstance(found, dict):
        raise PullError(f"{visible(path.name)} is damaged.", "Pull again.")
    return found
