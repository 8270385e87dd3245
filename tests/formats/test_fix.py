"""Mending a file: only how lines are written changes, and what stays wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.test_check import ANSWER, CALL, FAULTS, GOOD, TOOL, USER, talk
from tui.domain.errors import ConflictError, NotFoundError
from tui.domain.example import FixReport
from tui.formats.check import check_file
from tui.formats.fix import fix_file
from tui.formats.lines import LineError, decode_object
from tui.formats.repairs import repair
from tui.formats.rules import decode_line


def fix(tmp_path: Path, data: bytes) -> tuple[FixReport, bytes]:
    path, target = tmp_path / "file.jsonl", tmp_path / "new.jsonl"
    path.write_bytes(data)
    report = fix_file(path, target)
    assert path.read_bytes() == data
    return report, target.read_bytes()


MENDED: dict[str, tuple[str, bytes]] = {
    "a byte order mark": ("bom", b"\xef\xbb\xbf" + GOOD),
    "Windows line ends": ("crlf", GOOD + b"\r"),
    "an old name": ("old-name", GOOD.replace(b'"messages"', b'"interactions"')),
    "an old name within": ("old-name", talk({"role": "user", "text": USER["content"]}, ANSWER)),
    "a role with a capital": ("role-unknown", talk({**USER, "role": "User"}, ANSWER)),
    "a role of others": ("role-unknown", talk({**USER, "role": "human"}, ANSWER)),
    "an unknown key": ("unknown-key", talk(USER, ANSWER, temperature=0.2)),
    "an unknown key within": ("unknown-key", talk({**USER, "id": 7}, ANSWER)),
    "a weight that counts for nothing": ("weight-role", talk({**USER, "weight": 0}, ANSWER)),
    "a control character": (
        "control-characters",
        talk({**USER, "content": USER["content"] + "\x1b[2J"}, ANSWER),
    ),
    "a question nobody answers": ("last-message", talk(USER, ANSWER, USER)),
    "one key twice with one value": (
        "duplicate-key",
        GOOD.replace(b'{"role": "user"', b'{"role": "user", "role": "user"'),
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_is_safe_is_mended(name: str, tmp_path: Path) -> None:
    code, line = MENDED[name]
    report, data = fix(tmp_path, line + b"\n")
    assert (report.written, report.left_out, list(report.fixed)) == (1, 0, [code])
    assert decode_line(data.rstrip(b"\n")).messages == decode_line(GOOD).messages
    assert check_file(tmp_path / "new.jsonl").warnings == ()


def test_calls_of_others_get_ids_that_the_service_takes(tmp_path: Path) -> None:
    calling = {"role": "assistant", "content": "", "tool_calls": [{**CALL, "id": "call_1"}]}
    answer = {"role": "tool", "content": "283", "tool_call_id": "call_1"}
    report, _ = fix(tmp_path, talk(USER, calling, answer, ANSWER, tools=[TOOL]) + b"\n")
    assert (report.written, list(report.fixed)) == (1, ["call-id"])
    assert check_file(tmp_path / "new.jsonl").ok


def test_empty_and_repeated_lines_go_and_good_ones_stay_as_they_are(tmp_path: Path) -> None:
    other = talk({**USER, "content": "And gum?"}, ANSWER)
    report, data = fix(tmp_path, GOOD + b"\n\n" + GOOD + b"\n  \n" + other)
    assert data == GOOD + b"\n" + other + b"\n"
    assert report.fixed == {"duplicate": 1, "empty-line": 2}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_written_is_valid_and_what_is_left_out_is_named(name: str, tmp_path: Path) -> None:
    _, line = FAULTS[name]
    other = talk({**USER, "content": "And gum?"}, ANSWER)
    report, _ = fix(tmp_path, GOOD + b"\n" + line + b"\n" + other + b"\n")
    assert check_file(tmp_path / "new.jsonl").ok
    assert (
        report.written
        + report.left_out
        + sum(report.fixed.get(code, 0) for code in ("empty-line", "duplicate"))
        == 3
    )
    if report.left_out:
        assert [failure.line for failure in report.failures] == [2]


def test_a_file_that_is_there_is_never_written_to(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(GOOD)
    with pytest.raises(ConflictError):
        fix_file(path, path)
    with pytest.raises(NotFoundError):
        fix_file(tmp_path / "none.jsonl", tmp_path / "new.jsonl")
    assert not (tmp_path / "new.jsonl").exists()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "user", "x", "tool"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["messages", "text", "role", "content", "weight", "tool_calls", "function_call",
             "function", "name", "arguments", "id", "tool_call_id", "tools", "functions"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["messages", "text", "tools", "functions"]), json_values))
def test_whatever_stands_in_a_line_is_mended_or_left_and_mending_twice_changes_nothing(
    document: dict[str, Any],
) -> None:
    once, _ = repair(document, cut=True)
    assert repair(once, cut=True) == (once, [])
    try:
        line = decode_line(json.dumps(document).encode())
    except LineError:
        return
    mended = decode_line(json.dumps(once).encode())
    assert mended.text == line.text
    assert [m["content"] for m in mended.messages] == [m["content"] for m in line.messages]
    decode_object(json.dumps(once).encode())
