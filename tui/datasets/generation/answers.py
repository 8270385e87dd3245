"""What a model may answer: JSON schemas that constrain it, and strict reading of what came."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.corpus.passages import sentence_ends
from tui.datasets.generation.gates import LEAST_QUOTE
from tui.datasets.generation.plan import QuestionType
from tui.domain.example import Kind
from tui.domain.text import STOP_WORDS, words
from tui.text import clean

# An answer that is larger is no answer to what was asked.
_LONGEST = 20_000
_LONGEST_QUOTE = 500
_MOST_QUOTES = 100
_LEAST_EXCHANGES, _MOST_EXCHANGES = 2, 4
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


class UnanswerableAnswer(msgspec.Struct, frozen=True):
    """A question that the passage leaves open, with the sentence that comes nearest to it."""

    quote: str
    question: str
    wordings: list[str] = []


class SummaryAnswer(msgspec.Struct, frozen=True):
    """A summary and a sentence that it rests on."""

    quote: str
    summary: str


class ExchangeAnswer(msgspec.Struct, frozen=True):
    """One question of a conversation with its answer and the sentence that the answer rests on."""

    quote: str
    question: str
    answer: str


class ConversationAnswer(msgspec.Struct, frozen=True):
    """Questions that follow from one another, with their answers."""

    exchanges: list[ExchangeAnswer]


Answer = QaAnswer | UnanswerableAnswer | SummaryAnswer | ConversationAnswer


def answer_type(kind: Kind, asked: QuestionType) -> type[Answer]:
    """What an answer to such a request is made of."""
    if kind is Kind.SUMMARY:
        return SummaryAnswer
    if kind is Kind.CONVERSATION:
        return ConversationAnswer
    return UnanswerableAnswer if asked is QuestionType.UNANSWERABLE else QaAnswer


def schema(wanted: type[Answer], wordings: int, source: str) -> dict[str, Any]:
    """The JSON schema of the answer; the quote comes first, so that the rest follows from it.

    It must be a sentence of the source, where there are any: a server that decodes by the schema
    then cannot misquote.
    """
    sentences = _sentences(source)
    quote: dict[str, Any] = {"enum": sentences} if sentences else _string(_LONGEST_QUOTE)
    question, answer = _string(300), _string(400)
    if wanted is SummaryAnswer:
        return _object({"quote": quote, "summary": _string(2_000)})
    if wanted is ConversationAnswer:
        exchange = _object({"quote": quote, "question": question, "answer": answer})
        return _object({"exchanges": _list(exchange, _LEAST_EXCHANGES, _MOST_EXCHANGES)})
    properties = {"quote": quote, "question": question}
    if wanted is QaAnswer:
        properties |= {"answer": answer, "key_phrase": _string(80)}
    if wordings > 1:
        properties["wordings"] = _list(question, wordings - 1, wordings - 1)
    return _object(properties)


def read(wanted: type[Answer], text: str, source: str, *, cut: bool = False) -> Answer:
    """A model's answer as a value of clean, stripped strings; raises AnswerError.

    `cut` says that the model was stopped at its limit; `source` is the text that was asked about.
    """
    if len(text) > _LONGEST:
        raise AnswerError("the answer is far too long")
    body = text.strip()
    if match := _FENCED.match(body):
        body = match[1]
    try:
        answer = msgspec.json.decode(body, type=wanted)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        if cut:
            raise AnswerError("the answer was cut off before its end") from None
        why = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise AnswerError(f"the answer is no JSON object of the kind asked for ({why})") from None
    answer = _cleaned(answer)
    _same_language(_said(answer), source)
    return answer


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


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


def _cleaned(answer: Answer) -> Answer:
    if isinstance(answer, SummaryAnswer):
        return SummaryAnswer(*_texts(quote=answer.quote, summary=answer.summary))
    if isinstance(answer, ConversationAnswer):
        exchanges = [
            ExchangeAnswer(*_texts(quote=item.quote, question=item.question, answer=item.answer))
            for item in answer.exchanges
        ]
        if len(exchanges) < _LEAST_EXCHANGES:
            raise AnswerError(f"a conversation has at least {_LEAST_EXCHANGES} exchanges")
        return ConversationAnswer(exchanges[:_MOST_EXCHANGES])
    wordings = [clean(wording).strip() for wording in answer.wordings]
    wordings = list(filter(None, wordings))
    if isinstance(answer, UnanswerableAnswer):
        quote, question = _texts(quote=answer.quote, question=answer.question)
        return UnanswerableAnswer(quote, question, wordings)
    quote, question, said = _texts(
        quote=answer.quote, question=answer.question, answer=answer.answer
    )
    return QaAnswer(quote, question, said, clean(answer.key_phrase).strip(), wordings)


def _texts(**parts: str) -> list[str]:
    safe = {name: clean(value).strip() for name, value in parts.items()}
    for name, value in safe.items():
        if not value:
            raise AnswerError(f'"{name}" is empty')
    return list(safe.values())


def _said(answer: Answer) -> str:
    """What the model wrote itself."""
    if isinstance(answer, SummaryAnswer):
        return answer.summary
    if isinstance(answer, ConversationAnswer):
        return " ".join(f"{item.question} {item.answer}" for item in answer.exchanges)
    if isinstance(answer, UnanswerableAnswer):
        return answer.question
    return f"{answer.question} {answer.answer}"


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
