"""A LoRA adapter of peft as a GGUF adapter that llama.cpp applies without merging.

Layout: llama.cpp's `convert_lora_to_gguf.py`. llama.cpp keeps the rows of the query and key
projections interleaved, so the same rows of their `lora_B` are interleaved here.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.errors import PapertuneError
from tui.engine.training.convert import BLOCK
from tui.text import visible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PART = {theirs: ours for ours, theirs in BLOCK.items()}
_KEY = re.compile(r"layers\.(\d+)\.(self_attn\.\w+|mlp\.\w+)\.lora_([AB])\.weight$")


class AdapterError(PapertuneError):
    """The adapter holds something that llama.cpp cannot apply."""


def write_gguf_adapter(adapter: Path, config: dict[str, Any], destination: Path) -> None:
    """Write the adapter in folder `adapter` to the file `destination`.

    `config` is the base model's `config.json`. Raises AdapterError for architectures other than
    llama and for adapters that are more than LoRA on the linear layers.
    """
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    if config.get("model_type") != "llama":
        raise AdapterError(
            f"Adapters for '{visible(str(config.get('model_type')))}' cannot be written as GGUF."
        )
    settings = json.loads((adapter / "adapter_config.json").read_bytes())
    if settings.get("use_dora") or settings.get("modules_to_save") or settings.get("rank_pattern"):
        raise AdapterError("The adapter is more than plain LoRA; llama.cpp cannot apply it.")
    scale = settings["r"] ** 0.5 if settings.get("use_rslora") else 1.0
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.{secrets.token_hex(4)}")
    writer = gguf.GGUFWriter(str(temporary), "llama")
    try:
        writer.add_string("general.type", "adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]) * scale)
        for key, values in sorted(load_file(adapter / "adapter_model.safetensors").items()):
            name, array = _tensor(key, values.astype(np.float32), config)
            writer.add_tensor(name, np.ascontiguousarray(array))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(destination)
    except BaseException:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise


def _tensor(
    key: str, values: NDArray[np.float32], config: dict[str, Any]
) -> tuple[str, NDArray[np.float32]]:
    found = _KEY.search(key)
    if found is None or found[2] not in _PART:
        raise AdapterError(
            f"The adapter has a tensor '{visible(key)}' that llama.cpp cannot apply."
        )
    layer, part, side = found[1], _PART[found[2]], found[3].lower()
    if side == "b" and part in ("attn_q", "attn_k"):
        heads = config["num_attention_heads" if part == "attn_q" else "num_key_value_heads"]
        values = interleave(values, int(heads))
    return f"blk.{layer}.{part}.weight.lora_{side}", values


def interleave(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a query or key projection in llama.cpp's order: halves of each head in turn."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)
