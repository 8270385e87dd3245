"""Ratings, corrections and preferences: one append-only file per person, merged by reading all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from tui.domain.chat import Answer, Exchange, Feedback
from tui.domain.errors import UsageError
from tui.domain.identifiers import new_id, slug
from tui.storage.atomic import append_line, read_lines
from tui.text import clean, visible

GOOD, BAD, PREFERRED = "good", "bad", "preferred"
REASONS = ("wrong", "unsupported", "incomplete", "style")
_RATINGS = (GOOD, BAD, PREFERRED)


@dataclass(frozen=True, slots=True)
class Merged:
    """What an import of feedback did."""

    added: int = 0
    known: int = 0
    failed: tuple[tuple[int, str], ...] = ()


class FeedbackStore:
    """What people said of answers; the files are the truth, on disk before anything is drawn."""

    def __init__(self, folder: Path, person: str) -> None:
        self._folder = folder
        self.person = person

    def rate(
        self,
        exchange: Exchange,
        rating: str,
        *,
        reason: str = "",
        correction: str = "",
        source: str = "",
        quote: str = "",
    ) -> Feedback:
        """Record a rating (`good` or `bad`, with a reason of `REASONS`) or a corrected answer.

        `source` is the id of a passage that would have been the better source, `quote` its words.
        """
        if rating not in (GOOD, BAD) or (reason and reason not in REASONS):
            raise UsageError(
                f"'{rating} {reason}' is no rating.".replace(" '", "'"),
                f"Say good, or bad with one of: {', '.join(REASONS)}.",
            )
        answer = exchange.answer
        return self._record(
            Feedback(
                id=new_id("f"),
                exchange=exchange.id,
                question=exchange.question,
                answer=answer.text,
                rating=rating,
                reason=reason,
                correction=clean(correction),
                model=answer.model,
                by=self.person,
                at=time.time(),
                arm=answer.arm.value,
                passages=_cited(answer),
                source=source,
                quote=clean(quote),
            )
        )

    def prefer(
        self, exchange: Exchange, better: Answer, worse: Answer, *, blind: bool = False
    ) -> Feedback:
        """Record which of two answers to one question a person chose, and whether blindly."""
        return self._record(
            Feedback(
                id=new_id("f"),
                exchange=exchange.id,
                question=exchange.question,
                answer=better.text,
                rating=PREFERRED,
                model=better.model,
                by=self.person,
                at=time.time(),
                arm=better.arm.value,
                passages=_cited(better),
                other=worse.text,
                other_arm=worse.arm.value,
                other_model=worse.model,
                blind=blind,
            )
        )

    def sent(self, feedback: Feedback, example: str) -> None:
        """Note the draft example that was made of a feedback."""
        append_line(self._file(feedback.by), asdict(feedback) | {"example": example})

    def all(self) -> list[Feedback]:
        """Everybody's feedback, oldest first; the last word of a person on an answer counts.

        A rating and a preference are two things to say of one exchange.
        """
        latest: dict[tuple[str, str, bool], Feedback] = {}
        for feedback in self._every():
            latest[feedback.by, feedback.exchange, feedback.rating == PREFERRED] = feedback
        return sorted(latest.values(), key=lambda feedback: (feedback.at, feedback.id))

    def merge(self, path: Path) -> Merged:
        """Take in a team's exported feedback, each under the name of who gave it.

        What is here already is not added again. Raises UsageError when the file cannot be read.
        """
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise UsageError(
                f"{visible(str(path))} cannot be read: {error.strerror}.",
                "Write one with: papertune feedback export > FILE",
            ) from error
        known = {(f.id, f.example, f.correction, f.reason) for f in self._every()}
        added = repeated = 0
        failed: list[tuple[int, str]] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                feedback = _valid(json.loads(line))
            except (ValueError, TypeError) as error:
                failed.append((number, visible(str(error))[:200]))
                continue
            key = (feedback.id, feedback.example, feedback.correction, feedback.reason)
            if key in known:
                repeated += 1
                continue
            known.add(key)
            append_line(self._file(feedback.by), asdict(feedback))
            added += 1
        return Merged(added, repeated, tuple(failed))

    def _every(self) -> Iterable[Feedback]:
        for path in sorted(self._folder.glob("*.jsonl")):
            for record in read_lines(path):
                try:
                    yield msgspec.convert(record, Feedback)
                except msgspec.ValidationError:
                    continue

    def _record(self, feedback: Feedback) -> Feedback:
        append_line(self._file(self.person), asdict(feedback))
        return feedback

    def _file(self, person: str) -> Path:
        return self._folder / f"{slug(person, 'someone')}.jsonl"


def _cited(answer: Answer) -> tuple[str, ...]:
    return tuple(source.passage for source in answer.sources)


def _valid(value: object) -> Feedback:
    """A feedback of a file from elsewhere; raises ValueError for what is none."""
    try:
        feedback = msgspec.convert(value, Feedback)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    if feedback.rating not in _RATINGS or not feedback.id or not feedback.exchange:
        raise ValueError(f"'{feedback.rating}' is no rating.")
    return replace(
        feedback,
        question=clean(feedback.question),
        answer=clean(feedback.answer),
        correction=clean(feedback.correction),
        quote=clean(feedback.quote),
        other=clean(feedback.other),
        by=visible(feedback.by),
    )
