"""What this machine can train and serve: memory counted and speed measured here, now.

Memory follows from a model's shape (`tui.engine.models.shapes`). Speed is a bound, not a promise:
an answer reads every weight once a token, so it comes at most as fast as memory can be read; LoRA
multiplies each weight twice forwards and twice backwards a token, so it trains at most as fast as
matrices can be multiplied. Both rates are measured for a moment on the cores that are free now. Of
a GPU only the memory is known without loading torch; its speed shows in a job's warm-up.
"""

from __future__ import annotations

import time
from typing import Any

from tui.engine.device import gpus
from tui.engine.models.shapes import SHAPES, Shape

_MEASURED_SECONDS = 0.4
_MATRIX = 1024
_READ_BYTES = 256 * 2**20
# Of a training process beside its model: libraries and their buffers, measured with torch 2.13.
_LIBRARIES = 700 * 2**20
# Of activations, a token, unit of width and layer: measured in fp32 on SmolLM2-135M.
_ACTIVATION_BYTES = 128
_TOKENS_AT_ONCE = 1024
_RANK = 16
_CONTEXT = 4096


def recommend() -> dict[str, Any]:
    """`{"machine", "models"}`: what was measured, and each known shape with what it takes here.

    Blocks for about a second.
    """
    import psutil

    found = gpus()
    free = int(psutil.virtual_memory().available)
    graphics = max(((gpu.total_mb - gpu.used_mb) * 2**20 for gpu in found), default=0)
    multiplied, read = _multiplied(), _read()
    machine = {
        "memory_free": free,
        "gpus": [gpu.name for gpu in found],
        "gpu_memory_free": graphics,
        "multiply_adds_per_second": round(multiplied),
        "bytes_read_per_second": round(read),
    }
    return {
        "machine": machine,
        "models": [_judged(shape, free, graphics, multiplied, read) for shape in SHAPES],
    }


def _judged(
    shape: Shape, free: int, graphics: int, multiplied: float, read: float
) -> dict[str, Any]:
    train_cpu, train_gpu = training_bytes(shape, 4), training_bytes(shape, 2)
    serve_cpu, serve_gpu = serving_bytes(shape, 8.5 / 8), serving_bytes(shape, 2)
    weights = shape.parameters * 8.5 / 8
    return {
        "model": shape.repo,
        "parameters": shape.parameters,
        "train": {
            "where": "gpu" if train_gpu <= graphics else "cpu" if train_cpu <= free else "",
            "bytes": train_gpu if train_gpu <= graphics else train_cpu,
            "tokens_per_second_at_most": None
            if train_gpu <= graphics
            else round(multiplied / (2 * shape.parameters), 1),
        },
        "serve": {
            "where": "gpu" if serve_gpu <= graphics else "cpu" if serve_cpu <= free else "",
            "bytes": serve_gpu if serve_gpu <= graphics else serve_cpu,
            "tokens_per_second_at_most": None
            if serve_gpu <= graphics
            else round(read / weights, 1),
        },
    }


def training_bytes(shape: Shape, width: int) -> int:
    """Bytes at the peak of LoRA with weights of `width` bytes: weights, LoRA with gradient and
    both moments, activations of one part, its logits."""
    lora = shape.layers * _RANK * (11 * shape.width + 3 * shape.inner)
    activations = _TOKENS_AT_ONCE * shape.layers * shape.width * _ACTIVATION_BYTES * width // 4
    logits = 8 * shape.words * _TOKENS_AT_ONCE // 4
    return _LIBRARIES + width * shape.parameters + 16 * lora + activations + logits


def serving_bytes(shape: Shape, width: float) -> int:
    """Bytes of an answering process: weights of `width` bytes (Q8_0: 8.5 bits) and one context."""
    cache = 2 * 2 * _CONTEXT * shape.layers * shape.kv_width
    return int(shape.parameters * width) + cache + 2**28


def _multiplied() -> float:
    """Multiply-adds a second of float32 matrices on the cores that are free now."""
    import numpy as np

    left = np.ones((_MATRIX, _MATRIX), np.float32)
    left @ left
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < _MEASURED_SECONDS:
        left @ left
        count += 1
    return count * _MATRIX**3 / (time.perf_counter() - began)


def _read() -> float:
    """Bytes of memory read a second."""
    import numpy as np

    block = np.ones(_READ_BYTES // 8, np.float64)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < _MEASURED_SECONDS:
        block.sum()
        count += 1
    return count * _READ_BYTES / (time.perf_counter() - began)


if __name__ == "__main__":
    import json
    import sys

    json.dump(recommend(), sys.stdout)
