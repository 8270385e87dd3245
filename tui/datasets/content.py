"""An example's words as they are stored, identified and written into a training file."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from tui.domain.example import Example, Form, Turn
from tui.formats import templates
from tui.text import clean

_TURNS = msgspec.json.Decoder(list[Turn])


def encode_content(example: Example) -> str:
    """Turns as JSON, or the text itself."""
    if example.form is Form.TEXT:
        return example.text
    return msgspec.json.encode(example.turns).decode()


def with_content(example: Example, content: str) -> Example:
    """The example with other words, as `encode_content` wrote them."""
    if example.form is Form.TEXT:
        return replace(example, text=content, turns=())
    return replace(example, turns=tuple(_TURNS.decode(content)), text="")


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
        turns=tuple(Turn(turn.role, clean(turn.content)) for turn in example.turns),
        text=clean(example.text),
        quote=clean(example.quote),
        key_phrase=clean(example.key_phrase),
        finding=clean(example.finding),
        note=clean(example.note),
        author=clean(example.author),
    )


def training_line(example: Example) -> bytes:
    """The example as one line of a training file, without its line end."""
    if example.form is Form.TEXT:
        return msgspec.json.encode({"text": example.text})
    turns = [{"role": turn.role, "content": turn.content} for turn in example.turns]
    return msgspec.json.encode({"messages": turns})


def question_and_answer(example: Example) -> tuple[str, str]:
    """What is asked and what is answered, whichever form it is written in; else two blanks."""
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
            turns[position] = Turn("user", question)
            break
    for position in range(len(turns) - 1, -1, -1):
        if turns[position].role == "assistant":
            turns[position] = Turn("assistant", answer)
            break
    return replace(example, turns=tuple(turns))
