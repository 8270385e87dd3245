"""Reading lines: bounded, exact in what it refuses, and never surprised."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.domain.example import Form, Turn
from tui.formats.lines import LineError, decode_object, read_raw
from tui.formats.rules import decode_line

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
fragments = st.sampled_from(
    ['"messages"', '"text"', '"role"', ":", ",", "{", "}", "[", "]", '"user"', "null", "NaN", "\\"]
)


@given(
    st.binary(max_size=200) | st.lists(fragments, max_size=20).map(lambda p: "".join(p).encode())
)
def test_whatever_stands_in_a_line_only_a_line_error_comes_out(data: bytes) -> None:
    try:
        line = decode_line(data, 7)
    except LineError as error:
        assert error.line == 7
        assert error.code
    else:
        assert line.text or line.messages


@given(
    st.dictionaries(
        st.sampled_from(["messages", "text", "tools", "weight", "role"]), json_values, max_size=4
    )
)
def test_any_json_object_is_judged_without_a_crash(value: dict[str, Any]) -> None:
    try:
        decode_line(json.dumps(value).encode())
    except LineError as error:
        assert error.reason


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["system", "user", "assistant", "tool"]),
                "content": json_values,
            },
            optional={
                "tool_calls": json_values,
                "tool_call_id": json_values,
                "weight": json_values,
            },
        ),
        max_size=4,
    ),
    json_values,
)
def test_any_conversation_is_judged_without_a_crash(messages: list[Any], tools: Any) -> None:
    try:
        line = decode_line(json.dumps({"messages": messages, "tools": tools}).encode())
    except LineError as error:
        assert error.code
    else:
        assert line.messages[-1]["role"] == "assistant"
        assert all(isinstance(turn.content, str) for turn in line.turns)


@given(st.lists(st.tuples(st.text(max_size=4), json_values), max_size=5))
def test_a_key_that_stands_twice_is_always_found_and_never_invented(
    pairs: list[tuple[str, Any]],
) -> None:
    body = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs)
    raw = f'{{"outer": {{{body}}}}}'.encode()
    twice = len({key for key, _ in pairs}) < len(pairs)
    if twice:
        with pytest.raises(LineError) as caught:
            decode_object(raw)
        assert caught.value.code == "duplicate-key"
    else:
        assert decode_object(raw) == {"outer": dict(pairs)}


@given(
    st.lists(st.binary(max_size=12).filter(lambda b: b"\n" not in b), max_size=8),
    st.integers(1, 6),
    st.booleans(),
)
def test_reading_keeps_every_byte_in_its_place(lines: list[bytes], limit: int, ended: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    found = list(read_raw(io.BytesIO(data), limit))
    assert sum(raw.size for raw in found) == len(data)
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert [raw.number for raw in found] == list(range(1, len(expected) + 1))
    for raw, line in zip(found, expected, strict=True):
        assert data[raw.offset : raw.offset + len(line)] == line
        if raw.data is None:
            assert len(line) > limit
        else:
            assert raw.data == (line[:-1] if raw.crlf else line)
            assert len(raw.data) <= limit


@pytest.mark.parametrize("depth", [10, 300, 480, 900, 2_000, 50_000])
def test_nesting_of_any_depth_is_read_or_refused(depth: int) -> None:
    data = b'{"text": "x", "deep": ' + b'{"a": [' * depth + b"]}" * depth + b"}"
    try:
        assert decode_object(data)["text"] == "x"
    except LineError as error:
        assert error.code == "nesting"
        assert depth > 100


class _Endless(io.RawIOBase):
    """A line that never ends, up to `size` bytes; remembers the largest piece asked for."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.left)
        buffer[:count] = b"x" * count
        self.left -= count
        return count


def test_an_endless_line_is_passed_over_in_bounded_pieces() -> None:
    size = 50_000_000
    found = list(read_raw(io.BufferedReader(_Endless(size)), limit=100_000))
    assert [(raw.data, raw.size) for raw in found] == [(None, size)]


def test_a_conversation_comes_out_in_one_shape_with_its_weights() -> None:
    line = decode_line(
        b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]},'
        b' {"role": "assistant", "content": "A", "weight": 0},'
        b' {"role": "user", "content": "B"}, {"role": "assistant", "content": "C"}]}'
    )
    assert line.form is Form.MESSAGES
    assert line.turns[0] == Turn("user", "Hi")
    assert line.weights == (0, 0, 0, 1)
    assert all("weight" not in message for message in line.messages)
