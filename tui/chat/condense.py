"""Condensing passages to what a prompt can hold, by the tokens of the model that will read it.

On a CPU every prompt token costs time, so there the context is the best sentences of the best
passages rather than whole passages; with room to spare, sentences keep their neighbours.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from tui.chat.retrieve import Ranked
from tui.domain.chat import Source
from tui.domain.text import content_words

_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
# A better-ranked passage is worth this much more, as a factor per rank.
_RANK_DECAY = 0.85
# Numbering "[1] " and the line end cost tokens too.
_NUMBERING = 4

Count = Callable[[str], int]


def condense(
    question: str,
    found: Sequence[Ranked],
    budget: int,
    count: Count,
    kept: Mapping[str, Collection[int]] | None = None,
) -> tuple[Source, ...]:
    """The sentences of `found` that answer `question` best, within `budget` tokens in all.

    `count` gives a text's tokens. Sentences of one passage become one source, in their order.
    Sources are numbered by the rank of their passage. `kept` names, for passages that a model has
    read before, the sentences it found telling: of these passages only those are taken.
    """
    wanted = set(content_words(question))
    sentences = [
        (item, position, sentence)
        for item in found
        for position, sentence in enumerate(split_sentences(item.passage.text))
        if not kept or item.passage.id not in kept or position in kept[item.passage.id]
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
        cost = count(sentence) + (_NUMBERING if item.rank not in chosen else 0)
        if cost <= left:
            left -= cost
            chosen.setdefault(item.rank, []).append((position, sentence))
    by_rank = {item.rank: item for item in found}
    return tuple(
        source(number, by_rank[rank], [text for _, text in sorted(chosen[rank])])
        for number, rank in enumerate(sorted(chosen), start=1)
    )


def split_sentences(text: str) -> list[str]:
    """The sentences of a passage, one line each; an abbreviation may split one too early."""
    return [" ".join(part.split()) for part in _SENTENCE.split(text) if part.strip()]


def source(number: int, item: Ranked, sentences: Sequence[str]) -> Source:
    """A passage as the source `[number]` of which these sentences are shown."""
    return Source(
        n=number,
        paper=item.passage.paper,
        title=item.title,
        passage=item.passage.id,
        page=item.passage.page,
        section=item.passage.section,
        quote=" ".join(sentences),
    )


def _rarity(sentences: Sequence[str], wanted: set[str]) -> dict[str, float]:
    """How telling each wanted word is: the fewer candidate sentences hold it, the more."""
    holding: Counter[str] = Counter()
    for sentence in sentences:
        holding.update(wanted & set(content_words(sentence)))
    return {word: math.log(1 + len(sentences) / holds) for word, holds in holding.items()}


def _score(sentence: str, rarity: dict[str, float]) -> float:
    words = set(content_words(sentence))
    return sum(weight for word, weight in rarity.items() if word in words)
