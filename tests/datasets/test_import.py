"""Files in other people's forms: every record kept or refused with its line and reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.conftest import finding
from tui.datasets import AddReport, Datasets
from tui.domain.errors import NotFoundError, UsageError
from tui.domain.example import Example, Kind, Status
from tui.formats.foreign import FileForm
from tui.formats.records import Columns

USER = {"role": "user", "content": "At what heat does it set?"}
ANSWER = {"role": "assistant", "content": "At 283 kelvin."}
CALL = {"type": "function", "function": {"name": "look_up", "arguments": '{"of":"resin"}'}}
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


@pytest.fixture
def bring(datasets: Datasets, tmp_path: Path) -> Any:
    """Imports a text as a file of that name and gives the report and the examples."""

    def bring(name: str, text: str | bytes, **options: Any) -> tuple[AddReport, list[Example]]:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        report = datasets.import_file("answers", path, **options)
        return report, datasets.examples("answers")

    return bring


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def only(result: tuple[AddReport, list[Example]]) -> Example:
    report, examples = result
    assert (report.added, report.failed) == (1, 0), report.failures
    return examples[0]


def test_a_chat_of_the_service_is_a_question_accepted_in_ones_name(bring: Any) -> None:
    example = only(bring("a.jsonl", lines({"messages": [USER, ANSWER]})))
    assert (example.kind, example.status, example.author) == (Kind.QA, Status.ACCEPTED, "Ada")
    assert (example.question, example.answer) == (USER["content"], ANSWER["content"])


def test_imported_examples_can_be_put_up_for_review(bring: Any) -> None:
    talk = lines({"messages": [USER, ANSWER]})
    assert only(bring("a.jsonl", talk, status=Status.DRAFT)).status is Status.DRAFT


def test_an_openai_chat_keeps_tools_names_and_weights(bring: Any) -> None:
    talk = [
        {"role": "developer", "content": "Be brief."},
        {**USER, "name": "ada"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_0123456789", **CALL}]},
        {"role": "tool", "tool_call_id": "call_0123456789", "content": "283", "name": "look_up"},
        {**ANSWER, "weight": 0, "refusal": None},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "Yes.", "weight": 1},
    ]
    line = {"messages": talk, "tools": TOOLS, "parallel_tool_calls": False}
    example = only(bring("a.jsonl", lines(line)))
    assert example.kind is Kind.CONVERSATION
    system, user, calling, result, first, _, last = example.turns
    assert (system.role, user.name) == ("system", "ada")
    assert calling.tool_calls[0].name == "look_up"
    assert len(calling.tool_calls[0].id) == 9
    assert result.tool_call_id == calling.tool_calls[0].id
    assert (first.weight, last.weight) == (0, None)
    assert json.loads(example.tools)[0]["function"]["name"] == "look_up"


def test_functions_of_old_become_tools(bring: Any) -> None:
    line = {
        "messages": [
            USER,
            {"role": "assistant", "function_call": CALL["function"]},
            {"role": "function", "name": "look_up", "content": "283"},
            ANSWER,
        ],
        "functions": [TOOLS[0]["function"]],
    }
    example = only(bring("a.jsonl", lines(line)))
    assert example.turns[2].tool_call_id == example.turns[1].tool_calls[0].id


def test_alpaca_joins_instruction_and_input_and_keeps_its_history(bring: Any) -> None:
    record = {
        "instruction": "Translate.",
        "input": "Harz",
        "output": "resin",
        "system": "Be brief.",
        "history": [["Hello?", "Hello."]],
    }
    example = only(bring("alpaca.json", json.dumps([record], indent=2)))
    words = [turn.content for turn in example.turns]
    assert words == ["Be brief.", "Hello?", "Hello.", "Translate.\n\nHarz", "resin"]


def test_sharegpt_knows_its_speakers_and_tool_turns(bring: Any) -> None:
    record = {
        "conversations": [
            {"from": "human", "value": "Heat?"},
            {"from": "function_call", "value": '{"name": "look_up", "arguments": {"of": "gum"}}'},
            {"from": "observation", "value": "283"},
            {"from": "gpt", "value": "283 kelvin."},
        ],
        "tools": json.dumps([TOOLS[0]["function"]]),
    }
    example = only(bring("share.jsonl", lines(record)))
    assert [turn.role for turn in example.turns] == ["user", "assistant", "tool", "assistant"]
    assert example.turns[1].tool_calls[0].arguments == '{"of": "gum"}'


def test_plain_texts_are_told_by_their_template(bring: Any) -> None:
    report, examples = bring(
        "notes.txt",
        "\n**From paper Paper number 1:** Fens hold resin\nand gum.\n\n"
        "**Question:** Heat? **Answer:** 283 kelvin.\n"
        "**From paper Nobody's:** Some words.\n",
    )
    assert (report.added, report.failed) == (3, 0)
    assert [example.kind for example in examples] == [Kind.FULL_TEXT, Kind.QA, Kind.FULL_TEXT]
    assert [example.paper for example in examples] == ["p1", "", ""]
    assert "1 texts name papers that the corpus lacks" in report.notes[0]


def test_csv_columns_are_guessed_with_any_delimiter_and_mark(bring: Any) -> None:
    for delimiter in ",;\t":
        cells = [
            ["Quote", "Response", "Paper", "Prompt", "Rating"],
            [finding(0, 0), "It melts.", "10.5555/0", f'Heat "now" {ord(delimiter)}?', "5"],
        ]
        quoted = (['"' + cell.replace('"', '""') + '"' for cell in row] for row in cells)
        text = "\r\n".join(delimiter.join(row) for row in quoted)
        report, examples = bring("a.csv", b"\xef\xbb\xbf" + text.encode())
        assert (report.added, report.failed) == (1, 0), report.failures
        assert examples[-1].question == f'Heat "now" {ord(delimiter)}?'
        assert (examples[-1].paper, examples[-1].verified) == ("p0", True)


def test_csv_columns_can_be_named_and_are_asked_for_when_unclear(bring: Any) -> None:
    text = "was;wie\nHeat?;283 kelvin.\n"
    with pytest.raises(UsageError, match=r"was, wie.*--question-column"):
        bring("a.csv", text)
    with pytest.raises(UsageError, match="no column 'what'"):
        bring("a.csv", text, columns=Columns("what", "wie"))
    assert only(bring("a.csv", text, columns=Columns("was", "Wie"))).answer == "283 kelvin."


def test_a_csv_row_is_refused_with_the_line_it_begins_in(bring: Any) -> None:
    report, examples = bring(
        "a.csv",
        b'question,answer\n"two\nlines",yes\nonly one\nx,caf\xe9\n,empty\nlast,one\n',
    )
    assert [example.answer for example in examples] == ["yes", "one"]
    assert [failure.line for failure in report.failures] == [4, 5, 6]
    assert "cells" in report.failures[0].reason
    assert "UTF-8" in report.failures[1].reason


REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([1], "object"),
    "no form": ({"foo": 1}, "no form"),
    "alpaca without instruction": ({"instruction": " ", "output": "x"}, "instruction"),
    "alpaca with a number": ({"instruction": "x", "output": 3}, "output"),
    "alpaca with half a history": (
        {"instruction": "x", "output": "y", "history": [["a"]]},
        "history",
    ),
    "sharegpt without talk": ({"conversations": []}, "conversations"),
    "sharegpt with a stranger": (
        {"conversations": [{"from": "martian", "value": "x"}]},
        "martian",
    ),
    "sharegpt that ends with a question": (
        {"conversations": [{"from": "human", "value": "x"}]},
        "last message",
    ),
    "sharegpt with a broken call": (
        {"conversations": [{"from": "function_call", "value": "look_up()"}]},
        "JSON",
    ),
    "content beside a call": (
        {"messages": [USER, {**ANSWER, "tool_calls": [{"id": "1", **CALL}]}], "tools": TOOLS},
        "both content and tool calls",
    ),
    "a call of nothing": (
        {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]},
        "lacks",
    ),
    "an empty answer": ({"messages": [USER, {"role": "assistant", "content": ""}]}, "empty"),
    "a chunk that is no text": (
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}, ANSWER]},
        "string",
    ),
    "text that is a number": ({"text": 3}, "string"),
    "a pair without answer": ({"question": "x", "answer": ""}, "answer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_record_that_cannot_be_kept_says_why_and_the_rest_is_kept(name: str, bring: Any) -> None:
    bad, reason = REFUSED[name]
    good = {"messages": [USER, ANSWER]}
    report, examples = bring("a.jsonl", lines(good, bad, {"question": "x", "answer": "y"}))
    assert (report.added, report.failed, len(examples)) == (2, 1, 2)
    assert report.failures[0].line == 2
    assert reason in report.failures[0].reason


def test_a_line_of_another_form_than_asked_for_is_refused(bring: Any) -> None:
    text = lines({"messages": [USER, ANSWER]}, {"question": "x", "answer": "y"})
    report, _ = bring("a.jsonl", text, form=FileForm.OPENAI)
    assert (report.added, report.failed) == (1, 1)
    assert 'not "openai"' in report.failures[0].reason
    report, _ = bring("b.jsonl", lines({"text": "Some words."}), form=FileForm.FROM_PAPER)
    assert "from-paper" in report.failures[0].reason


def test_an_array_that_breaks_off_keeps_what_came_before(bring: Any) -> None:
    good = json.dumps({"messages": [USER, ANSWER]})
    report, _ = bring("a.json", f"[\n{good},\n{{'broken'}}, {good}]")
    assert (report.added, report.failures[0].line) == (1, 3)
    report, _ = bring("b.json", "[" * 100_000)
    assert "nested" in report.failures[0].reason
    report, _ = bring("c.json", f"[{good}\n{good}]")
    assert report.failed == 1


def test_bad_files_are_told_as_what_they_are(
    bring: Any, datasets: Datasets, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="UTF-16"):
        bring("a.jsonl", lines({"text": "x"}).encode("utf-16"))
    with pytest.raises(UsageError, match="not UTF-8"):
        bring("a.json", b'["caf\xe9"]')
    with pytest.raises(NotFoundError):
        datasets.import_file("answers", tmp_path / "none.jsonl")
    with pytest.raises(NotFoundError, match="no frozen version"):
        datasets.import_file("answers", tmp_path)
    report, _ = bring("b.jsonl", b"\xef\xbb\xbf" + lines({"text": "x"}).encode() + b"\xff\n\r\n")
    assert (report.added, report.failures[0].line) == (1, 2)
    report, _ = bring("c.txt", "Just prose.")
    assert "From paper" in report.failures[0].reason
