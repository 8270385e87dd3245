from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.models.gguf_bytes import gguf, text, tiny_model
from tui.domain.errors import PapertuneError
from tui.engine.models.gguf import GgufError, read_header

FIXTURE = [HealthCheck.function_scoped_fixture]


def put(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return path


def test_metadata_and_tensors_are_read(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        gguf(
            {"a": "é", "b": 7, "c": True, "d": ["x", ""], "e": [1, -2], "f": 0.5},
            [("one", (32, 2), 3, b"1" * 40), ("two", (3,), 0, b"2" * 12)],
        ),
    )
    header = read_header(path)
    assert header.metadata == {"a": "é", "b": 7, "c": True, "d": ["x", ""], "e": [1, -2], "f": 0.5}
    assert [(t.name, t.dimensions, t.kind) for t in header.tensors] == [
        ("one", (32, 2), 3),
        ("two", (3,), 0),
    ]
    data = path.read_bytes()
    assert data[header.tensors[0].offset :].startswith(b"1" * 40)
    assert data[header.tensors[1].offset :].startswith(b"2" * 12)


def test_the_bundled_model_is_read(bundled_model_dir: Path) -> None:
    header = read_header(bundled_model_dir / "model.gguf")
    assert header.text("general.architecture") == "llama"
    assert len(header.strings("tokenizer.ggml.tokens")) == 49152
    assert len(header.tensors) == 272


@settings(max_examples=200, suppress_health_check=FIXTURE, deadline=None)
@given(st.data())
def test_a_truncated_file_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = tiny_model()
    header = read_header(put(tmp_path, whole))
    cut = data.draw(st.integers(0, header.data_offset))
    with pytest.raises(GgufError):
        read_header(put(tmp_path, whole[:cut]))


@settings(max_examples=300, suppress_health_check=FIXTURE, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    damaged = bytearray(tiny_model())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    try:
        read_header(put(tmp_path, bytes(damaged)))
    except PapertuneError as error:
        assert error.message.isprintable()


@settings(max_examples=200, suppress_health_check=FIXTURE, deadline=None)
@given(st.binary(max_size=300))
def test_anything_after_the_magic_is_read_or_refused(tmp_path: Path, tail: bytes) -> None:
    try:
        read_header(put(tmp_path, b"GGUF\x03\x00\x00\x00" + tail))
    except PapertuneError as error:
        assert error.remedy


HUGE = 2**62
HEAD = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0) + bytes(100),
        b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE) + bytes(100),
        HEAD + struct.pack("<Q", HUGE) + bytes(100),
        HEAD + text("a") + struct.pack("<IQ", 8, HUGE) + bytes(100),
        HEAD + text("a") + struct.pack("<IIQ", 9, 0, HUGE) + bytes(100),
        HEAD + text("a") + struct.pack("<IIQ", 9, 8, HUGE) + bytes(100),
        HEAD + text("a") + struct.pack("<IIQ", 9, 9, 5) + bytes(100),
        gguf({"general.alignment": 0}),
        gguf({}, version=1),
        b"",
        b"PK\x03\x04" + bytes(100),
    ],
)
def test_a_hostile_header_costs_an_error_and_no_memory(tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path, data)
    tracemalloc.start()
    try:
        with pytest.raises(GgufError):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PapertuneError, match="cannot be read"):
        read_header(tmp_path / "none.gguf")
