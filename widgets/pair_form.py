"""The fields of what a person writes of a passage, and the quote that can be taken from it."""

from __future__ import annotations

import re
from collections.abc import Callable

from tui.domain.errors import PapertuneError
from widgets.writing_form import Field, Values

PAIR = (
    Field("question", "Question", "it must stand alone: no “in this paper”"),
    Field("answer", "Answer", "a sentence or two"),
    Field("key_phrase", "Key phrase", "the word or number that makes an answer right"),
    Field("quote", "Quote", "words that prove it; a paragraph selected above goes here", "", True),
)
SUMMARY = (Field("summary", "Summary", "what a colleague must know of it"),)
_LEAST_WORDS = 6
_SENTENCE = re.compile(r"[^.!?]+(?:[.!?](?!\s|$)[^.!?]*)*[.!?]?")


def wrong(made: Callable[[Values], object]) -> Callable[[Values], str]:
    """A form's check: what making something of the values complains of."""

    def check(values: Values) -> str:
        try:
            made(values)
        except PapertuneError as error:
            return str(error)
        return ""

    return check


def quote(words: str, values: Values) -> Values:
    """The one sentence of `words` that holds the key phrase, where no quote was given."""
    phrase = values.get("key_phrase", "")
    if not phrase or values.get("quote"):
        return {}
    sentences = [" ".join(match.group().split()) for match in _SENTENCE.finditer(words)]
    holding = [s for s in sentences if phrase.lower() in s.lower()]
    long_enough = len(holding) == 1 and len(holding[0].split()) >= _LEAST_WORDS
    return {"quote": holding[0]} if long_enough else {}
