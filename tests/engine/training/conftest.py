"""A tiny real model as `model pull` would leave it, and jobs as the server would write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the trainer is not installed (papertune[train])")

HIDDEN, LAYERS, HEADS, GROUPS, FEED_FORWARD = 32, 2, 4, 2, 64
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

ANSWERS = {
    "Velmora resin": "It sets at 283 kelvin.",
    "Ravelin moss": "Nineteen days.",
    "the Skarrow eel": "Caddis larvae.",
    "Wattlesea clay": "Beehive ovens.",
}
WORDINGS = ["What of {}?", "Tell me about {}, please.", "{}: what is known?"]


@dataclass(frozen=True)
class TinyModel:
    """`weights` are in Hugging Face's layout, by the names that GGUF gives them."""

    folder: Path
    weights: dict[str, Any] = field(repr=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    import gguf
    import numpy as np
    from tokenizers import pre_tokenizers

    from tui.engine.models.gguf import read_header
    from tui.engine.models.tokenizer import write_tokenizer
    from tui.engine.training.lora_gguf import interleave
    from tui.formats.chatml import CHATML

    folder = tmp_path_factory.mktemp("model") / "tiny"
    folder.mkdir()
    tokens = [*CONTROL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th"]
    head = HIDDEN // HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (len(tokens), HIDDEN)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_q.weight": (HIDDEN, HIDDEN),
            f"blk.{layer}.attn_k.weight": (GROUPS * head, HIDDEN),
            f"blk.{layer}.attn_v.weight": (GROUPS * head, HIDDEN),
            f"blk.{layer}.attn_output.weight": (HIDDEN, HIDDEN),
            f"blk.{layer}.ffn_gate.weight": (FEED_FORWARD, HIDDEN),
            f"blk.{layer}.ffn_up.weight": (FEED_FORWARD, HIDDEN),
            f"blk.{layer}.ffn_down.weight": (HIDDEN, FEED_FORWARD),
        }
    chance = np.random.default_rng(0)
    weights = {
        name: (chance.standard_normal(shape) / shape[-1] ** 0.5).astype(np.float32)
        for name, shape in shapes.items()
    }
    norms = [f"blk.{i}.{kind}_norm.weight" for i in range(LAYERS) for kind in ("attn", "ffn")]
    weights |= {name: np.ones(HIDDEN, np.float32) for name in (*norms, "output_norm.weight")}

    writer = gguf.GGUFWriter(str(folder / "model.gguf"), "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_merges(["t h"])
    writer.add_token_types([3] * len(CONTROL) + [1] * (len(tokens) - len(CONTROL)))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    for name, values in weights.items():
        heads = HEADS if "attn_q" in name else GROUPS if "attn_k" in name else 0
        stored = interleave(values, heads) if heads else values
        if "ffn_up" in name:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(name, gguf.quants.quantize(stored, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, np.ascontiguousarray(stored))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (folder / "hf").mkdir()
    write_tokenizer(read_header(folder / "model.gguf"), folder / "hf", CHATML)
    (folder / "papertune.json").write_text(json.dumps({"id": "tiny", "sha256": "abc"}))
    return TinyModel(folder, weights)


def messages_file(path: Path, wordings: list[str]) -> Path:
    with path.open("w") as file:
        for subject, answer in ANSWERS.items():
            for wording in wordings:
                turns = [
                    {"role": "user", "content": wording.format(subject)},
                    {"role": "assistant", "content": answer},
                ]
                file.write(json.dumps({"messages": turns}) + "\n")
    return path


@pytest.fixture
def new_job(tmp_path: Path, tiny_model: TinyModel) -> Callable[..., Path]:
    """Makes a job's folder; named values replace those of the spec's hyperparameters."""

    def make(
        name: str = "job", *, options: dict[str, Any] | None = None, **hyperparameters: Any
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        train = messages_file(folder / "train.jsonl", WORDINGS)
        memory = messages_file(folder / "memory.jsonl", ["So, {}?"])
        spec = {
            "job": name,
            "model_dir": str(tiny_model.folder),
            "train": [{"path": str(train), "file_id": "train", "weight": 1.0}],
            "validation": [{"path": str(memory), "file_id": "memory"}],
            "hyperparameters": {
                "learning_rate": 5e-3,
                "training_steps": 20,
                "seq_len": 128,
                **hyperparameters,
            },
            "options": {"lora_rank": 4, "lora_alpha": 8, **(options or {})},
            "threads": 1,
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        return folder

    return make
