"""The forms in which others keep training data, brought into ours.

What comes out is an object that the rules of a training line judge (`messages` or `text`), or a
pair (`question`, `answer`); what cannot be brought into either is refused with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from tui.formats.lines import LineError
from tui.formats.repairs import NO_PARAMETERS, repair


class FileForm(StrEnum):
    """How a file of examples is written."""

    MISTRAL = "mistral"
    OPENAI = "openai"
    TEXT = "text"
    FROM_PAPER = "from-paper"
    QUESTION_ANSWER = "question-answer"
    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    CSV = "csv"
    PAIRS = "pairs"


# Other names of a question and its answer, the usual ones first.
QUESTIONS = ("question", "prompt", "instruction", "query", "input", "user", "q", "frage")
ANSWERS = (
    "answer",
    "completion",
    "response",
    "output",
    "reply",
    "assistant",
    "target",
    "a",
    "antwort",
)

_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
}


def guess(document: dict[str, Any]) -> FileForm:
    """The form of one object; raises LineError for an object in none of them."""
    keys = document.keys()
    if keys & {"messages", "interactions"}:
        return FileForm.OPENAI
    if "conversations" in keys:
        return FileForm.SHAREGPT
    if "instruction" in keys and "output" in keys:
        return FileForm.ALPACA
    if _first(document, QUESTIONS) and _first(document, ANSWERS):
        return FileForm.PAIRS
    if keys & {"text", "content"}:
        return FileForm.TEXT
    names = ", ".join(f'"{str(key)[:20]}"' for key in list(document)[:4]) or "none"
    raise LineError("form", f"the object is in no form that is known (its keys: {names})")


def convert(document: dict[str, Any], form: FileForm | None) -> dict[str, Any]:
    """One object of a file as a training line or a pair; raises LineError."""
    found = guess(document)
    if form is not None and form not in _TAKEN[found]:
        raise LineError("form", f'the line is in the form "{found}", not "{form}"')
    return _CONVERTERS[found](document)


def _chat(document: dict[str, Any]) -> dict[str, Any]:
    return repair(document)[0]


def _pair(document: dict[str, Any]) -> dict[str, Any]:
    question, answer = _first(document, QUESTIONS), _first(document, ANSWERS)
    others = {key: value for key, value in document.items() if key not in (question, answer)}
    return {**others, "question": document[question], "answer": document[answer]}


def _first(document: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in document), "")


def _alpaca(document: dict[str, Any]) -> dict[str, Any]:
    """`instruction`, perhaps with `input`, `system` and a `history` of pairs, and `output`."""
    instruction, given, output = (
        _text(document, key) for key in ("instruction", "input", "output")
    )
    if not instruction.strip():
        raise LineError("form", 'the "instruction" is empty')
    messages = _system(_text(document, "system"))
    for exchange in document.get("history") or ():
        if not isinstance(exchange, list | tuple) or len(exchange) != 2:
            raise LineError("form", '"history" must hold pairs of question and answer')
        messages += [
            {"role": "user", "content": exchange[0]},
            {"role": "assistant", "content": exchange[1]},
        ]
    asked = f"{instruction}\n\n{given}" if given.strip() else instruction
    messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": output}]
    return {"messages": messages}


def _system(text: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": text}] if text.strip() else []


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LineError("form", f'"{key}" must be a string')
    return value


def _sharegpt(document: dict[str, Any]) -> dict[str, Any]:
    """`conversations` of `from` and `value`, perhaps with `system` and `tools` (JSON text)."""
    talk = document["conversations"]
    if not isinstance(talk, list) or not talk:
        raise LineError("form", '"conversations" must be a list of messages')
    messages = _system(_text(document, "system"))
    for n, turn in enumerate(talk, 1):
        if not isinstance(turn, dict):
            raise LineError("form", f"message {n} is no object")
        speaker = turn.get("from", turn.get("role"))
        value = turn.get("value", turn.get("content"))
        if speaker in ("function_call", "observation", "tool"):
            messages.append(_tool_turn(n, str(speaker), value))
            continue
        role = _SPEAKERS.get(str(speaker).strip().lower())
        if role is None:
            raise LineError("form", f'message {n} is from "{str(speaker)[:30]}", who is not known')
        message: dict[str, Any] = {"role": role, "content": value}
        if role == "assistant" and turn.get("weight") is not None:
            message["weight"] = turn["weight"]
        messages.append(message)
    line: dict[str, Any] = {"messages": messages}
    if tools := _tools(document.get("tools")):
        line["tools"] = tools
    return repair(line)[0]


def _tool_turn(n: int, speaker: str, value: Any) -> dict[str, Any]:
    if speaker != "function_call":
        return {"role": "tool", "content": value}
    try:
        call = json.loads(value) if isinstance(value, str) else value
        name, arguments = call["name"], call["arguments"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise LineError(
            "call", f"message {n}: a function_call holds a name and arguments as JSON"
        ) from None
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {
        "role": "assistant",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def _tools(value: Any) -> list[Any]:
    try:
        tools = json.loads(value) if isinstance(value, str) and value.strip() else value
    except (ValueError, RecursionError):
        raise LineError("tools-type", '"tools" is no JSON') from None
    if not tools:
        return []
    if not isinstance(tools, list):
        raise LineError("tools-type", '"tools" must be a list')
    return [
        {"type": "function", "function": {"parameters": NO_PARAMETERS, **tool}}
        if isinstance(tool, dict) and "function" not in tool
        else tool
        for tool in tools
    ]


_CHATS = frozenset({FileForm.MISTRAL, FileForm.OPENAI})
_TEXTS = frozenset({FileForm.TEXT, FileForm.FROM_PAPER, FileForm.QUESTION_ANSWER})
_TAKEN: dict[FileForm, frozenset[FileForm]] = {
    FileForm.OPENAI: _CHATS,
    FileForm.SHAREGPT: frozenset({FileForm.SHAREGPT}),
    FileForm.ALPACA: frozenset({FileForm.ALPACA}),
    FileForm.PAIRS: frozenset({FileForm.PAIRS, FileForm.CSV}),
    FileForm.TEXT: _TEXTS,
}
_CONVERTERS: dict[FileForm, Callable[[dict[str, Any]], dict[str, Any]]] = {
    FileForm.OPENAI: _chat,
    FileForm.SHAREGPT: _sharegpt,
    FileForm.ALPACA: _alpaca,
    FileForm.PAIRS: _pair,
    FileForm.TEXT: _chat,
}
