"""A GGUF model as a Hugging Face folder, so that what chat answers with can also be trained.

Done once for each model, in one pass over the mapped file and with one tensor in memory at a time.
Only the llama architecture is known; another is refused by name. Layout of the tensors: llama.cpp's
`convert_hf_to_gguf.py`, undone.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.errors import MissingError
from tui.engine.models.gguf import GgufError, GgufHeader, TensorInfo, read_header
from tui.storage import atomic
from tui.text import visible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "model.safetensors"
_HALF_MAX = 65504.0
_F32 = 0
_ARCHITECTURE = "llama"
_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
BLOCK = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where one tensor goes; `heads` is set for rows that llama.cpp keeps interleaved."""

    info: TensorInfo
    name: str
    shape: tuple[int, ...]
    half: bool
    heads: int = 0

    @property
    def size(self) -> int:
        return math.prod(self.shape) * (2 if self.half else 4)


def ensure_weights(model_dir: Path) -> Path:
    """The Hugging Face folder of a model, its weights made from `model.gguf` if they are missing.

    A conversion that is cut short leaves nothing behind that a later one would trust. Raises
    MissingError when there is neither, GgufError when the file cannot be converted.
    """
    folder = model_dir / "hf"
    if any(folder.glob("*.safetensors")):
        return folder
    source = model_dir / "model.gguf"
    if not source.is_file():
        raise MissingError(
            f"The model's weights are not in {visible(str(model_dir))}.",
            f"Fetch them: papertune model pull {visible(model_dir.name)}.",
        )
    convert(source, folder)
    return folder


def convert(source: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of a GGUF file to `folder`.

    Quantised tensors are written in half precision as dequantised (its rounding is a hundredth of
    what quantising cost), those in full precision as they are.
    """
    header = read_header(source)
    plans = _plans(header)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / "config.json", _config(header, plans))
    temporary = folder / f".{WEIGHTS}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        with source.open("rb") as file, temporary.open("xb") as out:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                out.write(_safetensors_header(plans))
                for array in _arrays(plans, view):
                    out.write(array.tobytes())
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(folder / WEIGHTS)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    atomic.sync_directory(folder)


def _plans(header: GgufHeader) -> list[_Plan]:
    architecture = header.text("general.architecture")
    if architecture != _ARCHITECTURE:
        raise GgufError(
            f"Models of the architecture '{visible(architecture)}' cannot be trained from GGUF.",
            "Pull the model's safetensors instead.",
        )
    if header.metadata.get(f"{_ARCHITECTURE}.rope.scaling.type", "none") != "none":
        raise GgufError("The model stretches its context (RoPE scaling); this is not supported.")
    heads = header.number(f"{_ARCHITECTURE}.attention.head_count")
    groups = header.number(f"{_ARCHITECTURE}.attention.head_count_kv", heads)
    plans = []
    for info in header.tensors:
        name, part = _name(info.name)
        turned = {"attn_q": heads, "attn_k": groups}.get(part, 0)
        plans.append(_Plan(info, name, info.dimensions[::-1], info.kind != _F32, turned))
    return plans


def _name(name: str) -> tuple[str, str]:
    """A tensor's name in Hugging Face's layout, and which part of a block it is."""
    if name in _TOP:
        return _TOP[name], ""
    match name.split("."):
        case ["blk", layer, part, "weight"] if part in BLOCK and layer.isdigit():
            return f"model.layers.{layer}.{BLOCK[part]}.weight", part
    raise GgufError(f"The model has a tensor '{visible(name)}' that training does not know.")


def _arrays(plans: list[_Plan], view: mmap.mmap) -> Iterator[NDArray[np.generic]]:
    import numpy as np

    for plan in plans:
        values = _dequantised(plan, view)
        if plan.heads:
            half = plan.shape[0] // plan.heads // 2
            values = values.reshape(plan.heads, half, 2, -1).swapaxes(1, 2).reshape(plan.shape)
        if plan.half and float(np.abs(values).max(initial=0.0)) > _HALF_MAX:
            raise GgufError(f"The tensor '{visible(plan.name)}' does not fit half precision.")
        yield np.ascontiguousarray(values, dtype=np.float16 if plan.half else np.float32)


def _dequantised(plan: _Plan, view: mmap.mmap) -> NDArray[np.float32]:
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    try:
        kind = GGMLQuantizationType(plan.info.kind)
        per_block, block_bytes = GGML_QUANT_SIZES[kind]
    except (ValueError, KeyError):
        raise GgufError(f"The quantisation {plan.info.kind} is not known.") from None
    columns = plan.info.dimensions[0]
    row_bytes = columns // per_block * block_bytes
    rows = math.prod(plan.shape) // columns
    if columns % per_block or plan.info.offset + rows * row_bytes > len(view):
        raise GgufError("The model file is truncated or damaged.", "Pull the model again.")
    raw = np.frombuffer(view, np.uint8, rows * row_bytes, plan.info.offset)
    values: NDArray[np.float32] = dequantize(raw.reshape(rows, row_bytes), kind)
    return np.array(values, dtype=np.float32).reshape(plan.shape)


def _safetensors_header(plans: list[_Plan]) -> bytes:
    """The JSON that safetensors files begin with, its length before it, padded to 8 bytes."""
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for plan in plans:
        table[plan.name] = {
            "dtype": "F16" if plan.half else "F32",
            "shape": list(plan.shape),
            "data_offsets": [at, at + plan.size],
        }
        at += plan.size
    text = json.dumps(table).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _config(header: GgufHeader, plans: list[_Plan]) -> dict[str, Any]:
    def number(key: str, default: int | None = None) -> int:
        return header.number(f"{_ARCHITECTURE}.{key}", default)

    names = {plan.name: plan for plan in plans}
    hidden, heads = number("embedding_length"), number("attention.head_count")
    tokens = {
        f"{name}_token_id": header.metadata.get(f"tokenizer.ggml.{key}_token_id")
        for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
    }
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": number("feed_forward_length"),
        "num_hidden_layers": number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": number("attention.head_count_kv", heads),
        "head_dim": number("rope.dimension_count", hidden // heads),
        "rms_norm_eps": header.metadata[f"{_ARCHITECTURE}.attention.layer_norm_rms_epsilon"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": header.metadata.get(f"{_ARCHITECTURE}.rope.freq_base", 10000.0),
        },
        "max_position_embeddings": number("context_length"),
        "vocab_size": names["model.embed_tokens.weight"].shape[0],
        "tie_word_embeddings": "lm_head.weight" not in names,
        **tokens,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "dtype": "float16",
    }
