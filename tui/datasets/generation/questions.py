"""Questions that are there already, found again by their words."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass

from tui.domain.text import content_words
from tui.formats.near_duplicates import jaccard, words

# As `tui.formats.near_duplicates.alike`: an edited word in a question of five still counts.
_ALIKE = 0.6
# Capitals within a sentence and words with digits: what a question is about.
NAME = re.compile(r"\b(?:[A-ZÀ-Þ][\w'’-]+|\w*\d[\w.-]*)")


@dataclass(frozen=True, slots=True)
class _Known:
    question: str
    words: frozenset[str]
    content: frozenset[str]
    names: frozenset[str]
    answer: frozenset[str]
    numbers: frozenset[str]


class QuestionIndex:
    """Tells whether nearly the same was asked before; each look-up costs a few comparisons.

    Two questions are the same when nearly all their words are, and their answers' too. "At what
    temperature does A melt?" and "… does B melt?" differ in one word, but it is a name; answers
    with different numbers answer different questions. Where all words that carry meaning are the
    same, the answer does not matter.
    """

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)

    def add(self, question: str, answer: str) -> None:
        """Remember a question."""
        known = _known(question, answer)
        for word in known.words:
            self._by_word[word].append(len(self._known))
        self._known.append(known)

    def near(self, question: str, answer: str) -> str | None:
        """A question that asks the same, if there is one."""
        asked = _known(question, answer)
        # Sets of that similarity share at least one of these, the rarest words.
        least = math.ceil(_ALIKE * len(asked.words))
        rarest = sorted(asked.words, key=lambda word: (len(self._by_word.get(word, ())), word))
        seen: set[int] = set()
        for word in rarest[: len(rarest) - least + 1]:
            for position in self._by_word.get(word, ()):
                if position in seen:
                    continue
                seen.add(position)
                if _same(asked, self._known[position]):
                    return self._known[position].question
        return None


def _known(question: str, answer: str) -> _Known:
    names = (match[0].lower() for match in NAME.finditer(question) if match.start())
    in_answer = frozenset(words(answer))
    return _Known(
        question,
        frozenset(words(question)),
        frozenset(content_words(question)),
        frozenset(names),
        in_answer,
        frozenset(word for word in in_answer if any(map(str.isdecimal, word))),
    )


def _same(a: _Known, b: _Known) -> bool:
    # The Jaccard index without building the union.
    shared = len(a.words & b.words)
    if shared < _ALIKE * (len(a.words) + len(b.words) - shared):
        return False
    if a.content == b.content:
        return True
    if (a.names - b.names and b.names - a.names) or a.numbers != b.numbers:
        return False
    return jaccard(a.answer, b.answer) >= _ALIKE
