"""Giving a dataset's questions sources, without a model: what screens and commands call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.datasets import grounded
from tui.datasets.content import question_and_answer
from tui.datasets.pairs import AddFailure, AddReport
from tui.datasets.retrieval import Composer, RetrievalPlan, Searchable, composed
from tui.datasets.review import Reviews
from tui.datasets.service import Datasets
from tui.datasets.sides import paper_of, sides
from tui.domain.errors import UsageError
from tui.domain.example import Example, Kind, Role, Status
from tui.storage.workspace import Workspace

MOST_DISTRACTORS = 20
_BOTH_SIDES = "leak: its sources stand on both sides of the split"
_KEEPER = "papertune"


@dataclass(frozen=True, slots=True)
class SourcedReport(AddReport):
    """What adding did; `withdrawn` are examples that a later split has made useless."""

    withdrawn: int = 0


class Sourcing:
    """Composes retrieval examples from the accepted question-answer pairs of a dataset."""

    def __init__(self, workspace: Workspace, corpus: Searchable, datasets: Datasets) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._datasets = datasets

    def composer(self, name: str, plan: RetrievalPlan) -> Composer:
        """What puts questions of this dataset together with sources; raises UsageError."""
        for value, what in ((plan.share, "share"), (plan.refusals, "share of refusals")):
            if not 0 <= value <= 1:
                raise UsageError(f"{value:.0%} is no {what}.", "Use 0% to 100%.")
        if not 1 <= plan.distractors <= MOST_DISTRACTORS:
            raise UsageError(f"Use 1 to {MOST_DISTRACTORS} distractors.")
        template = grounded.template(self._workspace.root / "prompts")
        return Composer(self._corpus, sides(self._workspace, name), plan, template)

    def add(
        self,
        name: str,
        plan: RetrievalPlan | None = None,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> SourcedReport:
        """Add an example with sources for each accepted pair of the plan's share.

        Held-out wordings get none. Distractors come from papers on the same side of the split;
        before a split, from the question's own paper only. Examples that a later split has torn
        apart are rejected first. Raises NotFoundError, UsageError.
        """
        composer = self.composer(name, plan or RetrievalPlan())
        withdrawn = self.withdraw(name)
        pairs = [
            (example, *question_and_answer(example))
            for example in self._datasets.examples(name, kind=Kind.QA, status=Status.ACCEPTED)
            if example.role in (None, Role.TRAIN)
        ]
        if not pairs:
            raise UsageError(
                f"'{name}' has no accepted question-answer pair to give sources to.",
                f"Add pairs first: papertune dataset add {name} --kind qa --file PAIRS.jsonl",
            )
        failures: list[AddFailure] = []

        def refused(pair: Example, why: str) -> None:
            failures.append(AddFailure(0, f"{pair.id}: {why}", pair.paper))

        found = list(composed(composer, pairs, refused, on_progress))
        report = self._datasets.add_examples(name, found)
        notes = () if sides(self._workspace, name).known() else (_unsplit(name),)
        return SourcedReport(
            report.added,
            report.skipped,
            report.failed + len(failures),
            (*failures, *report.failures),
            notes,
            withdrawn,
        )

    def withdraw(self, name: str) -> int:
        """Reject the examples whose sources a split has sent to both sides; how many.

        Those that were rejected for that and stand on one side again are accepted again, without a
        role until the next split, as if they were new.
        """
        now = sides(self._workspace, name)
        torn, whole = [], []
        for example in self._datasets.examples(name, kind=Kind.RETRIEVAL):
            mixed = now.mixed({example.paper, *map(paper_of, example.passages)} - {""})
            if mixed and example.status is not Status.REJECTED:
                torn.append(example.id)
            elif not mixed and example.reason == _BOTH_SIDES:
                whole.append(example.id)
        reviews = Reviews(self._workspace, _KEEPER)
        if whole:
            reviews.append(name, "accept", whole)
            with self._workspace.transaction() as connection:
                connection.executemany(
                    "UPDATE example SET role = NULL WHERE id = ? AND role_fixed = 0",
                    [(example,) for example in whole],
                )
        if torn:
            reviews.append(name, "reject", torn, _BOTH_SIDES)
        return len(torn)


def _unsplit(name: str) -> str:
    return (
        "No split has set papers apart yet, so distractors come from each question's own paper; "
        f"for nearer ones from other papers run first: papertune dataset split {name}"
    )
