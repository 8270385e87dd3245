"""Examples into files that others read, each in its form or refused with its reason."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.datasets.content import ask, question_and_answer, training_line
from tui.datasets.library import Library
from tui.datasets.pairs import AddFailure
from tui.domain.errors import ConflictError, NotFoundError, PapertuneError
from tui.domain.example import Example, Form, Turn
from tui.formats import templates
from tui.formats.foreign import FileForm
from tui.formats.lines import LineError
from tui.storage.atomic import replacing
from tui.text import visible

_COLUMNS = ("question", "answer", "paper", "quote", "key_phrase", "finding", "role")
_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written where; a `failure` names the example that the form cannot hold."""

    path: str
    format: str
    written: int = 0
    failed: int = 0
    failures: tuple[AddFailure, ...] = ()


def export(
    examples: Sequence[Example],
    path: Path,
    form: FileForm,
    library: Library,
    *,
    replace: bool = False,
) -> ExportReport:
    """Write examples to a new file: an array for `.json`, plain blocks for `.txt` and `.md`.

    Raises ConflictError when the file is there already and `replace` is false, PapertuneError when
    it cannot be written.
    """
    if path.exists() and not replace:
        raise ConflictError(
            f"{visible(str(path))} is there already.", "Name another file, or use --replace."
        )
    write = partial(_from_paper, library) if form is FileForm.FROM_PAPER else _WRITERS[form]
    failures: list[AddFailure] = []
    records = []
    for number, example in enumerate(examples, 1):
        try:
            records.append(write(example))
        except LineError as error:
            failures.append(AddFailure(number, f"{example.id}: {error.reason}", example.paper))
    try:
        with replacing(path) as file:
            _write(file, records, form, path.suffix.lower())
    except OSError as error:
        raise PapertuneError(
            f"{visible(str(path))} cannot be written: {error.strerror}.", "Check the folder."
        ) from error
    return ExportReport(str(path), form.value, len(records), len(failures), tuple(failures))


def _write(file: BinaryIO, records: Sequence[dict[str, Any]], form: FileForm, suffix: str) -> None:
    if form is FileForm.CSV:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.DictWriter(text, _COLUMNS, delimiter="\t" if suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(records)
        text.detach()
    elif suffix in (".txt", ".md") and all("text" in record for record in records):
        file.write("\n\n".join(record["text"] for record in records).encode() + b"\n")
    elif suffix == ".json":
        file.write(msgspec.json.format(msgspec.json.encode(list(records)), indent=2) + b"\n")
    else:
        for record in records:
            file.write(msgspec.json.encode(record) + b"\n")


def _chat(example: Example) -> dict[str, Any]:
    """`messages`; a question in the plain form becomes a conversation."""
    if example.form is Form.TEXT:
        question, answer = _asked(example)
        talk = (Turn("user", question), Turn("assistant", answer))
        example = Example("", "", example.kind, turns=talk)
    line: dict[str, Any] = json.loads(training_line(example))
    return line


def _asked(example: Example) -> tuple[str, str]:
    """The one question and its answer; raises LineError where there are more or none."""
    question, answer = question_and_answer(example)
    if not question:
        raise LineError("form", "plain text has no question")
    if example.form is Form.MESSAGES and [t.role for t in example.turns] != ["user", "assistant"]:
        raise LineError("form", "a conversation is more than one question and its answer")
    return question, answer


def _text(example: Example) -> dict[str, Any]:
    if example.form is Form.TEXT:
        return {"text": example.text}
    return _question_answer(example)


def _question_answer(example: Example) -> dict[str, Any]:
    return {"text": templates.question_answer(*_asked(example))}


def _from_paper(library: Library, example: Example) -> dict[str, Any]:
    plain = templates.parse(example.text) if example.form is Form.TEXT else None
    if isinstance(plain, templates.FromPaper):
        return {"text": example.text}
    try:
        title = library.paper(example.paper).title if example.paper else ""
    except NotFoundError:
        title = ""
    if not title:
        raise LineError("form", "no paper of the corpus is named")
    asked = plain is not None or example.form is Form.MESSAGES
    return {"text": templates.from_paper(title, _asked(example)[1] if asked else example.text)}


def _alpaca(example: Example) -> dict[str, Any]:
    turns = list(_plain_turns(example))
    found: dict[str, Any] = {"instruction": "", "input": "", "output": ""}
    if turns[0].role == "system":
        found["system"] = turns.pop(0).content
    roles = [turn.role for turn in turns]
    if roles != ["user", "assistant"] * (len(turns) // 2):
        raise LineError("form", "Alpaca holds pairs of question and answer only")
    found["instruction"], found["output"] = turns[-2].content, turns[-1].content
    if len(turns) > 2:
        earlier = [turn.content for turn in turns[:-2]]
        found["history"] = [list(pair) for pair in zip(earlier[::2], earlier[1::2], strict=True)]
    return found


def _plain_turns(example: Example) -> Sequence[Turn]:
    """The turns of a conversation without tools and weights; raises LineError."""
    if example.form is Form.TEXT:
        return ask(Example("", "", example.kind), *_asked(example)).turns
    if example.tools or any(turn.tool_calls for turn in example.turns):
        raise LineError("form", "tool calls cannot be written in this form")
    if any(turn.weight is not None for turn in example.turns):
        raise LineError("form", "weights cannot be written in this form")
    return example.turns


def _sharegpt(example: Example) -> dict[str, Any]:
    if example.form is Form.TEXT:
        example = ask(Example("", "", example.kind), *_asked(example))
    talk: list[dict[str, Any]] = []
    for turn in example.turns:
        if len(turn.tool_calls) > 1:
            raise LineError("form", "ShareGPT holds one tool call a message")
        for call in turn.tool_calls:
            value = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
            talk.append({"from": "function_call", "value": value})
        if turn.content or not turn.tool_calls:
            said: dict[str, Any] = {"from": _SHAREGPT[turn.role], "value": turn.content}
            talk.append(said if turn.weight is None else {**said, "weight": turn.weight})
    found: dict[str, Any] = {"conversations": talk}
    return {**found, "tools": example.tools} if example.tools else found


def _pair(example: Example) -> dict[str, Any]:
    question, answer = _asked(example)
    return {
        "question": question,
        "answer": answer,
        "paper": example.paper,
        "quote": example.quote,
        "key_phrase": example.key_phrase,
        "finding": example.finding,
        "role": example.role.value if example.role else "",
    }


_WRITERS: dict[FileForm, Callable[[Example], dict[str, Any]]] = {
    FileForm.MISTRAL: _chat,
    FileForm.OPENAI: _chat,
    FileForm.TEXT: _text,
    FileForm.QUESTION_ANSWER: _question_answer,
    FileForm.ALPACA: _alpaca,
    FileForm.SHAREGPT: _sharegpt,
    FileForm.CSV: _pair,
    FileForm.PAIRS: _pair,
}
