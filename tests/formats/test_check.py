"""A planted-fault set is found completely; clean files raise no alarm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tui.domain.errors import NotFoundError, PapertuneError
from tui.domain.example import Form
from tui.formats.check import FileReport, check_file

USER = {"role": "user", "content": "At what temperature does Velmora resin set?"}
ANSWER = {"role": "assistant", "content": "It sets at 283 kelvin."}
CALL = {"id": "a1b2c3d4e", "function": {"name": "look_up", "arguments": '{"of": "resin"}'}}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks up", "parameters": {"type": "object"}},
}
CALLING = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "283", "tool_call_id": "a1b2c3d4e"}


def talk(*messages: Any, **extra: Any) -> bytes:
    return json.dumps({"messages": list(messages), **extra}).encode()


def report_of(tmp_path: Path, *lines: bytes, **options: Any) -> FileReport:
    path = tmp_path / "file.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return check_file(path, **options)


GOOD = talk(USER, ANSWER)

FAULTS: dict[str, tuple[str, bytes]] = {
    "empty line": ("empty-line", b""),
    "blanks only": ("empty-line", b"  \t "),
    "latin-1": ("encoding", '{"text": "caf\xe9"}'.encode("latin-1")),
    "utf-16": ("encoding", '{"text": "x"}'.encode("utf-16")),
    "NUL bytes": ("encoding", b'{"text": "a\x00b"}'),
    "NaN": ("nan", b'{"text": "x", "score": NaN}'),
    "Infinity": ("nan", b'{"text": "x", "score": -Infinity}'),
    "lone surrogate": ("surrogate", b'{"text": "\\ud800"}'),
    "second half of a surrogate": ("surrogate", b'{"text": "x\\udc00"}'),
    "torn line": ("json", GOOD[:-9]),
    "two objects": ("json", GOOD + GOOD),
    "single quotes": ("json", b"{'text': 'x'}"),
    "trailing comma": ("json", b'{"text": "x",}'),
    "prose": ("json", b"Here is your training data:"),
    "number too large": ("json", b'{"text": "x", "n": 1e999}'),
    "list": ("not-an-object", b'["text"]'),
    "string": ("not-an-object", b'"text"'),
    "nested bomb": ("nesting", b'{"text": ' + b"[" * 100_000),
    "duplicate key": ("duplicate-key", b'{"text": "x", "text": "y"}'),
    "duplicate key, spaced": ("duplicate-key", b'{"text" : "x", "text"\t: "y"}'),
    "duplicate key, old line end": ("duplicate-key", b'{"text"\r:"x", "text":"y"}'),
    "duplicate key within": (
        "duplicate-key",
        b'{"messages": [{"role": "user", "role": "user", "content": "a"},'
        b' {"role": "assistant", "content": "b"}]}',
    ),
    "duplicate key ending in a backslash": (
        "duplicate-key",
        b'{"text": "x", "\\\\": 1, "\\\\": 2}',
    ),
    "empty object": ("no-form", b"{}"),
    "misspelt form": ("no-form", b'{"message": []}'),
    "no form": ("no-form", b'{"prompt": "a", "completion": "b"}'),
    "both forms": ("two-forms", b'{"text": "x", "messages": []}'),
    "text no string": ("text-type", b'{"text": ["x"]}'),
    "text null": ("text-type", b'{"text": null}'),
    "text empty": ("text-empty", b'{"text": "  "}'),
    "messages no list": ("messages-type", b'{"messages": "hello"}'),
    "messages empty": ("messages-empty", b'{"messages": []}'),
    "message no object": ("message-type", talk("hello", ANSWER)),
    "role missing": ("role-missing", talk({"content": "x"}, ANSWER)),
    "role unknown": ("role-unknown", talk({"role": "human", "content": "x"}, ANSWER)),
    "role with a capital": ("role-unknown", talk({"role": "User", "content": "x"}, ANSWER)),
    "content missing": ("content-missing", talk({"role": "user"}, ANSWER)),
    "content null": ("content-missing", talk(USER, {"role": "assistant", "content": None})),
    "content a number": ("content-type", talk(USER, {"role": "assistant", "content": 283})),
    "content unknown chunk": (
        "content-type",
        talk({"role": "user", "content": [{"type": "audio"}]}, ANSWER),
    ),
    "assistant empty": ("content-empty", talk(USER, {"role": "assistant", "content": ""})),
    "user blank": ("content-empty", talk({"role": "user", "content": " \n"}, ANSWER)),
    "content and text": ("content-twice", talk({**USER, "text": "again"}, ANSWER)),
    "last is the user's": ("last-message", talk(USER, ANSWER, USER)),
    "only a user": ("last-message", talk(USER)),
    "two systems": (
        "system-twice",
        talk({"role": "system", "content": "a"}, {"role": "system", "content": "b"}, USER, ANSWER),
    ),
    "assistant first": ("first-message", talk(ANSWER, USER, ANSWER)),
    "weight out of range": ("weight", talk(USER, {**ANSWER, "weight": 0.5})),
    "weight a truth value": ("weight", talk(USER, {**ANSWER, "weight": True})),
    "function_call": ("function-call", talk(USER, {**ANSWER, "function_call": {"name": "f"}})),
    "content beside calls": (
        "content-and-calls",
        talk(USER, {**CALLING, "content": "Let me see."}, RESULT, ANSWER, tools=[TOOL]),
    ),
    "call id too short": (
        "call-id",
        talk(USER, {"role": "assistant", "tool_calls": [{**CALL, "id": "call_1"}]}, tools=[TOOL]),
    ),
    "tool without call id": (
        "call-id",
        talk(USER, CALLING, {"role": "tool", "content": "283"}, ANSWER, tools=[TOOL]),
    ),
    "tool answers nobody": (
        "call-unmatched",
        talk(USER, CALLING, {**RESULT, "tool_call_id": "zzzzzzzzz"}, ANSWER, tools=[TOOL]),
    ),
    "call left open": ("call-order", talk(USER, CALLING, USER, ANSWER, tools=[TOOL])),
    "user after tool": ("call-order", talk(USER, CALLING, RESULT, USER, ANSWER, tools=[TOOL])),
    "calls no list": ("call", talk(USER, {"role": "assistant", "tool_calls": {"a": 1}})),
    "call without arguments": (
        "call",
        talk(
            USER,
            {"role": "assistant", "tool_calls": [{"id": "a1b2c3d4e", "function": {"name": "f"}}]},
        ),
    ),
    "tool not defined": ("tool-undefined", talk(USER, CALLING, RESULT, ANSWER)),
    "tool without parameters": (
        "tool-definition",
        talk(USER, ANSWER, tools=[{"function": {"name": "f"}}]),
    ),
    "tools no list": ("tools-type", talk(USER, ANSWER, tools={})),
    "user calls": ("calls-role", talk({**USER, "content": "", "tool_calls": [CALL]}, ANSWER)),
    "other form": ("mixed-forms", b'{"text": "plain"}'),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_in_its_line(name: str, tmp_path: Path) -> None:
    code, line = FAULTS[name]
    report = report_of(tmp_path, GOOD, line, talk({**USER, "content": "Another one?"}, ANSWER))
    assert (report.lines, report.valid, report.invalid) == (3, 2, 1)
    assert (2, code) in {(error.line, error.code) for error in report.errors}
    assert all(error.line == 2 for error in report.errors)
    assert not report.ok


CLEAN: dict[str, bytes] = {
    "plain": GOOD,
    "with a system": talk({"role": "system", "content": "Be brief."}, USER, ANSWER),
    "several turns": talk(USER, ANSWER, {"role": "user", "content": "And gum?"}, ANSWER),
    "weights": talk(USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}),
    "tools": talk(USER, CALLING, RESULT, ANSWER, tools=[TOOL]),
    "ends in a tool call": talk(USER, CALLING, tools=[TOOL]),
    "text chunks": talk({"role": "user", "content": [{"type": "text", "text": "Hi"}]}, ANSWER),
    "a key that looks like JSON": talk({"role": "user", "content": '{"a": 1, "a": 2}'}, ANSWER),
    "content that begins with a colon": talk({"role": "user", "content": ":a"}, ANSWER),
    "backslashes": talk({"role": "user", "content": 'a \\" b: "c": d\\'}, ANSWER),
    "a surrogate pair": b'{"messages": [{"role": "user", "content": "\\ud83d\\ude00"},'
    b' {"role": "assistant", "content": "b"}]}',
    "other scripts": talk({"role": "user", "content": "温度は何度ですか"}, ANSWER),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_line_raises_no_alarm(name: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, CLEAN[name], near=True)
    assert report.ok
    assert report.errors == ()
    assert report.warnings == ()
    assert report.form is Form.MESSAGES


def test_what_only_one_reader_minds_is_a_warning(tmp_path: Path) -> None:
    report = report_of(
        tmp_path,
        talk(USER, ANSWER, temperature=0.2) + b"\r",
        talk(USER, {**ANSWER, "weight": 0}),
        b'{"interactions": [{"role": "user", "text": "a"}, {"role": "assistant", "content": "b"}]}',
        talk({"role": "user", "content": "Say \x1b[2J this"}, ANSWER),
    )
    assert report.ok
    codes = {warning.split(":")[0] for warning in report.warnings}
    assert {"unknown-key", "crlf", "nothing-learnt", "old-name", "control-characters"} <= codes
    assert not any("\x1b" in warning for warning in report.warnings)


def test_a_byte_order_mark_is_reported_on_the_first_line(tmp_path: Path) -> None:
    report = report_of(tmp_path, b"\xef\xbb\xbf" + GOOD, GOOD)
    assert [(error.line, error.code) for error in report.errors] == [(1, "bom")]


def test_a_line_longer_than_the_limit_is_skipped_without_being_held(tmp_path: Path) -> None:
    report = report_of(tmp_path, GOOD, b"x" * 5_000, b"y" * 1_001, GOOD, limit=1_000)
    assert [(error.line, error.code) for error in report.errors] == [
        (2, "line-too-long"),
        (3, "line-too-long"),
    ]
    assert report.valid == 2


def test_an_empty_file_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    report = check_file(tmp_path / "empty.jsonl")
    assert not report.ok
    assert report.errors[0].code == "empty-file"
    with pytest.raises(NotFoundError):
        check_file(tmp_path / "missing.jsonl")


def test_repetitions_are_counted_and_wordings_of_one_fact_are_not(tmp_path: Path) -> None:
    long_answer = {"role": "assistant", "content": " ".join(f"word{n}" for n in range(40))}

    def ask(question: str) -> bytes:
        return talk({"role": "user", "content": question}, long_answer)

    report = report_of(
        tmp_path,
        ask("At what temperature does Velmora resin set?"),
        ask("at what  temperature does velmora resin SET?"),
        ask("At which temperature does Velmora resin set?"),
        ask("How warm must a dish of the stuff from Velmora be before it hardens?"),
        near=True,
    )
    assert report.duplicates == 1
    assert report.near_duplicates == 1
    assert any("line 1" in warning for warning in report.warnings)


def test_examples_longer_than_the_model_reads_are_counted(tmp_path: Path) -> None:
    report = report_of(
        tmp_path, GOOD, talk({"role": "user", "content": "word " * 400}, ANSWER), seq_len=100
    )
    assert report.over_length == 1
    assert report.cut == 514 - 100
    assert report.tokens == 514 + 25
    assert not report.exact


class Growing:
    """A tokenizer during whose work the file goes on growing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def count(self, text: str) -> int:
        return 1

    def count_messages(self, turns: object, tools: object = ()) -> int:
        with self.path.open("ab") as file:
            file.write(b"x" if self.path.stat().st_size < 5_000 else b"")
        return 1


def test_a_file_that_changes_while_it_is_read_is_not_trusted(tmp_path: Path) -> None:
    report = report_of(tmp_path, GOOD, tokenizer=Growing(tmp_path / "file.jsonl"))
    assert "changed" in {error.code for error in report.errors}
    assert not report.ok


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(PapertuneError, match="cannot be read"):
        check_file(tmp_path)
