"""A LoRA adapter added into its base model's weights, tensor by tensor and without torch."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tui.domain.errors import PapertuneError
from tui.text import visible

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
_LONGEST_HEADER = 100_000_000
_WIDTH = {"F32": 4, "F16": 2, "BF16": 2}


class MergeError(PapertuneError):
    """The adapter and the base model's weights do not fit together."""


def merge(base: Path, adapter: Path, target: Path) -> int:
    """Write the safetensors file `base` with the adapter in a folder added; the tensors changed.

    Each weight becomes W + scale * B A, computed in float32 and kept in the base's own format.
    One tensor is in memory at a time. Raises MergeError for an adapter that is more than plain
    LoRA, or that belongs to other weights.
    """
    settings = json.loads((adapter / "adapter_config.json").read_bytes())
    if settings.get("use_dora") or settings.get("modules_to_save") or settings.get("rank_pattern"):
        raise MergeError("The adapter is more than plain LoRA and cannot be merged here.")
    rank = float(settings["r"])
    scale = settings["lora_alpha"] / (rank**0.5 if settings.get("use_rslora") else rank)
    pairs = _pairs(adapter / "adapter_model.safetensors")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with base.open("rb") as source, temporary.open("wb") as out:
            header, start = _header(source)
            tensors = {name: item for name, item in header.items() if name != "__metadata__"}
            if missing := sorted(set(pairs) - set(tensors)):
                raise MergeError(
                    f"The base model has no tensor '{visible(missing[0])}'.",
                    "Export the adapter instead: --form peft",
                )
            text = json.dumps(header).encode()
            text += b" " * (-len(text) % 8)
            out.write(struct.pack("<Q", len(text)) + text)
            for name, item in sorted(tensors.items(), key=lambda pair: pair[1]["data_offsets"][0]):
                begin, end = item["data_offsets"]
                source.seek(start + begin)
                data = source.read(end - begin)
                if name in pairs:
                    down, up = pairs[name]
                    data = _added(name, item, data, scale * (up @ down))
                out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return len(pairs)


def _pairs(path: Path) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The matrices A and B of each weight, by the weight's name in the base model."""
    found: dict[str, dict[str, NDArray[np.float32]]] = {}
    with path.open("rb") as source:
        header, start = _header(source)
        for name, item in header.items():
            if name == "__metadata__":
                continue
            end = next((end for end in (_A, _B) if name.endswith(end)), None)
            if end is None or not name.startswith(_PREFIX):
                raise MergeError(f"The adapter has a tensor '{visible(name)}' that is no LoRA.")
            source.seek(start + item["data_offsets"][0])
            data = source.read(item["data_offsets"][1] - item["data_offsets"][0])
            weight = name.removeprefix(_PREFIX).removesuffix(end) + ".weight"
            found.setdefault(weight, {})[end] = _values(item, data)
    return {name: (sides[_A], sides[_B]) for name, sides in found.items() if len(sides) == 2}


def _header(source: BinaryIO) -> tuple[dict[str, Any], int]:
    length = int(struct.unpack("<Q", source.read(8))[0])
    if length > _LONGEST_HEADER:
        raise MergeError("The weights' file is damaged.")
    header: dict[str, Any] = json.loads(source.read(length))
    return header, 8 + length


def _added(name: str, item: dict[str, Any], data: bytes, change: NDArray[np.float32]) -> bytes:
    values = _values(item, data)
    if values.shape != change.shape:
        raise MergeError(f"The adapter does not fit the base model's '{visible(name)}'.")
    return _packed(item["dtype"], values + change)


def _values(item: dict[str, Any], data: bytes) -> NDArray[np.float32]:
    kind = item["dtype"]
    if kind not in _WIDTH:
        raise MergeError(f"Weights of type {visible(str(kind))} cannot be merged here.")
    if kind == "BF16":  # the upper half of a float32
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        flat: NDArray[np.float32] = wide.view(np.float32)
    else:
        flat = np.frombuffer(data, "<f4" if kind == "F32" else "<f2").astype(np.float32)
    return flat.reshape(item["shape"])


def _packed(kind: str, values: NDArray[np.float32]) -> bytes:
    if kind == "BF16":
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        # to the nearest, ties to even, as hardware does
        rounded = bits + 0x7FFF + ((bits >> 16) & 1)
        return (rounded >> 16).astype("<u2").tobytes()
    return values.astype("<f4" if kind == "F32" else "<f2").tobytes()
