"""An example's words as they are stored, identified and written into a training file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import msgspec

from tui.datasets import grounded
from tui.domain.example import Example, Form, Kind, ToolCall, Turn
from tui.formats import templates
from tui.text import clean


class _Conversation(msgspec.Struct):
    """How a conversation with tools is stored; one without is the list of its turns."""

    messages: list[Turn]
    tools: msgspec.Raw


_STORED = msgspec.json.Decoder(list[Turn] | _Conversation)


def encode_content(example: Example) -> str:
    """Turns as JSON, with the tools where there are any, or the text itself."""
    if example.form is Form.TEXT:
        return example.text
    turns = [_stored(turn) for turn in example.turns]
    if example.tools:
        return msgspec.json.encode(
            {"messages": turns, "tools": msgspec.Raw(example.tools.encode())}
        ).decode()
    return msgspec.json.encode(turns).decode()


def _stored(turn: Turn) -> dict[str, Any]:
    """A turn without what it leaves open, so that plain turns are stored as role and content."""
    found: dict[str, Any] = {"role": turn.role, "content": turn.content}
    for key in ("weight", "tool_calls", "tool_call_id", "name"):
        value = getattr(turn, key)
        if value not in (None, "", ()):
            found[key] = value
    return found


def with_content(example: Example, content: str) -> Example:
    """The example with other words, as `encode_content` wrote them."""
    if example.form is Form.TEXT:
        return replace(example, text=content, turns=())
    stored = _STORED.decode(content)
    if isinstance(stored, _Conversation):
        tools = bytes(stored.tools).decode()
        return replace(example, turns=tuple(stored.messages), text="", tools=tools)
    return replace(example, turns=tuple(stored), text="", tools="")


def content_sha256(form: Form, content: str) -> str:
    """What makes two examples the same: form and words, not where they came from."""
    return hashlib.sha256(f"{form.value}\n{content}".encode()).hexdigest()


def example_id(dataset: str, sha256: str) -> str:
    """The same for the same words in a dataset of the same name, on any machine.

    So decisions that colleagues wrote elsewhere find their example.
    """
    return "e" + hashlib.sha256(f"{dataset}\n{sha256}".encode()).hexdigest()[:16]


def cleaned(example: Example) -> Example:
    """The example with safe text only; nothing else may enter the store."""
    return replace(
        example,
        turns=tuple(_clean_turn(turn) for turn in example.turns),
        text=clean(example.text),
        quote=clean(example.quote),
        key_phrase=clean(example.key_phrase),
        finding=clean(example.finding),
        note=clean(example.note),
        reason=clean(example.reason),
        question_type=clean(example.question_type),
        prompt=clean(example.prompt),
        author=clean(example.author),
        tools=clean_json(example.tools),
    )


def _clean_turn(turn: Turn) -> Turn:
    calls = tuple(
        ToolCall(call.id, clean(call.name), clean_json(call.arguments)) for call in turn.tool_calls
    )
    return replace(turn, content=clean(turn.content), name=clean(turn.name), tool_calls=calls)


def clean_json(text: str) -> str:
    """JSON text whose strings are safe; what is no JSON becomes safe as plain text."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return clean(text)
    safe = _clean_value(value)
    return text if safe == value else msgspec.json.encode(safe).decode()


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _clean_value(item) for key, item in value.items()}
    return value


def training_line(example: Example) -> bytes:
    """The example as one line of a training file, without its line end."""
    if example.form is Form.TEXT:
        return msgspec.json.encode({"text": example.text})
    line: dict[str, Any] = {"messages": [message(turn) for turn in example.turns]}
    if example.tools:
        line["tools"] = msgspec.Raw(example.tools.encode())
    return msgspec.json.encode(line)


def message(turn: Turn) -> dict[str, Any]:
    """A turn as a message of a training line; what calls functions has no content."""
    found: dict[str, Any] = {"role": turn.role}
    if turn.tool_calls:
        found["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in turn.tool_calls
        ]
    if turn.content or not turn.tool_calls:
        found["content"] = turn.content
    if turn.tool_call_id:
        found["tool_call_id"] = turn.tool_call_id
    if turn.name:
        found["name"] = turn.name
    if turn.weight is not None:
        found["weight"] = turn.weight
    return found


def turns_of(line: dict[str, Any]) -> tuple[tuple[Turn, ...], str]:
    """The turns and the tools (as JSON text) of a training line that `training_line` wrote."""
    turns = []
    for given in line.get("messages", ()):
        calls = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in given.get("tool_calls", ())
        )
        turns.append(
            Turn(
                given["role"],
                given.get("content", ""),
                given.get("weight"),
                calls,
                given.get("tool_call_id", ""),
                given.get("name", ""),
            )
        )
    tools = line.get("tools")
    return tuple(turns), msgspec.json.encode(tools).decode() if tools else ""


def question_and_answer(example: Example) -> tuple[str, str]:
    """What is asked and what is answered, whichever form it is written in; else two blanks.

    Of an example with sources it is the bare question, without them.
    """
    if example.kind is Kind.RETRIEVAL:
        return grounded.asked(example.question), example.answer
    if example.form is Form.MESSAGES:
        return example.question, example.answer
    plain = templates.parse(example.text)
    if isinstance(plain, templates.QuestionAnswer):
        return plain.question, plain.answer
    return "", ""


def ask(example: Example, question: str, answer: str) -> Example:
    """The example as one question and its answer, in its own form."""
    if example.form is Form.TEXT:
        return replace(example, text=templates.question_answer(question, answer))
    return replace(example, turns=(Turn("user", question), Turn("assistant", answer)))


def with_answer(example: Example, question: str | None, answer: str | None) -> Example:
    """The example with another question or answer, in its own form.

    In a conversation it is the first question and the last answer that change.
    """
    old_question, old_answer = question_and_answer(example)
    question = old_question if question is None else question
    answer = old_answer if answer is None else answer
    if example.form is Form.TEXT:
        return replace(example, text=templates.question_answer(question, answer))
    turns = list(example.turns)
    for position, turn in enumerate(turns):
        if turn.role == "user":
            if example.kind is Kind.RETRIEVAL:
                question = grounded.with_question(turn.content, question)
            turns[position] = replace(turn, content=question)
            break
    for position in range(len(turns) - 1, -1, -1):
        turn = turns[position]
        if turn.role == "assistant" and not turn.tool_calls:
            turns[position] = replace(turn, content=answer)
            break
    return replace(example, turns=tuple(turns))
