"""Finding what a question should be answered from, and condensing it to what a prompt can hold.

On a CPU every prompt token costs time, so there the context is the best sentences of the best
passages rather than whole passages; with room to spare, sentences keep their neighbours.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tui.corpus import Corpus
from tui.domain.chat import Source
from tui.domain.paper import Passage
from tui.domain.text import content_words

# Passages looked at per question, and how many of them one paper may hold: an answer that rests on
# several papers needs sources of several.
CANDIDATES = 20
TOP = 5
PER_PAPER = 3

_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
# A better-ranked passage is worth this much more, as a factor per rank.
_RANK_DECAY = 0.85


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its place in the search result (0 is best)."""

    rank: int
    title: str
    passage: Passage


class Retriever:
    """Ranks passages for a question by the corpus's own search."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def find(
        self, question: str, *, papers: Collection[str] | None = None, top: int = TOP
    ) -> list[Ranked]:
        """The `top` passages for `question`, best first, at most `PER_PAPER` of one paper."""
        hits = self._corpus.search(question, limit=CANDIDATES, papers=papers)
        taken: Counter[str] = Counter()
        found: list[Ranked] = []
        for hit in hits:
            if taken[hit.paper] >= PER_PAPER:
                continue
            taken[hit.paper] += 1
            found.append(Ranked(len(found), hit.title, self._corpus.passage(hit.passage)))
            if len(found) == top:
                break
        return found


def condense(
    question: str, found: Sequence[Ranked], budget: int, count: Callable[[str], int]
) -> tuple[Source, ...]:
    """The sentences of `found` that answer `question` best, within `budget` tokens in all.

    `count` gives a text's tokens. Sentences of one passage become one source, in their order.
    Sources are numbered by the rank of their passage.
    """
    wanted = set(content_words(question))
    sentences = [
        (item, position, sentence)
        for item in found
        for position, sentence in enumerate(split_sentences(item.passage.text))
    ]
    rarity = _rarity([sentence for _, _, sentence in sentences], wanted)
    scored = sorted(
        sentences,
        key=lambda entry: _RANK_DECAY ** entry[0].rank * _score(entry[2], rarity),
        reverse=True,
    )
    chosen: dict[int, list[tuple[int, str]]] = {}
    left = budget
    for item, position, sentence in scored:
        # Numbering "[1] " and the line end cost tokens too.
        cost = count(sentence) + (4 if item.rank not in chosen else 0)
        if cost <= left:
            left -= cost
            chosen.setdefault(item.rank, []).append((position, sentence))
    return tuple(
        _source(number, found[rank], [text for _, text in sorted(chosen[rank])])
        for number, rank in enumerate(sorted(chosen), start=1)
    )


def split_sentences(text: str) -> list[str]:
    """The sentences of a passage, one line each; an abbreviation may split one too early."""
    return [" ".join(part.split()) for part in _SENTENCE.split(text) if part.strip()]


def _rarity(sentences: Sequence[str], wanted: set[str]) -> dict[str, float]:
    """How telling each wanted word is: the fewer candidate sentences hold it, the more."""
    holding: Counter[str] = Counter()
    for sentence in sentences:
        holding.update(wanted & set(content_words(sentence)))
    return {word: math.log(1 + len(sentences) / holds) for word, holds in holding.items()}


def _score(sentence: str, rarity: dict[str, float]) -> float:
    words = set(content_words(sentence))
    return sum(weight for word, weight in rarity.items() if word in words)


def _source(number: int, item: Ranked, sentences: list[str]) -> Source:
    return Source(
        n=number,
        paper=item.passage.paper,
        title=item.title,
        passage=item.passage.id,
        page=item.passage.page,
        section=item.passage.section,
        quote=" ".join(sentences),
    )
