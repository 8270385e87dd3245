"""Reviewing a dataset: deciding, noting, editing, taking back, and what to look at next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tui.datasets.content import (
    cleaned,
    encode_content,
    question_and_answer,
    training_line,
    with_answer,
)
from tui.datasets.review import ACTIONS, Decision, Disagreement
from tui.datasets.versions import VersionShelf
from tui.domain.errors import ConflictError, NotFoundError, UsageError
from tui.domain.example import Example, Form, Kind, Status
from tui.formats.rules import decode_line
from tui.text import clean

Examples = list[Example]
Disagreements = list[Disagreement]


class Reviewing(VersionShelf):
    """Datasets whose examples are decided about; every decision is on disk when a call returns."""

    def decide(
        self, name: str, ids: Sequence[str], status: Status, *, reason: str = ""
    ) -> Examples:
        """Accept, reject or reopen examples, as one decision; on disk before this returns."""
        known = self._known(name, ids)
        self._reviews.append(name, ACTIONS[status], known, clean(reason))
        return self._store.get(known, name)

    def decide_all(
        self,
        name: str,
        status: Status,
        *,
        reason: str = "",
        kind: Kind | None = None,
        now: Status | None = None,
        paper: str | None = None,
        refused: str | None = None,
        author: str | None = None,
    ) -> int:
        """Decide about all examples of a kind, paper, author or earlier reason; how many.

        `now` is where they stand and `refused` why; it is one decision, which one undo takes back.
        """
        self._store.require(name)
        self._reviews.merge()
        ids = self._store.ids(
            name, kind=kind, status=now, paper=paper, reason=refused, author=author
        )
        if ids:
            self._reviews.append(name, ACTIONS[status], ids, clean(reason))
        return len(ids)

    def filters(self, name: str) -> dict[str, list[tuple[str, int]]]:
        """What examples can be filtered by: kind, status, role, paper, author, reason.

        Each with its values and how many examples have them, the most frequent first; a gate's
        reason counts under the gate's name.
        """
        self._store.require(name)
        self._reviews.merge()
        return self._store.facets(name)

    def last_decision(self, name: str) -> Decision | None:
        """This person's last decision that stands, to be repeated on another example."""
        self._store.require(name)
        return self._reviews.last(name)

    def repeat(self, name: str, ids: Sequence[str]) -> Examples:
        """Decide about examples as this person decided last; raises NotFoundError for never."""
        last = self.last_decision(name)
        if last is not None and last.action == "edit":
            raise UsageError("The last thing you did was an edit, which fits one example only.")
        if last is None:
            raise NotFoundError(f"There is no decision of yours in '{name}' to repeat.")
        if last.status is None:
            return self.note(name, ids, last.value)
        return self.decide(name, ids, last.status, reason=last.value)

    def decisions(self, name: str, example_id: str) -> list[Decision]:
        """All standing decisions about an example, by whomever, in their order."""
        return self._reviews.history(self._known(name, [example_id])[0])

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
        found = self._reviews.disagreements(name)
        known = set(self._store.ids(name))
        found = [disagreement for disagreement in found if disagreement.example in known]
        examples = self._store.get([disagreement.example for disagreement in found], name)
        return [
            replace(disagreement, words=question_and_answer(example)[0] or example.text)
            for disagreement, example in zip(found, examples, strict=True)
        ]

    def _known(self, name: str, ids: Sequence[str]) -> list[str]:
        self._store.require(name)
        self._reviews.merge()
        if not ids:
            raise UsageError("No example was named.", f"See them: papertune dataset show {name}")
        return [example.id for example in self._store.get(ids, name)]
