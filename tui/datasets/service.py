"""Training sets from first pair to frozen version: what screens and commands call."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tui.datasets.check import (
    check_examples,
    check_training_file,
    cited_papers,
    fact,
    leaks_of,
)
from tui.datasets.compose import NothingToTakeError, compose
from tui.datasets.content import question_and_answer, training_line
from tui.datasets.exchange import Exchange
from tui.datasets.freeze import freeze
from tui.datasets.limits import fit_hosted
from tui.datasets.pairs import AddFailure, AddReport
from tui.datasets.split import (
    Assignment,
    Item,
    RoleCount,
    SplitReport,
    SplitSettings,
    assign,
    siblings,
)
from tui.domain.errors import PapertuneError, UsageError
from tui.domain.example import CheckReport, Example, Form, Kind, Role, Status, Version
from tui.formats.check import TokenCounter
from tui.formats.lines import LineError
from tui.formats.rules import decode_line
from tui.text import shorten

# The sample model's training length; longer models lose nothing by shorter pieces.
CONTEXT_TOKENS = 512

Examples = list[Example]


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What moving did: examples `moved`, and siblings taken `aside` out of training."""

    moved: int
    aside: int = 0
    notes: tuple[str, ...] = ()


class Datasets(Exchange):
    """Training sets of one workspace, from the first pair to the frozen version."""

    def add_from_corpus(
        self,
        name: str,
        kind: Kind,
        *,
        query: str = "",
        papers: Collection[str] | None = None,
        form: Form | None = None,
        context: int = CONTEXT_TOKENS,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> AddReport:
        """Add what papers give by themselves: their abstracts as summaries, or their full text.

        `query` and `papers` (ids) narrow the papers; `context` is the longest example in tokens;
        full text is plain text unless `form` says otherwise. Raises UsageError for a kind that has
        to be written.
        """
        self._store.require(name)
        shape = form or (Form.TEXT if kind is Kind.FULL_TEXT else Form.MESSAGES)
        failures: list[AddFailure] = []
        chosen = [p for p in self._corpus.papers(query) if papers is None or p.id in papers]
        added = skipped = 0
        for number, light in enumerate(chosen, 1):
            try:
                paper = self._corpus.paper(light.id)
                found = compose(self._corpus, paper, kind, shape, context)
            except NothingToTakeError as nothing:
                reason = f"{shorten(light.title, 60)}: {nothing}"
                failures.append(AddFailure(0, reason, light.id))
            else:
                author = self._person
                new = self._insert(name, (replace(example, author=author) for example in found))
                added += new
                skipped += len(found) - new
            if on_progress is not None:
                on_progress(number, len(chosen))
        return AddReport(added, skipped, len(failures), tuple(failures))

    def split(
        self, name: str, *, transfer: float = 0.10, memory: float = 0.20, seed: int = 0
    ) -> SplitReport:
        """Give every example that is not rejected its role; fixed roles stay.

        An empty dataset has the papers of the whole corpus divided, so that transfer papers are
        set apart before anything is written about them. The same settings again keep what was
        drawn before, also when papers came since. Raises UsageError for a share outside 0 to 0.9.
        """
        for share in (transfer, memory):
            if not 0 <= share <= 0.9:
                raise UsageError(f"{share:.0%} is no share to set apart.", "Use 0% to 90%.")
        settings = SplitSettings(transfer, memory, seed)
        examples = self._open(name)
        fixed = self._store.fixed_roles(name)
        asked = asdict(settings)
        same = self._store.split_asked(name) == asked
        previous = {e.id: e.role for e in examples if e.role and e.id not in fixed} if same else {}
        papers: dict[str, bool | None] = {}
        if not examples:
            papers = dict.fromkeys(paper.id for paper in self._corpus.papers())
        if same:
            papers.update(self._store.paper_sides(name))
        drawn = assign(self._items(examples, fixed), settings, previous, papers)
        self._store.set_roles(name, drawn.roles, drawn.papers, asked)
        return _split_report(examples, drawn)

    def transfer_papers(self, name: str) -> frozenset[str]:
        """Papers kept from training: what is to be trained on may not quote them.

        Known as soon as the dataset was split, also while it was empty, or an import fixed roles.
        """
        self._store.require(name)
        sides = {**self._store.paper_sides(name), **self._store.paper_roles(name)}
        return frozenset(paper for paper, away in sides.items() if away)

    def move(self, name: str, ids: Sequence[str], role: Role) -> MoveReport:
        """Give examples a role that splits leave alone, and take their siblings out of training.

        Raises UsageError when an example without a paper should be kept for transfer.
        """
        chosen = self._store.get(self._known(name, ids), name)
        examples = self._open(name)
        items = {item.id: item for item in self._items(examples, {})}
        away = {e.id for e in examples if e.role and e.role.is_transfer}
        trained = {e.id for e in examples if e.role in (None, Role.TRAIN)}
        roles: dict[str, Role] = {}
        for example in chosen:
            if role.is_transfer and not example.paper:
                raise UsageError(
                    f"{example.id} names no paper that could be kept from training.",
                    f"Use --role {Role.TEST_MEMORY.value}.",
                )
            item = items.get(example.id)
            if item is None or role is Role.TRAIN:
                continue
            watch = Role.VALIDATION_TRANSFER if role.is_transfer else Role.VALIDATION
            for sibling in siblings(item, items.values(), role):
                on_paper = items[sibling].paper == item.paper
                if sibling in trained or (role.is_transfer and on_paper and sibling not in away):
                    roles[sibling] = watch if on_paper else Role.VALIDATION
        roles.update({example.id: role for example in chosen})
        self._store.fix_roles(name, roles)
        aside = len(roles.keys() - {example.id for example in chosen})
        notes = []
        if aside:
            why = "of the same papers" if role.is_transfer else "that ask nearly the same"
            notes.append(f"{aside} examples {why} were taken out of training.")
        return MoveReport(len(chosen), aside, tuple(notes))

    def _items(self, examples: Sequence[Example], fixed: Mapping[str, Role]) -> list[Item]:
        return [
            Item(
                e.id,
                e.kind,
                e.paper,
                fact(e),
                question_and_answer(e)[0],
                fixed.get(e.id),
                frozenset(cited_papers(e) - {e.paper}),
            )
            for e in examples
        ]

    def _open(self, name: str) -> Examples:
        """Examples that are not rejected."""
        return [e for e in self.examples(name) if e.status is not Status.REJECTED]

    def check(
        self,
        name_or_path: str | Path,
        *,
        tokenizer: TokenCounter | None = None,
        seq_len: int | None = None,
    ) -> CheckReport:
        """Check a dataset, or any JSON Lines file; raises NotFoundError for neither."""
        path = Path(name_or_path)
        if isinstance(name_or_path, Path) or path.suffix == ".jsonl" or path.is_file():
            return check_training_file(path, tokenizer=tokenizer, seq_len=seq_len)
        return check_examples(self.examples(name_or_path), tokenizer=tokenizer, seq_len=seq_len)

    def check_file(
        self,
        path: Path,
        *,
        tokenizer: TokenCounter | None = None,
        seq_len: int | None = None,
        fix: Path | None = None,
    ) -> CheckReport:
        """Check any JSON Lines training file, and mend it into the new file `fix`."""
        return check_training_file(path, tokenizer=tokenizer, seq_len=seq_len, fix=fix)

    def freeze(
        self, name: str, *, tokenizer: TokenCounter | None = None, hosted: bool = False
    ) -> Version:
        """Write the accepted examples as an immutable version, or return the one that equals it.

        `hosted` fits it to the hosted service's limits, and the version's notes say how.

        Raises UsageError when nothing is accepted or examples have no role, PapertuneError when an
        example is invalid or a test stands in training.
        """
        examples = self._accepted(name)
        if any(example.role is None for example in examples):
            asked = self._store.split_asked(name)
            if not asked:
                raise UsageError(
                    f"'{name}' has examples without a role.",
                    f"Give them one with: papertune dataset split {name}",
                )
            self.split(name, **asked)
            examples = self._accepted(name)
        self._refuse_faults(name, examples)
        notes: tuple[str, ...] = ()
        if hosted:
            examples, notes = fit_hosted(examples)
        return freeze(
            self._folder(name),
            name,
            examples,
            papers=self._papers_of(examples),
            split=self._store.split_asked(name),
            page_of=self._page_of(),
            tokenizer=tokenizer,
            notes=notes,
        )

    def _accepted(self, name: str) -> Examples:
        examples = self.examples(name, status=Status.ACCEPTED)
        if not examples:
            raise UsageError(
                f"'{name}' has no accepted example to freeze.",
                f"Add some with: papertune dataset add {name} --kind qa --file PAIRS.jsonl",
            )
        return examples

    def _refuse_faults(self, name: str, examples: Sequence[Example]) -> None:
        remedy = f"See all with: papertune dataset check {name}"
        if not any(example.role is Role.TRAIN for example in examples):
            raise PapertuneError(f"'{name}' has no example to train on.", remedy)
        for example in examples:
            try:
                decode_line(training_line(example))
            except LineError as error:
                raise PapertuneError(f"{example.id} is invalid: {error.reason}.", remedy) from None
        fatal = [leak for leak in leaks_of(examples) if leak.fatal]
        if fatal:
            more = f" ({len(fatal)} leaks in all)" if len(fatal) > 1 else ""
            raise PapertuneError(f"Tests stand in training: {fatal[0].message}{more}.", remedy)


def _split_report(examples: Sequence[Example], drawn: Assignment) -> SplitReport:
    counts = Counter(drawn.roles.values())
    papers: dict[Role, set[str]] = defaultdict(set)
    for example in examples:
        papers[drawn.roles[example.id]].add(example.paper)
    notes = list(drawn.notes)
    away = {paper for paper, transfer in drawn.papers.items() if transfer}
    waiting = away - papers[Role.TEST_TRANSFER] - papers[Role.VALIDATION_TRANSFER]
    if waiting:
        notes.append(f"{len(waiting)} papers are set apart for transfer and have no examples yet.")
    return SplitReport(
        {role.value: RoleCount(len(papers[role] - {""}), counts[role]) for role in Role},
        tuple(notes),
        tuple(sorted(away)),
    )
