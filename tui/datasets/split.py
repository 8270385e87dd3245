"""Giving examples their roles: papers set apart for transfer, wordings kept for memory.

Pure and seeded. What is drawn depends on the seed and on names, never on order, and what an
earlier split gave stays, so adding papers never moves a paper between training and tests.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tui.domain.example import Kind, Role
from tui.domain.text import content_words

# With fewer papers, setting one apart costs more than a test of one paper tells.
LEAST_PAPERS = 5
# A test wording differs from every training wording of its finding in at least this many content
# words (symmetric difference); nearer ones would test rote.
LEAST_DIFFERENCE = 3
# Transfer questions that watch training rather than test its result.
_WATCHING = 1 / 3
_ASKED = frozenset({Kind.QA})


@dataclass(frozen=True, slots=True)
class Item:
    """What a split looks at: `fact` is the same for wordings of one finding.

    `sources` are papers that it quotes besides its own, e.g. to distract.
    """

    id: str
    kind: Kind
    paper: str
    fact: str
    question: str
    fixed: Role | None = None
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """`transfer` is a share of the papers, `memory` a share of each finding's wordings."""

    transfer: float = 0.10
    memory: float = 0.20
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RoleCount:
    """How many papers and examples a role holds."""

    papers: int
    examples: int


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Papers and examples per role, what could not be done as asked, and the papers kept away."""

    roles: dict[str, RoleCount] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    transfer_papers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role for every item, a side for every paper, and remarks for the person who asked.

    `papers` says of each paper whether it is kept from training.
    """

    roles: dict[str, Role]
    notes: tuple[str, ...]
    papers: dict[str, bool] = field(default_factory=dict)


def assign(
    items: Sequence[Item],
    settings: SplitSettings,
    previous: Mapping[str, Role] | None = None,
    papers: Mapping[str, bool | None] | None = None,
) -> Assignment:
    """Roles for all items; `previous` are those of an earlier split with the same settings.

    `papers` are to be divided although no item is on them yet: those kept from training (True),
    those trained on (False) and undecided ones. A paper with any transfer role is kept from
    training altogether; fixed roles are not touched.
    """
    previous = previous or {}
    notes: list[str] = []
    known = dict(papers or {})
    transfer = transfer_papers(items, settings, previous, notes, known)
    roles: dict[str, Role] = {}
    away = [item for item in items if item.paper in transfer]
    home = [item for item in items if item.paper not in transfer]
    _divide_transfer(away, settings, previous, roles)
    _divide_memory(home, settings, previous, roles, notes)
    _follow_the_question(home, roles)
    for item in items:
        if item.fixed is not None:
            roles[item.id] = item.fixed
    _keep_quotes_apart(home, transfer, roles, notes)
    if items and Role.TRAIN not in roles.values():
        notes.append("Nothing is left to train on.")
    everything = {item.paper for item in items if item.paper} | known.keys()
    return Assignment(
        roles, tuple(notes), {paper: paper in transfer for paper in sorted(everything)}
    )


def transfer_papers(
    items: Sequence[Item],
    settings: SplitSettings,
    previous: Mapping[str, Role],
    notes: list[str],
    known: Mapping[str, bool | None],
) -> frozenset[str]:
    """Papers kept from training: fixed by import, set apart before, or drawn by seed now."""
    papers = {item.paper for item in items if item.paper} | known.keys()
    settled = {paper: side for paper, side in known.items() if side is not None}
    for item in items:
        role = item.fixed or previous.get(item.id)
        if item.paper and role is not None:
            settled[item.paper] = settled.get(item.paper, False) or role.is_transfer
    # A fixed role outranks what a split once drew.
    for item in items:
        if item.paper and item.fixed is not None:
            settled[item.paper] = item.fixed.is_transfer
    chosen = {paper for paper, away in settled.items() if away}
    if settings.transfer <= 0:
        return frozenset(chosen)
    if len(papers) < LEAST_PAPERS:
        if not chosen:
            notes.append(
                f"{len(papers)} papers are too few to keep one for a transfer test "
                f"({LEAST_PAPERS} are needed): how the model does on papers it never saw will not "
                "be measured."
            )
        return frozenset(chosen)
    wanted = max(1, round(settings.transfer * len(papers))) - len(chosen)
    chosen.update(_drawn(papers - settled.keys(), wanted, items, settings.seed))
    if not chosen:
        notes.append(
            "Every paper is trained on already, so none is left for a transfer test: add papers, "
            "or split with another --seed to draw anew."
        )
    return frozenset(chosen)


def _drawn(free: set[str], wanted: int, items: Sequence[Item], seed: int) -> list[str]:
    """Papers by seed, in proportion from those with many questions and those with few.

    A test needs questions, so papers without any come last.
    """
    questions = Counter(item.paper for item in items if item.kind in _ASKED)
    order = sorted(free, key=lambda paper: _draw(seed, "paper", paper))
    asked = [paper for paper in order if questions[paper]]
    middle = median(questions[paper] for paper in asked) if asked else 0
    many = [paper for paper in asked if questions[paper] > middle]
    few = [paper for paper in asked if questions[paper] <= middle]
    wanted = max(0, wanted)
    of_many = round(wanted * len(many) / len(asked)) if asked else 0
    first = [*many[:of_many], *few[: wanted - min(of_many, len(many))]]
    rest = [paper for paper in (*asked, *order) if paper not in set(first)]
    return [*first, *dict.fromkeys(rest)][:wanted]


def _keep_quotes_apart(
    home: Sequence[Item], transfer: frozenset[str], roles: dict[str, Role], notes: list[str]
) -> None:
    """What quotes a transfer paper beside its own is not trained on: it only watches."""
    moved = 0
    for item in home:
        if roles[item.id] is Role.TRAIN and item.fixed is None and item.sources & transfer:
            roles[item.id] = Role.VALIDATION
            moved += 1
    if moved:
        notes.append(
            f"{moved} examples quote papers that are kept for transfer, so they are not trained "
            "on; split before composing them, and they will quote others."
        )


def _divide_transfer(
    items: Sequence[Item],
    settings: SplitSettings,
    previous: Mapping[str, Role],
    roles: dict[str, Role],
) -> None:
    """Questions on transfer papers: two thirds test, one third watches; plain text watches.

    Summaries are tests only where there are no questions.
    """
    asked = [item for item in items if item.kind in _ASKED]
    tests = asked or [item for item in items if item.kind is Kind.SUMMARY]
    testable = {item.id for item in tests}
    drawn: list[Item] = []
    for item in items:
        before = previous.get(item.id)
        if before is not None and before.is_transfer:
            roles[item.id] = before
        elif item.id not in testable:
            roles[item.id] = Role.VALIDATION_TRANSFER
        elif _draw(settings.seed, "watch", item.fact) < _WATCHING:
            roles[item.id] = Role.VALIDATION_TRANSFER
            drawn.append(item)
        else:
            roles[item.id] = Role.TEST_TRANSFER
    given = {item.fixed or roles[item.id] for item in tests}
    if tests and Role.TEST_TRANSFER not in given:
        for item in drawn:
            roles[item.id] = Role.TEST_TRANSFER


def _divide_memory(
    items: Sequence[Item],
    settings: SplitSettings,
    previous: Mapping[str, Role],
    roles: dict[str, Role],
    notes: list[str],
) -> None:
    """New wordings of trained findings for the test and the validation; all else trains."""
    facts: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        before = previous.get(item.id)
        roles[item.id] = before if before and not before.is_transfer else Role.TRAIN
        if item.kind in _ASKED:
            facts[item.fact].append(item)
    for fact in sorted(facts):
        _draw_wordings(facts[fact], settings, previous, roles)
    if settings.memory <= 0:
        return
    given = {item.fixed or roles[item.id] for item in items}
    if Role.TEST_MEMORY not in given:
        notes.append(
            "No finding has two wordings far enough apart, so there is no memory test: add pairs "
            "that ask the same in other words, with the same finding."
        )
    elif Role.VALIDATION not in given:
        notes.append("No finding has four wordings, so none watches training (validation).")


def _follow_the_question(items: Sequence[Item], roles: dict[str, Role]) -> None:
    """A question that is held out is not trained on together with its sources either.

    Examples with sources test nothing by themselves (the evaluation brings its own), so those of
    a held-out question watch training.
    """
    held: set[tuple[str, frozenset[str]]] = set()
    for item in items:
        if item.kind in _ASKED and (item.fixed or roles[item.id]) is not Role.TRAIN:
            held.add((item.paper, frozenset(content_words(item.question))))
    for item in items:
        if item.kind is Kind.RETRIEVAL:
            same = (item.paper, frozenset(content_words(item.question)))
            roles[item.id] = Role.VALIDATION if same in held else Role.TRAIN


def _draw_wordings(
    items: Sequence[Item],
    settings: SplitSettings,
    previous: Mapping[str, Role],
    roles: dict[str, Role],
) -> None:
    """Draw one finding's test and validation wordings among those that are new to the split."""
    count = len(items)
    if settings.memory <= 0 or count < 2:
        return
    now = {item.id: item.fixed or roles[item.id] for item in items}
    wanted = {
        Role.TEST_MEMORY: max(1, round(settings.memory * count)),
        Role.VALIDATION: 1 if count >= 4 else 0,
    }
    free = [item for item in items if item.fixed is None and item.id not in previous]
    free.sort(key=lambda item: _draw(settings.seed, "wording", item.id))
    words = {item.id: frozenset(content_words(item.question)) for item in items}
    for role, most in wanted.items():
        missing = most - sum(given is role for given in now.values())
        for item in free:
            trained = [other for other, given in now.items() if given is Role.TRAIN]
            if missing <= 0 or len(trained) < 2:
                break
            others = [words[other] for other in trained if other != item.id]
            far = all(len(words[item.id] ^ other) >= LEAST_DIFFERENCE for other in others)
            if now[item.id] is Role.TRAIN and far:
                now[item.id] = roles[item.id] = role
                missing -= 1


def siblings(item: Item, others: Iterable[Item], role: Role) -> list[str]:
    """What may not be trained on once `item` has that role, by id.

    Of a paper kept for transfer that is everything; for a memory test or validation it is what
    asks nearly the same: other wordings of a finding have to be trained on, or nothing is tested.
    """
    if role.is_transfer:
        away = {item.paper}
        return [
            other.id
            for other in others
            if other.id != item.id and (other.paper == item.paper or other.sources & away)
        ]
    words = frozenset(content_words(item.question))
    return [
        other.id
        for other in others
        if other.id != item.id
        and other.paper == item.paper
        and other.question
        and len(words ^ frozenset(content_words(other.question))) < LEAST_DIFFERENCE
    ]


def _draw(seed: int, what: str, name: str) -> float:
    """A number in [0, 1) that depends on the seed and the name alone."""
    digest = hashlib.sha256(f"{seed}\n{what}\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
