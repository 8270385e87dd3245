"""Holding an answer to its sources: every `[n]` exists, every quote stands, every number occurs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from tui.corpus.quotes import normalise
from tui.domain.chat import Source

_CITATION = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_QUOTED = re.compile(r"[\"“]([^\"“”]{12,600})[\"”]")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
# Fewer words than this in quotation marks are a term, not a quote.
_QUOTE_WORDS = 4


def cited(answer: str) -> set[int]:
    """The numbers `answer` cites as `[n]` or `[n, m]`."""
    return {int(n) for match in _CITATION.finditer(answer) for n in match[1].split(",")}


def verify(
    answer: str, sources: Sequence[Source], passage_text: Callable[[str], str]
) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """Check `answer` against `sources`; `passage_text` gives the whole text of a passage id.

    Returns the sources, `verified` set where the model quoted them, and one sentence per problem:
    a citation of no source, a quote found in none, a number that stands in no cited source.
    """
    texts = {source.n: normalise(passage_text(source.passage)) for source in sources}
    problems = [f"[{n}] is no source." for n in sorted(cited(answer) - set(texts))]
    verified: dict[int, bool] = {}
    for quote, named in _quotes(answer, set(texts)):
        holders = [n for n, text in texts.items() if normalise(quote) in text]
        for n in holders:
            verified.setdefault(n, True)
        if not holders:
            for n in named:
                verified[n] = False
            problems.append(f"This quote stands in no source: “{quote}”.")
    problems += [
        f"The number {number} stands in none of its sources." for number in _strays(answer, texts)
    ]
    return (
        tuple(replace(source, verified=verified.get(source.n)) for source in sources),
        tuple(problems),
    )


def _quotes(answer: str, known: set[int]) -> list[tuple[str, set[int]]]:
    """The quotes in `answer`, each with the sources cited in its sentence after it."""
    found = []
    for match in _QUOTED.finditer(answer):
        if len(match[1].split()) < _QUOTE_WORDS:
            continue
        after = re.split(r"(?<=[.!?])\s", answer[match.end() :], maxsplit=1)[0]
        found.append((match[1].strip(" .,;"), cited(after) & known))
    return found


def _strays(answer: str, texts: dict[int, str]) -> list[str]:
    """Numbers of sentences that cite sources none of which holds them."""
    strays: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", answer):
        holders = [texts[n] for n in cited(sentence) if n in texts]
        if not holders:
            continue
        bare = _CITATION.sub(" ", sentence)
        strays += [
            number
            for number in _NUMBER.findall(bare)
            if not any(_holds(text, number) for text in holders)
        ]
    return list(dict.fromkeys(strays))


def _holds(text: str, number: str) -> bool:
    return re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", text) is not None
