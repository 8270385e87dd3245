"""A model that leaves: the merged weights are those that peft computes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tui.engine.models.export import main
from tui.engine.models.merge import MergeError, merge

RANK, ALPHA = 2, 8
BASE = "model.layers.0.self_attn.q_proj.weight"


def safetensors(path: Path, tensors: dict[str, tuple[str, np.ndarray, bytes]]) -> Path:
    """A file by hand, so that every format is there: name to (dtype, shape's array, bytes)."""
    header, data = {}, b""
    for name, (kind, values, raw) in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def read(path: Path) -> dict[str, bytes]:
    raw = path.read_bytes()
    [length] = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    data = raw[8 + length :]
    return {name: data[slice(*item["data_offsets"])] for name, item in header.items()}


def bf16(values: np.ndarray) -> bytes:
    return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()


@pytest.fixture
def matrices() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    return {
        "W": chance.standard_normal((6, 4)).astype(np.float32),
        "A": chance.standard_normal((RANK, 4)).astype(np.float32),
        "B": chance.standard_normal((6, RANK)).astype(np.float32),
    }


def adapter(folder: Path, matrices: dict[str, np.ndarray], **settings: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(
        json.dumps({"r": RANK, "lora_alpha": ALPHA, **settings})
    )
    stem = "base_model.model." + BASE.removesuffix(".weight")
    safetensors(
        folder / "adapter_model.safetensors",
        {
            f"{stem}.lora_{side}.weight": ("F32", matrices[side], matrices[side].tobytes())
            for side in "AB"
        },
    )
    return folder


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_the_adapter_is_added_and_all_else_stays(
    tmp_path: Path, matrices: dict[str, np.ndarray], kind: str
) -> None:
    weights = matrices["W"]
    raw = {
        "F32": weights.tobytes(),
        "F16": weights.astype("<f2").tobytes(),
        "BF16": bf16(weights),
    }[kind]
    other = np.arange(3, dtype=np.float32)
    base = safetensors(
        tmp_path / "base.safetensors",
        {BASE: (kind, weights, raw), "model.norm.weight": ("F32", other, other.tobytes())},
    )
    target = tmp_path / "merged.safetensors"
    assert merge(base, adapter(tmp_path / "a", matrices), target) == 1
    found = read(target)
    assert found["model.norm.weight"] == other.tobytes()
    wanted = weights + ALPHA / RANK * matrices["B"] @ matrices["A"]
    if kind == "BF16":
        values = (np.frombuffer(found[BASE], "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(found[BASE], "<f4" if kind == "F32" else "<f2").astype(np.float32)
    close = {"F32": 1e-6, "F16": 1e-2, "BF16": 1e-1}[kind]
    assert np.abs(values.reshape(6, 4) - wanted).max() < close


def test_what_is_more_than_plain_lora_or_fits_elsewhere_is_refused(
    tmp_path: Path, matrices: dict[str, np.ndarray]
) -> None:
    weights = matrices["W"]
    base = safetensors(tmp_path / "b", {"other.weight": ("F32", weights, weights.tobytes())})
    with pytest.raises(MergeError, match="no tensor"):
        merge(base, adapter(tmp_path / "a", matrices), tmp_path / "m")
    with pytest.raises(MergeError, match="plain LoRA"):
        merge(base, adapter(tmp_path / "d", matrices, use_dora=True), tmp_path / "m")
    small = safetensors(tmp_path / "s", {BASE: ("F32", weights[:2], weights[:2].tobytes())})
    with pytest.raises(MergeError, match="does not fit"):
        merge(small, tmp_path / "a", tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_model_leaves_in_each_form_with_what_it_was_made_of(
    tmp_path: Path,
    matrices: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PAPERTUNE_DATA_DIR", str(tmp_path))
    folder = adapter(tmp_path / "engine" / "models" / "ft_m_x", matrices)
    (folder / "adapter.gguf").write_bytes(b"GGUF")
    (folder / "papertune.json").write_text(json.dumps({"id": "ft:m:x", "base": "m"}))
    hf = tmp_path / "models" / "m" / "hf"
    hf.mkdir(parents=True)
    (hf / "config.json").write_text("{}")
    weights = matrices["W"]
    safetensors(hf / "model.safetensors", {BASE: ("F32", weights, weights.tobytes())})
    forms = {
        "peft": {"adapter_config.json", "adapter_model.safetensors"},
        "gguf": {"adapter.gguf"},
        "merged": {"model.safetensors", "config.json"},
    }
    for form, names in forms.items():
        out = tmp_path / form
        assert main(["ft:m:x", form, str(out)]) == 0
        files = json.loads(capsys.readouterr().out.splitlines()[-1])["files"]
        assert {Path(file).name for file in files} == names | {"papertune.json"}
        assert all(Path(file).is_file() for file in files)
    assert main(["ft:m:unknown", "peft", str(tmp_path / "no")]) == 3
    assert "model list" in json.loads(capsys.readouterr().out)["remedy"]
