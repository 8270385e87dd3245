"""Training sets from first pair to frozen version: what screens and commands call."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tui.datasets import freeze as frozen
from tui.datasets.check import check_examples, check_training_file, fact, leaks_of
from tui.datasets.compose import NothingToTakeError, compose
from tui.datasets.content import (
    cleaned,
    encode_content,
    question_and_answer,
    training_line,
    with_answer,
)
from tui.datasets.pairs import AddFailure, AddReport, Grounding, ground, read_pairs
from tui.datasets.review import ACTIONS, Disagreement, replay
from tui.datasets.split import Item, RoleCount, SplitReport, SplitSettings, assign
from tui.datasets.versions import VersionShelf
from tui.domain.errors import ConflictError, PapertuneError, UsageError
from tui.domain.example import (
    CheckReport,
    Example,
    Form,
    Kind,
    Role,
    Status,
    Version,
)
from tui.formats.check import TokenCounter
from tui.formats.lines import LineError
from tui.formats.rules import decode_line
from tui.text import clean, shorten

# The sample model's training length; longer models lose nothing by shorter pieces.
CONTEXT_TOKENS = 512

Examples = list[Example]
Disagreements = list[Disagreement]


class Datasets(VersionShelf):
    """Training sets of one workspace, from the first pair to the frozen version."""

    def add_pairs(
        self, name: str, path: Path, *, form: Form = Form.MESSAGES, kind: Kind = Kind.QA
    ) -> AddReport:
        """Add a JSON Lines file of pairs or training lines; each is accepted or refused.

        Raises NotFoundError for a dataset or file that is not there.
        """
        self._store.require(name)
        failures: list[AddFailure] = []
        read = Counter[str]()
        grounding = self._grounding(name)

        def good() -> Iterator[Example]:
            for pair in read_pairs(path, grounding, form=form, kind=kind, author=self._person):
                if pair.example is None:
                    failures.append(AddFailure(pair.line, pair.reason))
                else:
                    read["good"] += 1
                    yield pair.example

        added = self._insert(name, good())
        return AddReport(added, read["good"] - added, len(failures), tuple(failures))

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

    def add_examples(self, name: str, examples: Iterable[Example]) -> AddReport:
        """Add ready examples with the status and role they bring, e.g. of another version.

        A quote that stands in no passage is not kept.
        """
        self._store.require(name)
        grounding = self._grounding(name)
        failures: list[AddFailure] = []
        good = []
        for number, example in enumerate(examples, 1):
            try:
                good.append(self._grounded(cleaned(example), grounding))
            except LineError as error:
                failures.append(AddFailure(number, error.reason, example.paper))
        added = self._insert(name, good)
        return AddReport(added, len(good) - added, len(failures), tuple(failures))

    def _grounded(self, example: Example, grounding: Grounding) -> Example:
        example = replace(example, author=example.author or self._person)
        decode_line(training_line(example))
        try:
            return ground(example, grounding)
        except LineError as error:
            if error.code == "role":
                raise
        grounding.keep_apart(example.paper, example.role)
        return replace(example, quote="", verified=False)

    def _grounding(self, name: str) -> Grounding:
        return Grounding(self._corpus, self._store.paper_roles(name))

    def _insert(self, name: str, examples: Iterable[Example]) -> int:
        """Add examples; decisions that colleagues took on the same ones elsewhere count at once."""
        added = self._store.insert(name, examples)
        rows = self._store.connection.execute(
            "SELECT DISTINCT example FROM decided JOIN example e ON e.id = example "
            "WHERE e.dataset = ?",
            (name,),
        )
        decided = {row["example"] for row in rows}.intersection(added)
        if decided:
            with self._workspace.transaction() as connection:
                replay(connection, decided)
        return len(added)

    def decide(
        self, name: str, ids: Sequence[str], status: Status, *, reason: str = ""
    ) -> Examples:
        """Accept, reject or reopen examples; on disk before this returns."""
        known = self._known(name, ids)
        self._reviews.append(name, ACTIONS[status], known, clean(reason))
        return self._store.get(known, name)

    def note(self, name: str, ids: Sequence[str], text: str) -> Examples:
        """Write a note on examples."""
        known = self._known(name, ids)
        self._reviews.append(name, "note", known, clean(text))
        return self._store.get(known, name)

    def edit(
        self,
        name: str,
        example_id: str,
        *,
        question: str | None = None,
        answer: str | None = None,
        text: str | None = None,
    ) -> Example:
        """Give an example other words; it keeps its id, its source and its decisions.

        Raises UsageError when nothing is given or the words break a rule, ConflictError when
        another example says the same.
        """
        self._reviews.merge()
        self._store.require(name)
        example = self._store.get([example_id], name)[0]
        if text is not None and (example.form is not Form.TEXT or (question or answer)):
            raise UsageError(
                f"{example.id} has a question and an answer, no text of its own.",
                "Use --question and --answer.",
            )
        if text is not None:
            changed = replace(example, text=text)
        elif question is None and answer is None:
            raise UsageError("Nothing to change was given.", "Use --question, --answer or --text.")
        elif example.form is Form.TEXT and not question_and_answer(example)[0]:
            raise UsageError(f"{example.id} is plain text.", "Use --text.")
        else:
            changed = with_answer(example, question, answer)
        changed = cleaned(changed)
        decode_line(training_line(changed))
        other = self._store.holds(name, changed)
        if other is not None:
            raise ConflictError(f"{other} says exactly that already.", "Reject one of the two.")
        self._reviews.append(name, "edit", [example.id], encode_content(changed))
        return self._store.get([example.id], name)[0]

    def undo(self, name: str) -> Examples:
        """Take back this person's last decision in the dataset; the examples it was about."""
        self._store.require(name)
        return self._store.get(self._reviews.undo(name), name)

    def disagreements(self, name: str) -> Disagreements:
        """Examples that one person accepts and another rejects."""
        self._store.require(name)
        return self._reviews.disagreements(name)

    def _known(self, name: str, ids: Sequence[str]) -> list[str]:
        self._store.require(name)
        self._reviews.merge()
        if not ids:
            raise UsageError("No example was named.", f"See them: papertune dataset show {name}")
        return [example.id for example in self._store.get(ids, name)]

    def split(
        self, name: str, *, transfer: float = 0.10, memory: float = 0.20, seed: int = 0
    ) -> SplitReport:
        """Give every example that is not rejected its role; fixed roles stay.

        The same settings again keep what was drawn before, also when papers came since. Raises
        UsageError for a share outside 0 to 0.9.
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
        items = [
            Item(e.id, e.kind, e.paper, fact(e), question_and_answer(e)[0], fixed.get(e.id))
            for e in examples
        ]
        drawn = assign(items, settings, previous)
        self._store.set_roles(name, drawn.roles, asked)
        counts = Counter(drawn.roles.values())
        papers: dict[Role, set[str]] = defaultdict(set)
        for example in examples:
            papers[drawn.roles[example.id]].add(example.paper)
        return SplitReport(
            {role.value: RoleCount(len(papers[role] - {""}), counts[role]) for role in Role},
            drawn.notes,
        )

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

    def freeze(self, name: str, *, tokenizer: TokenCounter | None = None) -> Version:
        """Write the accepted examples as an immutable version, or return the one that equals it.

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
        return frozen.freeze(
            self._folder(name),
            name,
            examples,
            papers=self._papers_of(examples),
            split=self._store.split_asked(name),
            page_of=self._page_of(),
            tokenizer=tokenizer,
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
