"""From a model's answer to examples: each with its source, its kind and what it fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tui.corpus import quotes
from tui.datasets import grounded
from tui.datasets.content import ask
from tui.datasets.generation import gates
from tui.datasets.generation.answers import (
    Answer,
    ConversationAnswer,
    SummaryAnswer,
    UnanswerableAnswer,
)
from tui.datasets.generation.plan import TYPED, QuestionType, Unit
from tui.datasets.generation.questions import QuestionIndex
from tui.datasets.retrieval import Composer, NoSourcesError
from tui.domain.example import Example, Kind, Turn

Gated = tuple[Example, gates.Refusal | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: about which unit, for which type of question, with which prompt."""

    unit: Unit
    type: QuestionType
    source: str
    prompt: str


class Builder:
    """Makes examples of one run, and remembers its questions so that none is asked twice."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        model: str,
        wordings: int,
        questions: QuestionIndex,
        composer: Composer,
    ) -> None:
        self._name = name
        self._kind = kind
        self._model = model
        self._wordings = wordings
        self._questions = questions
        self._composer = composer

    def examples(self, answer: Answer, asked: Asked) -> Iterator[Gated]:
        """The examples that an answer gives, each with the gate that it does not pass."""
        blank = Example(
            "",
            self._name,
            self._kind,
            author=self._model,
            paper=asked.unit.paper,
            passages=asked.unit.passages,
            question_type=asked.type.value if self._kind in TYPED else "",
            prompt=asked.prompt,
        )
        if isinstance(answer, SummaryAnswer):
            refusal = gates.refuse_summary(answer.summary, answer.quote, asked.source)
            title = asked.unit.title
            example = ask(blank, f"Summarise the paper “{title}”.", answer.summary)
            yield replace(example, quote=answer.quote), refusal
        elif isinstance(answer, ConversationAnswer):
            yield self._conversation(answer, blank, asked)
        elif isinstance(answer, UnanswerableAnswer):
            yield from self._open_questions(answer, blank, asked)
        else:
            wordings = (answer.question, *answer.wordings[: self._wordings - 1])
            for question in dict.fromkeys(wordings):
                candidate = gates.Candidate(
                    question, answer.answer, answer.quote, answer.key_phrase, asked.source
                )
                yield self._pair(candidate, blank, asked)

    def _pair(self, candidate: gates.Candidate, blank: Example, asked: Asked) -> Gated:
        refusal = gates.refuse_pair(candidate, self._questions)
        phrase = gates.key_phrase_of(candidate)
        fact = quotes.normalise(phrase or candidate.answer)
        digest = hashlib.sha256(fact.encode()).hexdigest()[:8]
        example = ask(
            replace(
                blank,
                kind=Kind.QA,
                quote=candidate.quote,
                key_phrase=phrase,
                finding=f"{asked.unit.id}/{digest}",
            ),
            candidate.question,
            candidate.answer,
        )
        if refusal is None and self._kind is Kind.RETRIEVAL:
            try:
                example = self._composer.compose(example, candidate.question, candidate.answer)
            except NoSourcesError as why:
                refusal = gates.Refusal("no-sources", str(why))
        if refusal is None:
            self._questions.add(candidate.question, candidate.answer)
        return example, refusal

    def _open_questions(
        self, answer: UnanswerableAnswer, blank: Example, asked: Asked
    ) -> Iterator[Gated]:
        """Questions that the passage leaves open: only with sources does a refusal teach."""
        wordings = (answer.question, *answer.wordings[: self._wordings - 1])
        for question in dict.fromkeys(wordings):
            candidate = gates.Candidate(question, "", answer.quote, "", asked.source)
            refusal = gates.refuse_open(candidate, self._questions)
            digest = hashlib.sha256(quotes.normalise(answer.question).encode()).hexdigest()[:8]
            finding = f"{asked.unit.id}/{digest}"
            blank = replace(blank, kind=Kind.QA, quote=answer.quote, finding=finding)
            example = ask(blank, question, grounded.REFUSAL)
            if refusal is None:
                try:
                    example = self._composer.unanswerable(example, question)
                except NoSourcesError as why:
                    refusal = gates.Refusal("no-sources", str(why))
            if refusal is None:
                self._questions.add(question, grounded.REFUSAL)
            yield example, refusal

    def _conversation(self, answer: ConversationAnswer, blank: Example, asked: Asked) -> Gated:
        """One example of all exchanges; the first that fails a gate fails it."""
        turns: list[Turn] = []
        refusal: gates.Refusal | None = None
        told: list[str] = []
        for number, item in enumerate(answer.exchanges):
            candidate = gates.Candidate(
                item.question, item.answer, item.quote, "", asked.source, tuple(told)
            )
            refusal = refusal or gates.refuse_exchange(candidate, self._questions, first=not number)
            turns += [Turn("user", item.question), Turn("assistant", item.answer)]
            told += [item.question, item.answer]
        first = answer.exchanges[0]
        if refusal is None:
            self._questions.add(first.question, first.answer)
        return replace(blank, turns=tuple(turns), quote=first.quote), refusal
