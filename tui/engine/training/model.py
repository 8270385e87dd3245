"""The model that is trained: loaded, with LoRA on every linear layer, and its loss.

Everything that a Python class of a model repository could do stays undone: weights come from
safetensors only, and no code from a repository runs.
"""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from tui.domain.errors import PapertuneError, UsageError
from tui.engine.training.fused import fuse
from tui.engine.training.ranks import Ranks
from tui.formats.labels import Encoded
from tui.text import visible

# Tokens that go through the model at once. A batch of more is cut into parts whose gradients add
# up to the same: memory then depends on this and not on the batch or the length of its rows. On a
# CPU 4 rows of 256 tokens peak at 2.9 GB in parts of 512, at 3.4 GB in one of 1024, equally fast.
_PART_TOKENS = {"cpu": 512, "cuda": 8192}


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
    """A GPU when there is one (`CUDA_VISIBLE_DEVICES` is respected), else the CPU.

    Of several, each process that torchrun started on a machine has its own. Raises PapertuneError
    when this job was given a GPU that is not there: on the processor it would take for ever.
    """
    if not torch.cuda.is_available():
        given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        if torch.version.cuda is not None and given not in ("", "-1", "NoDevFiles"):
            raise PapertuneError(
                f"The GPU that this job was given ({visible(given)}) is gone or cannot be used.",
                "Check it with nvidia-smi, then start the job again: it goes on from its last"
                " checkpoint.",
            )
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def device_name(device: torch.device) -> str:
    """`cpu`, or what the GPU is called."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else "cpu"


def memory() -> dict[str, int]:
    """Bytes this process took at its peak, of the GPU or of the machine, and what there is."""
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return {
            "peak_bytes": max(torch.cuda.max_memory_reserved(), total - free),
            "total_bytes": total,
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak_bytes": peak, "total_bytes": psutil.virtual_memory().total}


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


def add_lora(model: Any, rank: int, alpha: int, modules: Sequence[str] = ()) -> PeftModel:
    """LoRA on the layers named, or on all linear ones but the head; fp32 whatever the base's.

    Raises UsageError for a name that no linear layer of the model has.
    """
    _check_names(model, modules)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=list(modules) if modules else "all-linear",
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
    tuned = get_peft_model(model, config)
    fuse(tuned)
    return tuned


def _check_names(model: Any, modules: Sequence[str]) -> None:
    linear = {
        name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)
    } - {"lm_head"}
    for wanted in modules:
        if not any(name == wanted or name.endswith(f".{wanted}") for name in linear):
            last = sorted({name.rpartition(".")[2] for name in linear})
            raise UsageError(
                f"The model has no linear layer '{visible(wanted)}' that could be trained.",
                f"Its layers are: {', '.join(last)}.",
            )


def parts(rows: Sequence[Encoded], device: torch.device) -> list[Batch]:
    """Rows as tensors, longest first, in as few parts as the memory's bound allows."""
    limit = _PART_TOKENS.get(device.type, 512)
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

    plain = getattr(model, "module", model)  # within what averages gradients over processes
    hook = plain.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()


def evaluate(
    model: Any,
    rows: Sequence[Encoded],
    device: torch.device,
    ranks: Ranks = Ranks(),  # noqa: B008  it is frozen
) -> tuple[float, float]:
    """Mean loss in nats per label token, and the share of label tokens predicted right.

    Several processes measure a part of the rows each.
    """
    model = getattr(model, "module", model)
    was_training = model.training
    model.eval()
    loss = right = 0.0
    labels = 0
    try:
        with torch.inference_mode():
            for batch in parts(ranks.share(rows), device):
                measured = measure(model, batch, count_right=True)
                loss += float(measured.loss)
                right += float(measured.right)
                labels += measured.labels
    finally:
        model.train(was_training)
    loss, right, counted = ranks.sums(loss, right, labels)
    labels = round(counted)
    return (loss / labels, right / labels) if labels else (math.nan, math.nan)
