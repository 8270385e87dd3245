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
from tui.datasets.review import ACTIONS, Disagreement
from tui.datasets.versions import VersionShelf
from tui.domain.errors import ConflictError, UsageError
from tui.domain.example import Example, Form, Status
from tui.formats.rules import decode_line
from tui.text import clean

Examples = list[Example]
Disagreements = list[Disagreement]


class Reviewing(VersionShelf):
    """Datasets whose examples are decided about; every decision is on disk when a call returns."""

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
