"""Small GGUF files, made by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from tokenizers import pre_tokenizers

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if value and isinstance(value[0], int):
        packed = struct.pack(f"<{len(value)}i", *value)
        return text(key) + struct.pack("<IIQ", 9, 5, len(value)) + packed
    return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))


def gguf(
    metadata: dict[str, Any],
    tensors: Sequence[tuple[str, tuple[int, ...], int, bytes]] = (),
    *,
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(entry(key, value) for key, value in metadata.items())
    data = b""
    for name, dimensions, kind, content in tensors:
        head += text(name) + struct.pack("<I", len(dimensions))
        head += struct.pack(f"<{len(dimensions)}QIQ", *dimensions, kind, len(data))
        data += content + bytes(-len(content) % alignment)
    return head + bytes(-len(head) % alignment) + data


def tiny_model(**changes: Any) -> bytes:
    """A file with a byte-level vocabulary and one Q4_1 tensor of two blocks."""
    tokens = [*CONTROL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "the"]
    metadata: dict[str, Any] = {
        "general.architecture": "llama",
        "general.file_type": 3,
        "llama.context_length": 128,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * len(CONTROL) + [1] * (len(tokens) - len(CONTROL)),
        "tokenizer.ggml.merges": ["t h", "th e"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    } | changes
    block = struct.pack("<ee", 0.5, -2.0) + bytes(range(16))
    return gguf(metadata, [("blk.0.attn_q.weight", (32, 2), 3, block * 2)])
