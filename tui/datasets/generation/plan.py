"""What is asked about, and in which order: the corpus is covered however early one stops."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tui.datasets.library import Library
from tui.domain.errors import UsageError
from tui.domain.example import Kind
from tui.domain.paper import Paper, Passage, SectionKind
from tui.domain.text import words

# A passage with fewer words holds no statement and the six words to quote it by.
_LEAST_WORDS = 8
_NO_FINDINGS = re.compile(
    r"acknowledg|funding|conflicts? of interest|competing interests|author contributions"
    r"|data availability|references|bibliography",
    re.IGNORECASE,
)
# What a summary is written from, in characters: about 1,500 tokens.
_SUMMARY_CHARACTERS = 6_000


class QuestionType(StrEnum):
    """What a question asks for; an unanswerable one asks what its passage leaves open."""

    RESULT = "result"
    METHOD = "method"
    DEFINITION = "definition"
    COMPARISON = "comparison"
    LIMITATION = "limitation"
    UNANSWERABLE = "unanswerable"


Mix = Mapping[QuestionType, float]

TYPED = (Kind.QA, Kind.RETRIEVAL)
"""The kinds whose questions are of a type."""

DEFAULT_MIX: Mix = {
    QuestionType.RESULT: 3,
    QuestionType.METHOD: 2,
    QuestionType.DEFINITION: 1,
    QuestionType.COMPARISON: 1,
    QuestionType.LIMITATION: 1,
}


@dataclass(frozen=True, slots=True)
class Unit:
    """What one request is about: a passage, or for a summary a paper with chosen passages.

    `id` is the passage's id, or the paper's.
    """

    id: str
    paper: str
    title: str
    passages: tuple[str, ...]


def plan(library: Library, papers: Iterable[Paper], kind: Kind) -> list[Unit]:
    """Every unit of the papers in the order in which they are asked about.

    Raises UsageError for a kind that is not generated.
    """
    if kind is Kind.FULL_TEXT:
        raise UsageError(
            f"Examples of the kind {kind.value} are the papers' own words.",
            f"Add them with: papertune dataset add NAME --kind {kind.value}",
        )
    queues = []
    for paper in sorted(papers, key=lambda paper: _draw(paper.id)):
        found = [passage for passage in library.passages(paper.id) if worth_asking(passage)]
        if kind is Kind.SUMMARY:
            queues.append([_whole(paper, found)] if found else [])
            continue
        queues.append(
            [
                Unit(found[position].id, paper.id, paper.title, (found[position].id,))
                for position in spread(len(found))
            ]
        )
    return list(in_turn(queues))


def worth_asking(passage: Passage) -> bool:
    """Whether a passage may hold a finding: no references, thanks, captions or scraps."""
    if passage.kind not in (SectionKind.BODY, SectionKind.ABSTRACT):
        return False
    title = passage.section.rsplit(" > ", 1)[-1]
    return not _NO_FINDINGS.search(title) and len(words(passage.text)) >= _LEAST_WORDS


def spread(count: int) -> list[int]:
    """The positions 0 to `count` - 1 so that every beginning of the list is spread evenly.

    By bit reversal: first, middle, quarter, three quarters, …
    """
    bits = max(0, count - 1).bit_length()
    reversed_ = (int(format(n, f"0{bits}b")[::-1], 2) if bits else 0 for n in range(1 << bits))
    return [position for position in reversed_ if position < count]


def in_turn(queues: Sequence[Sequence[Unit]]) -> Iterator[Unit]:
    """The first of every queue, then the second of every queue, …"""
    for position in range(max(map(len, queues), default=0)):
        for queue in queues:
            if position < len(queue):
                yield queue[position]


def question_type(unit: str, turn: int, mix: Mix) -> QuestionType:
    """The type of a unit's question in its `turn` (from 0): drawn by weight, each type once.

    It depends on the unit's id alone, so it stays when papers are added (weighted sampling
    without replacement after Efraimidis and Spirakis, 2006).
    """
    weights = {kind: weight for kind, weight in mix.items() if weight > 0}
    ranked = sorted(weights, key=lambda kind: -math.log(_draw(f"{unit}\n{kind}")) / weights[kind])
    return ranked[turn % len(ranked)]


def turns_of(kind: Kind, mix: Mix) -> int:
    """How often a unit may be asked about: once for each type of question."""
    return sum(weight > 0 for weight in mix.values()) if kind in TYPED else 1


def checked_mix(mix: Mix | None) -> Mix:
    """The mix, or the default one; raises UsageError for one that leaves nothing to ask."""
    if mix is None:
        return DEFAULT_MIX
    if not any(weight > 0 for weight in mix.values()) or any(
        weight < 0 or not math.isfinite(weight) for weight in mix.values()
    ):
        raise UsageError("The mix of questions must have positive weights.", "Like: result=3")
    return mix


def _whole(paper: Paper, found: Sequence[Passage]) -> Unit:
    """The paper with passages from all over it; its abstract only where there is nothing else."""
    body = [p for p in found if p.kind is SectionKind.BODY] or list(found)
    chosen: list[Passage] = []
    size = 0
    for position in spread(len(body)):
        if chosen and size + len(body[position].text) > _SUMMARY_CHARACTERS:
            break
        chosen.append(body[position])
        size += len(body[position].text)
    chosen.sort(key=lambda passage: passage.position)
    return Unit(paper.id, paper.id, paper.title, tuple(p.id for p in chosen))


def _draw(name: str) -> float:
    """A number in (0, 1) that depends on the name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 2)
