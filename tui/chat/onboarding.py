"""What a newcomer was shown and has read, one append-only file per person."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tui.domain.identifiers import slug
from tui.storage.atomic import append_line, read_lines


@dataclass(frozen=True, slots=True)
class ReadingPath:
    """A reading path that was given: papers in the order in which to read them."""

    topic: str
    papers: tuple[str, ...]
    at: float
    read: frozenset[str]

    @property
    def next(self) -> str:
        """The first paper that is not read yet; empty when all are."""
        return next((paper for paper in self.papers if paper not in self.read), "")


class Onboarding:
    """Remembers reading paths and what of them a person has read."""

    def __init__(self, folder: Path, person: str) -> None:
        self._folder = folder
        self.person = person

    @property
    def _file(self) -> Path:
        return self._folder / f"{slug(self.person, 'someone')}.jsonl"

    def given(self, topic: str, papers: Iterable[str]) -> None:
        """A path was given."""
        ordered = list(dict.fromkeys(papers))
        if ordered:
            append_line(self._file, {"topic": topic, "papers": ordered, "at": time.time()})

    def mark(self, paper: str, read: bool = True) -> None:
        """A paper was read, or not after all."""
        append_line(self._file, {"read" if read else "unread": paper, "at": time.time()})

    def read(self) -> frozenset[str]:
        """The papers this person has read."""
        done: set[str] = set()
        for record in read_lines(self._file):
            if "read" in record:
                done.add(str(record["read"]))
            elif "unread" in record:
                done.discard(str(record["unread"]))
        return frozenset(done)

    def paths(self) -> list[ReadingPath]:
        """The paths this person was given, newest first; a later one on a topic replaces it."""
        done = self.read()
        found: dict[str, ReadingPath] = {}
        for record in read_lines(self._file):
            papers = record.get("papers")
            if isinstance(papers, list) and "topic" in record:
                topic = str(record["topic"])
                at = record.get("at")
                when = float(at) if isinstance(at, int | float) else 0.0
                found.pop(topic.casefold(), None)
                found[topic.casefold()] = ReadingPath(topic, tuple(map(str, papers)), when, done)
        return list(reversed(found.values()))
