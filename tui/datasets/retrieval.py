"""Retrieval-aware examples: a question with the right passage among others, or without it.

After RAFT (Zhang et al., 2024): the model learns to find the passage that answers among those that
only look like it, to quote it, and to say that it cannot answer where none does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tui.corpus import quotes
from tui.corpus.passages import sentence_ends
from tui.datasets import grounded
from tui.datasets.library import Library
from tui.datasets.sides import Sides
from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Form, Kind, Status, Turn
from tui.domain.paper import Hit, Passage
from tui.domain.text import content_words

UNANSWERABLE = "unanswerable"
# Characters a token, for sizing; the check counts exactly.
_CHARACTERS_PER_TOKEN = 4
# A source with fewer characters than this says too little to be taken for the right one.
_LEAST_SOURCE = 160
_LOOKED_AT = 8  # search results for each distractor that is wanted
# A passage that holds so large a share of the answer's own words may well be an answer.
_TELLS = 0.7


class Searchable(Library, Protocol):
    """A library that finds passages near a question."""

    def search(
        self, text: str, *, limit: int = 20, papers: Collection[str] | None = None
    ) -> Sequence[Hit]:
        """The best passages for a question, among `papers` only where they are named."""
        ...


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """How examples with sources are made.

    `share` of the questions get one; `refusals` of these lack the right passage. Each has up to
    `distractors` other passages and is at most `context` tokens long, by estimate. The same `seed`
    gives the same examples, also when questions are added.
    """

    share: float = 1.0
    refusals: float = 0.2
    distractors: int = 3
    context: int = 2048
    seed: int = 0


class NoSourcesError(Exception):
    """A question cannot be given sources; the message says why."""


class Composer:
    """Puts questions together with sources; holds each paper to its side."""

    def __init__(
        self, library: Searchable, sides: Sides, plan: RetrievalPlan, template: str
    ) -> None:
        self._library = library
        self._sides = sides
        self._plan = plan
        self._template = template

    def wanted(self, name: str) -> bool:
        """Whether the question of that name belongs to the share that gets sources."""
        return self._draw("share", name) < self._plan.share

    def refuses(self, name: str) -> bool:
        """Whether the question of that name is to lack its right passage."""
        return self._draw("refusal", name) < self._plan.refusals

    def compose(self, pair: Example, question: str, answer: str) -> Example:
        """The pair with sources; raises NoSourcesError where it can have none.

        `pair` has a verified quote; its status, author, finding and provenance are kept.
        """
        name = pair.id or question
        if not (pair.quote and pair.passages):
            raise NoSourcesError("its answer rests on no quote")
        try:
            right = self._library.passage(pair.passages[0])
        except NotFoundError:
            raise NoSourcesError("its passage is no longer in the corpus") from None
        if not quotes.holds(right.text, pair.quote):
            raise NoSourcesError("its quote stands no longer in its passage")
        refusal = self.refuses(name)
        others = self._distractors(pair, question, answer)
        if refusal and not others:
            raise NoSourcesError("no other passage is near it, so there is nothing to refuse with")
        return self._example(pair, question, "" if refusal else answer, right, others)

    def unanswerable(self, pair: Example, question: str) -> Example:
        """A question that its own passage leaves open: that passage stands among the sources."""
        right = self._library.passage(pair.passages[0])
        others = self._distractors(pair, question, "")
        return self._example(pair, question, "", right, others, shown=True)

    def _distractors(self, pair: Example, question: str, answer: str) -> list[Passage]:
        """Passages near the question that do not hold the answer, nearest first."""
        allowed = self._sides.beside(pair.paper)
        hits = self._library.search(
            question, limit=self._plan.distractors * _LOOKED_AT, papers=allowed
        )
        tells = _Tells(pair, question, answer)
        found: list[Passage] = []
        for hit in hits:
            if len(found) == self._plan.distractors:
                break
            if hit.passage in pair.passages or hit.paper not in allowed:
                continue
            passage = self._library.passage(hit.passage)
            if not tells(passage.text) and all(passage.text != other.text for other in found):
                found.append(passage)
        return found

    def _example(
        self,
        pair: Example,
        question: str,
        answer: str,
        right: Passage,
        others: Sequence[Passage],
        *,
        shown: bool = False,
    ) -> Example:
        """`answer` empty makes a refusal, for which `shown` leaves the right passage in."""
        chosen = [*([right] if answer or shown else []), *others]
        room = self._plan.context * _CHARACTERS_PER_TOKEN
        room -= len(self._template) + len(question) + len(answer) + len(pair.quote)
        while len(chosen) > 1 and room // len(chosen) < _LEAST_SOURCE:
            chosen.pop()
        each = room // len(chosen)
        if each < _LEAST_SOURCE or len(pair.quote) > each:
            raise NoSourcesError(
                f"it does not fit into {self._plan.context} tokens with its source"
            )
        name = pair.id or question
        chosen.sort(key=lambda passage: self._draw(f"place {name}", passage.id))
        texts = [excerpt(p.text, pair.quote if p is right else "", each) for p in chosen]
        said = grounded.REFUSAL
        if answer:
            n = chosen.index(right) + 1
            said = f"“{' '.join(pair.quote.split())}” [{n}] {answer.strip()} [{n}]"
        passages = [right, *(p for p in chosen if p is not right)] if answer or shown else chosen
        return replace(
            pair,
            id="",
            kind=Kind.RETRIEVAL,
            form=Form.MESSAGES,
            text="",
            turns=(
                Turn("user", grounded.written(self._template, question, texts)),
                Turn("assistant", said),
            ),
            passages=tuple(passage.id for passage in passages),
            quote=pair.quote if answer or shown else "",
            verified=False,
            key_phrase=pair.key_phrase if answer else "",
            question_type=pair.question_type if answer else UNANSWERABLE,
            role=None,
            note="",
            reason="",
            created_at=0.0,
        )

    def _draw(self, what: str, name: str) -> float:
        digest = hashlib.sha256(f"{self._plan.seed}\n{what}\n{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


class _Tells:
    """Whether a text may hold a pair's answer: its quote, its key phrase, or most of its words."""

    def __init__(self, pair: Example, question: str, answer: str) -> None:
        self._quote = pair.quote
        self._phrase = pair.key_phrase if answer else ""
        self._words = frozenset(content_words(answer)) - frozenset(content_words(question))

    def __call__(self, text: str) -> bool:
        if quotes.holds(text, self._quote):
            return True
        if self._phrase and quotes.holds(text, self._phrase):
            return True
        shared = self._words.intersection(content_words(text))
        return bool(self._words) and len(shared) >= _TELLS * len(self._words)


def excerpt(text: str, quote: str, size: int) -> str:
    """At most `size` characters of a text, whole sentences of it where possible, around a quote."""
    if len(text) <= size:
        return text
    start, end = (quotes.find(quote, text) if quote else None) or (0, 0)
    ends = [0, *sentence_ends(text)]
    before = [e for e in ends if e <= start]
    begin = before[-1] if before else start
    if end - begin > size:
        begin = start
    while len(before) > 1 and end - before[-2] <= size // 2:
        before.pop()
        begin = before[-1]
    after = [e for e in ends if end <= e <= begin + size and e > begin]
    stop = after[-1] if after else begin + size
    return text[begin : max(stop, end)].strip()


def composed(
    composer: Composer,
    pairs: Sequence[tuple[Example, str, str]],
    refused: Callable[[Example, str], None],
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Example]:
    """The examples of the pairs (each with its question and answer) that are to get sources."""
    for number, (pair, question, answer) in enumerate(pairs, 1):
        if composer.wanted(pair.id):
            try:
                yield replace(composer.compose(pair, question, answer), status=Status.ACCEPTED)
            except NoSourcesError as why:
                refused(pair, str(why))
        if on_progress is not None:
            on_progress(number, len(pairs))
