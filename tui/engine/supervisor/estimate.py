"""What a job will take on this engine's devices: steps, tokens, memory, time, price.

Tokens are counted by the model's own tokenizer. Time comes from a short real training of the same
model, files and options, or from the last job on the model; memory from that training, or from a
formula.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tui.engine.device import gpus
from tui.engine.home import EngineHome
from tui.engine.settings import Price
from tui.engine.store.jobs import StoredJob
from tui.engine.supervisor.prepare import Prepared, Trainable, settled, spec_of
from tui.engine.supervisor.process import open_environment

WARM_UP_STEPS = 4
_WARM_UP_SECONDS = 240
_LIBRARIES = 700 * 2**20
# Bytes of activations for one token and one unit of width in one layer, forward and backward of a
# llama block in fp32: SmolLM2-135M peaks at 2.9 GB with 512 tokens at once, all of them labels.
_ACTIVATION_BYTES = 150
# Tokens that go through the model at once, as the trainer cuts its batches.
_ON_CPU, _ON_GPU = 512, 8192


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A short training: trained tokens per second, bytes at the peak, seconds to the first step."""

    tokens_per_second: float
    peak_bytes: int
    start_seconds: float


def memory_present() -> int:
    """Bytes that a job could have now: of the emptiest GPU, or of this machine."""
    found = gpus()
    if found:
        return max(gpu.total_mb - gpu.used_mb for gpu in found) * 2**20
    return int(psutil.virtual_memory().available)


def memory_needed(model: Trainable, options: dict[str, Any], seq_len: int) -> int | None:
    """Bytes at the peak, from the model's shape; None when its config does not tell it."""
    try:
        config = json.loads((model.folder / "hf" / "config.json").read_bytes())
        width, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
        inner, words = int(config["intermediate_size"]), int(config["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    weights = layers * (4 * width * width + 3 * width * inner) + words * width
    lora = layers * int(options["lora_rank"]) * (11 * width + 3 * inner)
    on_gpu = bool(gpus())
    at_once = _ON_GPU if on_gpu else _ON_CPU
    tokens = min(max(at_once, seq_len), seq_len * int(options["batch_size"]))
    activations = tokens * layers * width * _ACTIVATION_BYTES
    # weights, LoRA with gradient and both moments, the logits of labels three times over
    return (
        _LIBRARIES + (2 if on_gpu else 4) * weights + 16 * lora + activations + 12 * words * tokens
    )


def warm_up(
    home: EngineHome, job: StoredJob, model: Trainable, command: tuple[str, ...], threads: int
) -> WarmUp | None:
    """Train a few steps for real, in a folder that is removed again; None when that failed."""
    with tempfile.TemporaryDirectory(dir=home.root, prefix="warm-up-") as name:
        folder = Path(name)
        spec = spec_of(job, model, home, threads)
        spec["hyperparameters"] |= {"training_steps": WARM_UP_STEPS}
        spec["validation"] = []
        (folder / "spec.json").write_text(json.dumps(spec))
        try:
            subprocess.run(
                [*command, str(folder)],
                env=open_environment() | {"OMP_NUM_THREADS": str(threads)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_WARM_UP_SECONDS,
                check=False,
            )
            status = json.loads((folder / "status.json").read_bytes())
            lines = (folder / "metrics.jsonl").read_text().splitlines()
            points = [json.loads(line) for line in lines]
            # the first step warms caches up; it belongs to the start
            seconds = points[-1]["at"] - points[0]["at"]
            trained = points[-1]["tokens"] - points[0]["tokens"]
            took = json.loads((folder / "took.json").read_bytes())["device_seconds"]
            return WarmUp(
                trained / seconds, int(status.get("peak_bytes") or 0), max(0.0, took - seconds)
            )
        except (OSError, ValueError, KeyError, IndexError, ZeroDivisionError):
            return None
        except subprocess.TimeoutExpired:
            return None


def document(
    job: StoredJob,
    model: Trainable,
    prepared: Prepared,
    price: Price,
    measured: WarmUp | None,
    devices: int,
) -> dict[str, Any]:
    """The answer of `POST /local/jobs/estimate`; money only where a rate was set."""
    hyperparameters, options = settled(job, model)
    metadata = prepared.metadata
    seconds = float(metadata["expected_duration_seconds"])
    needed = memory_needed(model, options, int(hyperparameters["seq_len"]))
    if measured is not None:
        seconds = measured.start_seconds + metadata["train_tokens"] / measured.tokens_per_second
        needed = max(needed or 0, measured.peak_bytes) if measured.peak_bytes else needed
    present = memory_present()
    cost = seconds / 3600 * price.device_hour * devices if price.device_hour else None
    return {
        "object": "job.estimate",
        "model": model.id,
        "steps": prepared.hyperparameters["training_steps"],
        "epochs": prepared.hyperparameters["epochs"],
        "examples": metadata["examples"],
        "truncated": metadata["truncated"],
        "data_tokens": metadata["data_tokens"],
        "tokens": metadata["train_tokens"],
        "tokens_per_step": metadata["train_tokens_per_step"],
        "seconds": math.ceil(seconds),
        "measured": measured is not None,
        "tokens_per_second": round(measured.tokens_per_second, 1) if measured else None,
        "devices": devices,
        "memory": {
            "needed": needed,
            "present": present,
            "fits": needed is None or needed < present,
        },
        "cost": None if cost is None else round(cost, 4),
        "currency": price.currency if cost is not None else None,
        "hyperparameters": prepared.hyperparameters,
        "options": options,
    }
