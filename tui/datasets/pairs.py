"""Reading examples from JSON Lines: question-answer pairs and lines of training files.

Each line is kept or refused with its reason; a quote is kept only when it stands in a passage of
the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from tui.corpus.quotes import normalise
from tui.datasets.content import ask, cleaned, question_and_answer
from tui.datasets.library import Library
from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Form, Kind, Role, Status
from tui.domain.paper import Passage
from tui.formats.lines import LineError, decode_object, opened, read_raw
from tui.formats.rules import examine
from tui.text import shorten, visible

_STRINGS = ("question", "answer", "key_phrase", "quote", "paper", "finding", "role")


@dataclass(frozen=True, slots=True)
class AddFailure:
    """What was refused: a line of a file (from 1) or a paper, and why."""

    line: int
    reason: str
    paper: str = ""


@dataclass(frozen=True, slots=True)
class AddReport:
    """What adding did; `skipped` examples were there already, `notes` are for the person."""

    added: int = 0
    skipped: int = 0
    failed: int = 0
    failures: tuple[AddFailure, ...] = ()
    notes: tuple[str, ...] = ()


class Grounding:
    """Finds papers and quotes in the corpus, each once, and keeps each paper to its side.

    A paper is either trained on or kept for transfer; whichever an earlier line or an earlier
    import made it, a line that contradicts is refused.
    """

    def __init__(self, library: Library, transfer: dict[str, bool]) -> None:
        self._library = library
        self._transfer = dict(transfer)
        self._papers: dict[str, str | None] = {}
        self._quotes: dict[tuple[str, str], Passage | None] = {}

    def paper(self, name: str) -> str:
        """The id of the paper that a pair names; raises LineError when the corpus lacks it."""
        if name not in self._papers:
            try:
                self._papers[name] = self._library.resolve(name).id
            except NotFoundError:
                self._papers[name] = None
        found = self._papers[name]
        if found is None:
            raise LineError("paper", f"the corpus has no paper '{visible(shorten(name, 60))}'")
        return found

    def passage(self, quote: str, paper: str) -> Passage | None:
        """The passage that holds the quote; None where none does."""
        key = (quote, paper)
        if key not in self._quotes:
            self._quotes[key] = self._library.find_quote(quote, paper or None)
        return self._quotes[key]

    def keep_apart(self, paper: str, role: Role | None) -> None:
        """Raise LineError when a role contradicts what its paper is used for."""
        if role is None:
            return
        if not paper:
            if role.is_transfer:
                raise LineError("role", f"the role {role.value} needs the paper it is kept from")
            return
        if self._transfer.setdefault(paper, role.is_transfer) != role.is_transfer:
            used = "trained on" if role.is_transfer else "kept for transfer"
            raise LineError(
                "role", f"{paper} is {used} already, so the role {role.value} is refused"
            )


@dataclass(frozen=True, slots=True)
class ReadPair:
    """One line as an example, or why not."""

    line: int
    example: Example | None
    reason: str = ""


def read_pairs(
    path: Path, grounding: Grounding, *, form: Form, kind: Kind, author: str
) -> Iterator[ReadPair]:
    """Every line of a file as an accepted example or a refusal, in order.

    Raises NotFoundError when there is no such file, PapertuneError when it cannot be read.
    """
    with opened(path) as file:
        for raw in read_raw(file):
            if raw.data is None:
                yield ReadPair(raw.number, None, "the line is too long")
                continue
            if not raw.data.strip():
                continue
            try:
                document = decode_object(raw.data)
                example = example_of(document, grounding, form, kind)
            except LineError as error:
                yield ReadPair(raw.number, None, error.reason)
            else:
                yield ReadPair(raw.number, replace(example, author=author))


def example_of(document: dict[str, Any], grounding: Grounding, form: Form, kind: Kind) -> Example:
    """A pair or a training line as an accepted example with its source; raises LineError."""
    for key in _STRINGS:
        if not isinstance(document.get(key, ""), str | None):
            raise LineError("pair", f'"{key}" must be a string')
    fields = {key: (document.get(key) or "").strip() for key in _STRINGS}
    trained = "messages" in document or "text" in document
    example = _trained(document) if trained else _pair(fields, form, kind)
    example = replace(
        example,
        status=Status.ACCEPTED,
        role=_role(fields["role"]),
        paper=fields["paper"],
        quote=fields["quote"],
        key_phrase=fields["key_phrase"],
        finding=fields["finding"],
    )
    return ground(cleaned(example), grounding)


def ground(example: Example, grounding: Grounding) -> Example:
    """The example with its paper's id and the passage its quote stands in; raises LineError."""
    paper = grounding.paper(example.paper) if example.paper else ""
    if example.quote:
        passage = grounding.passage(example.quote, paper)
        if passage is None:
            where = paper or "the corpus"
            raise LineError("quote", f"the quote '{shorten(example.quote, 50)}' is not in {where}")
        rest = tuple(other for other in example.passages if other != passage.id)
        example = replace(example, passages=(passage.id, *rest), verified=True)
        paper = passage.paper
    grounding.keep_apart(paper, example.role)
    return replace(example, paper=paper)


def _role(value: str) -> Role | None:
    try:
        return Role(value) if value else None
    except ValueError:
        roles = ", ".join(role.value for role in Role)
        raise LineError("role", f"'{visible(value[:30])}' is no role; use {roles}") from None


def _pair(fields: dict[str, str], form: Form, kind: Kind) -> Example:
    question, answer = fields["question"], fields["answer"]
    for key in ("question", "answer"):
        if not fields[key]:
            raise LineError("pair", f'the pair has no "{key}"')
    phrase = normalise(fields["key_phrase"])
    if phrase and phrase not in normalise(answer):
        raise LineError("key-phrase", "the key phrase does not stand in the answer")
    return ask(Example("", "", kind, form), question, answer)


def _trained(document: dict[str, Any]) -> Example:
    """A line of a training file; its kind is told by its shape."""
    line, problems = examine(document)
    if line is None:
        fault = next(problem for problem in problems if problem.fatal)
        raise LineError(fault.code, fault.message)
    example = Example(
        "",
        "",
        Kind.CONVERSATION,
        form=line.form,
        turns=line.turns,
        text=line.text,
        tools=msgspec.json.encode(line.tools).decode() if line.tools else "",
    )
    roles = [turn.role for turn in line.turns if turn.role != "system"]
    if line.form is Form.TEXT:
        asked = bool(question_and_answer(example)[0])
        return replace(example, kind=Kind.QA if asked else Kind.FULL_TEXT)
    return replace(example, kind=Kind.QA) if roles == ["user", "assistant"] else example
