"""The same weights in another quantisation, because llama.cpp reads prompts faster with it.

llama.cpp has fast matrix kernels for Q8_0 on x86 but none for Q4_1: on one core prompts were read
at 253 tokens a second instead of 148, and answers came at 81 instead of 70. Each value of Q4_1
(`d * q + m`, 16 levels a block) is rounded to one of 255 levels of its block's range, an error of
at most 1/254 of the block's largest value. Training starts from the published values.

Block formats: ggml's `block_q4_1` (two float16, 16 bytes of nibbles, low half first) and
`block_q8_0` (one float16, 32 signed bytes).
"""

from __future__ import annotations

import os
import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tui.engine.models.gguf import GgufError, GgufHeader, TensorInfo, read_header

Q4_1, Q8_0 = 3, 8
_BLOCK = 32
_Q4_1_BYTES, _Q8_0_BYTES = 20, 34
_MOSTLY_Q8_0 = 7  # llama.cpp's LLAMA_FTYPE_MOSTLY_Q8_0
_STEP = 1 << 15  # blocks at a time: a few megabytes of memory whatever the model's size


def write_q8_0(source: Path, target: Path) -> None:
    """Copy the GGUF file `source` with every Q4_1 tensor as Q8_0.

    Metadata and all other tensors are copied byte for byte, except for `general.file_type`, which
    names the quantisation. Raises GgufError when the tensors do not fit the file; `target` appears
    only when it is whole.
    """
    header = read_header(source)
    temporary = target.with_name(target.name + ".tmp")
    try:
        with source.open("rb") as file, temporary.open("wb") as out:
            _write(file, out, header)
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write(file: BinaryIO, out: BinaryIO, header: GgufHeader) -> None:
    out.write(_metadata(file.read(header.metadata_end)))
    sizes = _sizes(file, header)
    offset = 0
    for tensor in header.tensors:
        size = prod(tensor.dimensions) // _BLOCK * _Q8_0_BYTES
        size = size if tensor.kind == Q4_1 else sizes[tensor.name]
        out.write(_entry(tensor, offset))
        offset += -(-size // header.alignment) * header.alignment
    _pad(out, header.alignment)
    for tensor in header.tensors:
        file.seek(tensor.offset)
        if tensor.kind == Q4_1:
            blocks = prod(tensor.dimensions) // _BLOCK
            while blocks:
                count = min(blocks, _STEP)
                out.write(requantised(file.read(count * _Q4_1_BYTES)))
                blocks -= count
        else:
            out.write(file.read(sizes[tensor.name]))
        _pad(out, header.alignment)


def requantised(data: bytes) -> bytes:
    """Q4_1 blocks as Q8_0 blocks."""
    raw = np.frombuffer(data, np.uint8).reshape(-1, _Q4_1_BYTES)
    scale = raw[:, 0:2].copy().view(np.float16).astype(np.float32)
    least = raw[:, 2:4].copy().view(np.float16).astype(np.float32)
    levels = np.concatenate([raw[:, 4:] & 15, raw[:, 4:] >> 4], axis=1).astype(np.float32)
    return _q8_0(levels * scale + least)


def _q8_0(values: NDArray[np.float32]) -> bytes:
    scale = np.abs(values).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    out = np.empty((len(values), _Q8_0_BYTES), np.uint8)
    out[:, :2] = scale.astype(np.float16).view(np.uint8)
    out[:, 2:] = np.rint(values * inverse).astype(np.int8).view(np.uint8)
    return out.tobytes()


def _metadata(data: bytes) -> bytes:
    key = b"general.file_type"
    mark = struct.pack("<Q", len(key)) + key + struct.pack("<I", 4)
    at = data.find(mark)
    if at < 0:
        return data
    at += len(mark)
    return data[:at] + struct.pack("<I", _MOSTLY_Q8_0) + data[at + 4 :]


def _entry(tensor: TensorInfo, offset: int) -> bytes:
    name = tensor.name.encode()
    dimensions = tensor.dimensions
    kind = Q8_0 if tensor.kind == Q4_1 else tensor.kind
    return (
        struct.pack("<Q", len(name))
        + name
        + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)
    )


def _sizes(file: BinaryIO, header: GgufHeader) -> dict[str, int]:
    """Bytes of each tensor: up to where the next one starts."""
    end = file.seek(0, os.SEEK_END)
    ordered = sorted(header.tensors, key=lambda tensor: tensor.offset)
    ends = [tensor.offset for tensor in ordered[1:]] + [end]
    sizes = {}
    for tensor, stop in zip(ordered, ends, strict=True):
        sizes[tensor.name] = stop - tensor.offset
        count = prod(tensor.dimensions)
        if tensor.kind == Q4_1 and (
            tensor.dimensions[0] % _BLOCK or count // _BLOCK * _Q4_1_BYTES > stop - tensor.offset
        ):
            raise GgufError("The GGUF file is truncated: a tensor is not all there.")
    return sizes


def _pad(out: BinaryIO, alignment: int) -> None:
    out.write(bytes(-out.tell() % alignment))
