from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.models.gguf_bytes import gguf, tiny_model
from tui.engine.models.gguf import read_header
from tui.engine.models.requantise import requantised, write_q8_0

SMALL = st.floats(-8, 8, width=16)


def values_of_q8_0(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    raw = np.frombuffer(data, np.uint8).reshape(-1, 34)
    scale = raw[:, :2].copy().view(np.float16).astype(np.float32)
    return raw[:, 2:].copy().view(np.int8).astype(np.float32) * scale


@given(SMALL, SMALL, st.binary(min_size=16, max_size=16))
def test_every_value_stays_within_the_step_of_its_block(
    scale: float, least: float, nibbles: bytes
) -> None:
    levels = [byte & 15 for byte in nibbles] + [byte >> 4 for byte in nibbles]
    wanted = np.array([level * scale + least for level in levels], np.float32)
    found = values_of_q8_0(requantised(struct.pack("<ee", scale, least) + nibbles))[0]
    largest = float(np.abs(wanted).max())
    # half a step, and what the float16 of the step loses
    assert np.abs(found - wanted).max() <= largest * (0.5 / 127 + 2**-10) + 1e-5


def test_only_the_weights_and_the_name_of_their_kind_change(tmp_path: Path) -> None:
    source, target = tmp_path / "a.gguf", tmp_path / "b.gguf"
    source.write_bytes(tiny_model())
    write_q8_0(source, target)
    before, after = read_header(source), read_header(target)
    assert after.metadata == {**before.metadata, "general.file_type": 7}
    assert [(t.name, t.dimensions) for t in after.tensors] == [
        (t.name, t.dimensions) for t in before.tensors
    ]
    assert {t.kind for t in after.tensors} == {8}


def test_other_tensors_are_copied_byte_for_byte(tmp_path: Path) -> None:
    block = struct.pack("<ee", 1.0, 0.0) + bytes(16)
    norm = np.arange(5, dtype=np.float32).tobytes()
    source, target = tmp_path / "a.gguf", tmp_path / "b.gguf"
    source.write_bytes(
        gguf({}, [("n", (5,), 0, norm), ("q", (32,), 3, block), ("m", (5,), 0, norm)])
    )
    write_q8_0(source, target)
    data = target.read_bytes()
    tensors = {tensor.name: tensor for tensor in read_header(target).tensors}
    for name in ("n", "m"):
        assert data[tensors[name].offset :][:20] == norm
