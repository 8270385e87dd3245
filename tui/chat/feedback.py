"""Ratings and corrections: one append-only file per person, merged by reading them all."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import msgspec

from tui.domain.chat import Exchange, Feedback
from tui.domain.errors import UsageError
from tui.domain.identifiers import new_id, slug
from tui.storage.atomic import append_line, read_lines

GOOD, BAD = "good", "bad"
REASONS = ("wrong", "unsupported", "incomplete", "style")


class FeedbackStore:
    """What people said of answers; the files are the truth, on disk before anything is drawn."""

    def __init__(self, folder: Path, person: str) -> None:
        self._folder = folder
        self.person = person

    def rate(
        self, exchange: Exchange, rating: str, *, reason: str = "", correction: str = ""
    ) -> Feedback:
        """Record a rating (`good` or `bad`, with a reason of `REASONS`) or a corrected answer."""
        if rating not in (GOOD, BAD) or (reason and reason not in REASONS):
            raise UsageError(
                f"'{rating} {reason}' is no rating.".replace(" '", "'"),
                f"Say good, or bad with one of: {', '.join(REASONS)}.",
            )
        feedback = Feedback(
            id=new_id("f"),
            exchange=exchange.id,
            question=exchange.question,
            answer=exchange.answer.text,
            rating=rating,
            reason=reason,
            correction=correction,
            model=exchange.answer.model,
            by=self.person,
            at=time.time(),
        )
        append_line(self._folder / f"{slug(self.person, 'someone')}.jsonl", asdict(feedback))
        return feedback

    def all(self) -> list[Feedback]:
        """Everybody's feedback, oldest first; the last word of a person on an answer counts."""
        latest: dict[tuple[str, str], Feedback] = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            for record in read_lines(path):
                try:
                    feedback = msgspec.convert(record, Feedback)
                except msgspec.ValidationError:
                    continue
                latest[feedback.by, feedback.exchange] = feedback
        return sorted(latest.values(), key=lambda feedback: (feedback.at, feedback.id))
