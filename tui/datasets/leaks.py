"""Test material that stands in training: papers, questions, and long runs of words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tui.domain.example import Kind, Role
from tui.domain.text import content_words, words

# The length of run that the field takes as contamination (GPT-3's report used 13 words).
RUN = 13
# Questions on the same fact whose content words differ in fewer are the same question. A wording
# that only watches training may be nearer to it than one that tests the result.
_TEST_DIFFERENCE = 3
_WATCHING_DIFFERENCE = 2
_WATCHING = frozenset({Role.VALIDATION, Role.VALIDATION_TRANSFER})


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a leak is looked for in: an example's role, origin and words."""

    id: str
    role: Role
    kind: Kind
    papers: frozenset[str]
    fact: str
    question: str
    answer: str
    text: str


@dataclass(frozen=True, slots=True)
class Leak:
    """A test example and the training example that gives it away.

    A `fatal` leak makes a test worthless; a shared run of words may be a phrase of the trade.
    """

    example: str
    other: str
    code: str
    message: str
    fatal: bool = True


def find_leaks(examples: Sequence[Learnt]) -> list[Leak]:
    """All leaks, each held-out example at most once per code, in order."""
    return [*_papers(examples), *_questions(examples), *_runs(examples)]


def _papers(examples: Sequence[Learnt]) -> Iterator[Leak]:
    """Papers kept for transfer that a training or memory example draws on."""
    kept: dict[str, str] = {}
    for example in examples:
        if example.role.is_transfer:
            for paper in example.papers:
                kept.setdefault(paper, example.id)
    for example in examples:
        if example.role.is_transfer:
            continue
        for paper in sorted(example.papers & kept.keys()):
            yield Leak(
                kept[paper],
                example.id,
                "leak-transfer-paper",
                f"{paper} is kept for transfer; {example.id} ({example.role.value}) draws on it",
                # What only watches training teaches nothing.
                fatal=example.role is not Role.VALIDATION,
            )
            break


def _questions(examples: Sequence[Learnt]) -> Iterator[Leak]:
    """Held-out questions that training asks in the same or nearly the same words."""
    exact: dict[tuple[str, ...] | frozenset[str], str] = {}
    by_fact: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for example in examples:
        if example.role is Role.TRAIN and example.question:
            said = frozenset(content_words(example.question))
            exact.setdefault(tuple(words(example.question)), example.id)
            if len(said) >= _TEST_DIFFERENCE:
                exact.setdefault(said, example.id)
            by_fact[example.fact].append((example.id, said))
    for example in examples:
        if example.role is Role.TRAIN or not example.question:
            continue
        watching = example.role in _WATCHING
        own = frozenset(content_words(example.question))
        same = exact.get(tuple(words(example.question)))
        exactly = same is not None
        if same is None and not watching:
            same = exact.get(own)
        if same is None:
            least = _WATCHING_DIFFERENCE if watching else _TEST_DIFFERENCE
            near = (
                other
                for other, theirs in by_fact.get(example.fact, ())
                if len(own ^ theirs) < least
            )
            same = next(near, None)
        if same is not None:
            yield Leak(
                example.id,
                same,
                "leak-question",
                f"{example.id} ({example.role.value}) asks what {same} asks in training",
                fatal=exactly or not watching,
            )


def _runs(examples: Sequence[Learnt]) -> Iterator[Leak]:
    """Transfer tests that share `RUN` words in a row with training."""
    held: dict[str, str] = {}
    for example in examples:
        if example.role.is_transfer and example.kind is not Kind.FULL_TEXT:
            for run in _word_runs(f"{example.question}\n{example.answer}"):
                held.setdefault(run, example.id)
    if not held:
        return
    told: set[str] = set()
    for example in examples:
        if example.role is not Role.TRAIN:
            continue
        for run in _word_runs(example.text):
            other = held.get(run)
            if other is not None and other not in told:
                told.add(other)
                yield Leak(
                    other,
                    example.id,
                    "leak-overlap",
                    f"{other} shares {RUN} words in a row with {example.id} in training",
                    fatal=False,
                )


def _word_runs(text: str) -> Iterable[str]:
    found = words(text)
    return (" ".join(found[n : n + RUN]) for n in range(len(found) - RUN + 1))
