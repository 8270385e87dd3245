from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tui.domain.errors import MissingError
from tui.engine.models.gguf import GgufError
from tui.engine.training.convert import BLOCK, ensure_weights
from tui.engine.training.lora_gguf import AdapterError, interleave, write_gguf_adapter

gguf = pytest.importorskip("gguf")
safetensors = pytest.importorskip("safetensors.numpy")


@pytest.fixture
def model_dir(tiny_model: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_model.folder, folder)
    (folder / "hf" / "model.safetensors").unlink(missing_ok=True)
    return folder


def test_weights_come_out_as_they_were_before_they_went_into_gguf(
    tiny_model: Any, model_dir: Path
) -> None:
    weights = safetensors.load_file(ensure_weights(model_dir) / "model.safetensors")
    for layer in range(2):
        for ours, theirs in BLOCK.items():
            expected = tiny_model.weights[f"blk.{layer}.{ours}.weight"]
            found = weights.pop(f"model.layers.{layer}.{theirs}.weight")
            if ours == "ffn_up":
                kind = gguf.GGMLQuantizationType.Q4_1
                expected = gguf.quants.dequantize(gguf.quants.quantize(expected, kind), kind)
                assert found.dtype == np.float16
                assert np.array_equal(found, expected.astype(np.float16))
            else:
                assert found.dtype == np.float32
                assert np.array_equal(found, expected)
    assert weights.keys() == {"model.embed_tokens.weight", "model.norm.weight"}


def test_transformers_loads_the_folder(model_dir: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(ensure_weights(model_dir))
    assert model.config.num_key_value_heads == 2
    assert model.config.head_dim == 8
    assert model.config.eos_token_id == 2
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_it_is_done_once(model_dir: Path) -> None:
    weights = ensure_weights(model_dir) / "model.safetensors"
    before = weights.stat().st_mtime_ns
    (model_dir / "model.gguf").unlink()
    assert ensure_weights(model_dir) == weights.parent
    assert weights.stat().st_mtime_ns == before


def test_a_truncated_file_is_refused_and_leaves_nothing(model_dir: Path) -> None:
    whole = (model_dir / "model.gguf").read_bytes()
    (model_dir / "model.gguf").write_bytes(whole[:-100])
    with pytest.raises(GgufError, match="truncated"):
        ensure_weights(model_dir)
    assert not list((model_dir / "hf").glob("*safetensors*"))
    assert not list((model_dir / "hf").glob(".*"))


def test_another_architecture_is_refused_by_name(model_dir: Path) -> None:
    whole = (model_dir / "model.gguf").read_bytes()
    (model_dir / "model.gguf").write_bytes(whole.replace(b"llama", b"mamba"))
    with pytest.raises(GgufError, match="mamba"):
        ensure_weights(model_dir)


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="papertune model pull"):
        ensure_weights(tmp_path / "nothing")


def _adapter(folder: Path, tensors: dict[str, Any], **settings: Any) -> Path:
    folder.mkdir()
    safetensors.save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8} | settings))
    return folder


CONFIG = {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}


def test_an_adapter_in_gguf_changes_the_same_weights_by_the_same_amount(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    shapes = {"self_attn.q_proj": (32, 32), "self_attn.k_proj": (16, 32), "mlp.down_proj": (32, 64)}
    tensors = {}
    for part, (out, inner) in shapes.items():
        key = f"base_model.model.model.layers.1.{part}"
        tensors[f"{key}.lora_A.weight"] = chance.standard_normal((4, inner)).astype(np.float32)
        tensors[f"{key}.lora_B.weight"] = chance.standard_normal((out, 4)).astype(np.float32)
    write_gguf_adapter(_adapter(tmp_path / "a", tensors), CONFIG, tmp_path / "adapter.gguf")

    reader = gguf.GGUFReader(str(tmp_path / "adapter.gguf"))
    assert reader.fields["adapter.lora.alpha"].contents() == 8.0
    assert reader.fields["general.architecture"].contents() == "llama"
    found = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    for part, ours in (
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("mlp.down_proj", "ffn_down"),
    ):
        key = f"base_model.model.model.layers.1.{part}"
        change = tensors[f"{key}.lora_B.weight"] @ tensors[f"{key}.lora_A.weight"]
        heads = {"attn_q": 4, "attn_k": 2}.get(ours, 0)
        expected = interleave(change, heads) if heads else change
        name = f"blk.1.{ours}.weight"
        stored = found.pop(f"{name}.lora_b") @ found.pop(f"{name}.lora_a")
        np.testing.assert_allclose(stored, expected, rtol=1e-5, atol=1e-5)
    assert not found


def test_interleaving_follows_llama_cpp() -> None:
    rows = np.arange(16, dtype=np.float32).reshape(16, 1)
    # two heads of eight rows: the halves of each head in turn, as RoPE pairs neighbours there
    expected = [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]
    assert interleave(rows, 2)[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({"use_dora": True}, CONFIG),
        ({"modules_to_save": ["lm_head"]}, CONFIG),
        ({}, {"model_type": "gemma"}),
    ],
)
def test_what_llama_cpp_cannot_apply_is_refused(
    tmp_path: Path, settings: dict[str, Any], config: dict[str, Any]
) -> None:
    adapter = _adapter(tmp_path / "a", {}, **settings)
    with pytest.raises(AdapterError):
        write_gguf_adapter(adapter, config, tmp_path / "adapter.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
