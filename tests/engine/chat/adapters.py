"""LoRA adapters for llama.cpp, made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.engine.models.gguf_bytes import gguf

_LAYERS, _WIDTH, _RANK, _FLOAT32 = 30, 576, 4, 0


def write_adapter(path: Path, seed: int, strength: float = 0.05) -> Path:
    """Random changes to every query projection of the bundled model."""
    random = np.random.default_rng(seed)
    tensors = []
    for layer in range(_LAYERS):
        name = f"blk.{layer}.attn_q.weight.lora_"
        down = random.normal(0, strength, (_RANK, _WIDTH)).astype(np.float32)
        up = random.normal(0, strength, (_WIDTH, _RANK)).astype(np.float32)
        tensors.append((name + "a", (_WIDTH, _RANK), _FLOAT32, down.tobytes()))
        tensors.append((name + "b", (_RANK, _WIDTH), _FLOAT32, up.tobytes()))
    metadata = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 32.0,
    }
    path.write_bytes(gguf(metadata, tensors))
    return path
