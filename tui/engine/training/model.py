"""The model that is trained: loaded, with LoRA on every linear layer, and its loss.

Everything that a Python class of a model repository could do stays undone: weights come from
safetensors only, and no code from a repository runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from tui.engine.training.fused import fuse
from tui.formats.labels import Encoded

# Tokens that go through the model at once. A batch of more is cut into parts whose gradients add
# up to the same: memory then depends on this and not on the batch or the length of its rows.
_PART_TOKENS = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one length: `ids` and `loss` are [rows, tokens], padded on the right.

    Attention looks back only, so what pads the right end is seen by nothing and needs no mask.
    """

    ids: torch.Tensor
    loss: torch.Tensor


@dataclass(frozen=True, slots=True)
class Measured:
    """Sums over the label tokens of a part: loss in nats, right predictions, their number."""

    loss: torch.Tensor
    right: torch.Tensor
    labels: int


def pick_device() -> torch.device:
    """A GPU when there is one (`CUDA_VISIBLE_DEVICES` is respected), else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 only where the hardware computes in it: emulated it is up to ten times slower."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
        return torch.bfloat16
    return torch.float32


def load(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """The base model in a Hugging Face folder, ready to have an adapter put on."""
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        attn_implementation="sdpa",
    )
    model.config.use_cache = False
    return model.to(device)


def add_lora(model: Any, rank: int, alpha: int) -> PeftModel:
    """LoRA on all linear layers but the head; its weights are fp32 whatever the base's."""
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules="all-linear",
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
    tuned = get_peft_model(model, config)
    fuse(tuned)
    return tuned


def parts(rows: Sequence[Encoded], device: torch.device) -> list[Batch]:
    """Rows as tensors, longest first, in as few parts as the memory's bound allows."""
    limit = _PART_TOKENS.get(device.type, 1024)
    ordered = sorted(rows, key=lambda row: len(row.input_ids), reverse=True)
    made: list[torch.Tensor] = []
    at = 0
    while at < len(ordered):
        width = len(ordered[at].input_ids)
        count = max(1, limit // width)
        made.append(_batch(ordered[at : at + count], width).to(device))
        at += count
    return [Batch(both[0], both[1].bool()) for both in made]


def _batch(rows: Sequence[Encoded], width: int) -> torch.Tensor:
    both = torch.zeros((2, len(rows), width), dtype=torch.long)
    for n, row in enumerate(rows):
        both[0, n, : len(row.input_ids)] = torch.tensor(row.input_ids)
        both[1, n, : len(row.loss)] = torch.tensor(row.loss)
    return both


def measure(model: Any, batch: Batch, *, count_right: bool) -> Measured:
    """The loss of a part, its head computed only where there is something to predict.

    With a vocabulary of 49,152 the logits of all tokens would take more memory than the model.
    """
    wanted = batch.loss[:, 1:]
    targets = batch.ids[:, 1:][wanted]
    with _head_at(model, wanted):
        logits = model(input_ids=batch.ids, use_cache=False).logits.float()
    loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    right = (logits.argmax(-1) == targets).sum() if count_right else torch.zeros(())
    return Measured(loss, right, len(targets))


@contextmanager
def _head_at(model: Any, wanted: torch.Tensor) -> Iterator[None]:
    """Let the head see only the hidden states [rows, tokens - 1] that are wanted, flattened."""

    def select(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (inputs[0][:, :-1][wanted],)

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()


def evaluate(model: Any, rows: Sequence[Encoded], device: torch.device) -> tuple[float, float]:
    """Mean loss in nats per label token, and the share of label tokens predicted right."""
    was_training = model.training
    model.eval()
    loss = right = 0.0
    labels = 0
    try:
        with torch.inference_mode():
            for batch in parts(rows, device):
                measured = measure(model, batch, count_right=True)
                loss += float(measured.loss)
                right += float(measured.right)
                labels += measured.labels
    finally:
        model.train(was_training)
    return (loss / labels, right / labels) if labels else (math.nan, math.nan)
