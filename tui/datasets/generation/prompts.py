"""What a model is asked, and what it may answer: templates, JSON schemas, strict reading.

Prompts are files in `assets/prompts/`; a workspace overrides one by a file of the same name in its
`prompts/` folder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from tui.corpus.passages import sentence_ends
from tui.datasets.generation.gates import LEAST_QUOTE
from tui.datasets.generation.plan import QuestionType, Unit
from tui.domain.errors import UsageError
from tui.domain.example import Kind, Turn
from tui.domain.text import STOP_WORDS, words
from tui.text import clean, shorten

_PLACEHOLDER = re.compile(r"\{(?:title|passage|type|wordings)\}")
_ASKED = {
    QuestionType.RESULT: "a result with its number",
    QuestionType.METHOD: "how something was done, made or measured",
    QuestionType.DEFINITION: "what a term means or what something is",
    QuestionType.COMPARISON: "how two things compare",
    QuestionType.LIMITATION: "a limit, an exception or what is not known",
}
# An answer that is larger is no answer to what was asked.
_LONGEST = 20_000
_SHOWN_BACK = 600
_LONGEST_QUOTE = 500
_MOST_QUOTES = 100
_FENCED = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)
# A text of so many words in the language of `STOP_WORDS` has at least one of them.
_TELLING_WORDS = 8
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")


class AnswerError(Exception):
    """A model's answer cannot be used; the message says why and is shown to the model."""


class QaAnswer(msgspec.Struct, frozen=True):
    """A finding, a question on it and other wordings of the question."""

    quote: str
    question: str
    answer: str
    key_phrase: str = ""
    wordings: list[str] = []


class SummaryAnswer(msgspec.Struct, frozen=True):
    """A summary and a sentence that it rests on."""

    quote: str
    summary: str


_QA = msgspec.json.Decoder(QaAnswer)
_SUMMARY = msgspec.json.Decoder(SummaryAnswer)


def schema(kind: Kind, wordings: int, source: str) -> dict[str, Any]:
    """The JSON schema of the answer; the quote comes first, so that the rest follows from it.

    It must be a sentence of the source, where there are any: a server that decodes by the schema
    then cannot misquote.
    """
    sentences = _sentences(source)
    properties: dict[str, Any] = {
        "quote": {"enum": sentences} if sentences else _string(_LONGEST_QUOTE)
    }
    if kind is Kind.SUMMARY:
        properties["summary"] = _string(2_000)
    else:
        others = max(0, wordings - 1)
        question = _string(300)
        listed = {"type": "array", "items": question, "minItems": others, "maxItems": others}
        properties |= {"question": question, "answer": _string(400), "key_phrase": _string(80)}
        if others:
            properties["wordings"] = listed
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


Answer = QaAnswer | SummaryAnswer


def _string(longest: int) -> dict[str, Any]:
    """A string that ends, where a small model would go on for ever."""
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _sentences(source: str) -> list[str]:
    """The sentences that are long enough to be a quote and short enough to be one statement."""
    found: dict[str, None] = {}
    for paragraph in source.split("\n\n"):
        start = 0
        for end in sentence_ends(paragraph):
            sentence = " ".join(paragraph[start:end].split())
            start = end
            if len(words(sentence)) >= LEAST_QUOTE and len(sentence) <= _LONGEST_QUOTE:
                found[sentence] = None
    return list(found)[:_MOST_QUOTES]


class GenerationPrompts:
    """The prompts for generating: the workspace's own where it has one, else the built-in ones."""

    def __init__(self, overrides: Path | None = None) -> None:
        self._overrides = overrides

    def template(self, kind: Kind) -> str:
        """The template of a kind; raises UsageError when an override lacks its placeholder."""
        name = f"generate-{kind.value}.md"
        own = self._overrides / name if self._overrides else None
        if own is None or not own.is_file():
            return (resources.files("assets") / "prompts" / name).read_text("utf-8")
        text = own.read_text(encoding="utf-8", errors="replace")
        if "{passage}" not in text:
            raise UsageError(f"{own} lacks {{passage}}.", "Add it, or remove the file.")
        return text

    def compose(
        self, kind: Kind, unit: Unit, texts: Sequence[str], asked: QuestionType, wordings: int
    ) -> tuple[Turn, ...]:
        """The request for one unit with the texts of its passages."""
        values = {
            "{title}": shorten(unit.title, 200),
            "{passage}": fenced(unit.id, texts),
            "{type}": _ASKED[asked],
            "{wordings}": str(max(0, wordings - 1)),
        }
        # One pass: a placeholder inside a paper is only text.
        text = _PLACEHOLDER.sub(lambda match: values[match[0]], self.template(kind))
        return (Turn("user", text.strip()),)


def again(turns: Sequence[Turn], said: str, error: AnswerError) -> tuple[Turn, ...]:
    """The same request once more, with what was wrong with the first answer."""
    return (
        *turns,
        Turn("assistant", clean(said)[:_SHOWN_BACK] or "(nothing)"),
        Turn("user", f"That cannot be used: {error}. Write the JSON object again, nothing else."),
    )


def fenced(name: str, texts: Sequence[str]) -> str:
    """Foreign text between two marks that do not stand in it."""
    body = "\n\n".join(text.strip() for text in texts)
    mark = f"passage-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    while mark in body:
        mark = f"passage-{hashlib.sha256(mark.encode()).hexdigest()[:6]}"
    return f"<{mark}>\n{body}\n</{mark}>"


def read(kind: Kind, text: str, source: str, *, cut: bool = False) -> Answer:
    """A model's answer as a value of clean, stripped strings; raises AnswerError.

    `cut` says that the model was stopped at its limit; `source` is the text that was asked about.
    """
    if len(text) > _LONGEST:
        raise AnswerError("the answer is far too long")
    body = text.strip()
    if match := _FENCED.match(body):
        body = match[1]
    try:
        answer = _SUMMARY.decode(body) if kind is Kind.SUMMARY else _QA.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        if cut:
            raise AnswerError("the answer was cut off before its end") from None
        why = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise AnswerError(f"the answer is no JSON object of the kind asked for ({why})") from None
    answer = _cleaned(answer)
    said = answer.summary if isinstance(answer, SummaryAnswer) else answer.question + answer.answer
    _same_language(said, source)
    return answer


def _cleaned(answer: Answer) -> Answer:
    if isinstance(answer, SummaryAnswer):
        parts = {"quote": answer.quote, "summary": answer.summary}
    else:
        parts = {"quote": answer.quote, "question": answer.question, "answer": answer.answer}
    safe = {name: clean(value).strip() for name, value in parts.items()}
    for name, value in safe.items():
        if not value:
            raise AnswerError(f'"{name}" is empty')
    if isinstance(answer, SummaryAnswer):
        return SummaryAnswer(**safe)
    wordings = [clean(wording).strip() for wording in answer.wordings]
    return QaAnswer(
        **safe, key_phrase=clean(answer.key_phrase).strip(), wordings=list(filter(None, wordings))
    )


def _same_language(said: str, source: str) -> None:
    """Raise AnswerError for another script, or for another language than an English source."""
    wrong = AnswerError("the answer is in another language than the passage")
    if _mostly_latin(said) != _mostly_latin(source):
        raise wrong
    found, theirs = words(said), words(source)
    english = sum(word in STOP_WORDS for word in theirs) >= 0.15 * len(theirs)
    if english and len(found) >= _TELLING_WORDS and STOP_WORDS.isdisjoint(found):
        raise wrong


def _mostly_latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return not letters or sum(bool(_LATIN.match(c)) for c in letters) >= len(letters) / 2
