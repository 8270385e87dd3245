"""Conversations in the user's history: one JSON Lines file each, an fsync per turn.

The question is on disk before it is sent and the answer when it ends, so a crash while an answer
streams keeps the question, and what was said so far where the caller saved it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from tui.domain.chat import Answer, Arm, Conversation, Exchange
from tui.domain.errors import NotFoundError
from tui.domain.identifiers import new_id
from tui.storage.atomic import append_line, read_lines, write_text
from tui.text import shorten

_TITLE_WIDTH = 60
_PRIVATE = 0o600


class Conversations:
    """Lists, resumes, searches and exports what was asked."""

    def __init__(self, history: Path) -> None:
        self._folder = history / "conversations"

    def start(self) -> str:
        """A new conversation's id; nothing is written until something is asked."""
        return new_id("c")

    def asked(self, conversation: str, question: str) -> str:
        """Record a question before it is sent; returns the exchange's id."""
        exchange = new_id("x")
        self._append(conversation, {"asked": exchange, "question": question, "at": time.time()})
        return exchange

    def answered(self, conversation: str, exchange: str, answer: Answer) -> None:
        """Record the answer, whole or partial; a later record of an exchange replaces it."""
        self._append(conversation, {"answered": exchange, "answer": msgspec.to_builtins(answer)})

    def read(self, conversation: str) -> Conversation:
        """One conversation with all its exchanges; raises NotFoundError."""
        path = self._path(conversation)
        if not path.is_file():
            raise NotFoundError(f"There is no conversation '{conversation}'.")
        return _fold(conversation, list(read_lines(path)))

    def all(self, query: str = "") -> list[Conversation]:
        """Conversations, newest first; those that hold every word of `query` where it is given."""
        wanted = query.lower().split()
        found = []
        for path in sorted(self._folder.glob("c-*.jsonl"), reverse=True):
            conversation = _fold(path.stem, list(read_lines(path)))
            text = " ".join(f"{e.question} {e.answer.text}" for e in conversation.exchanges).lower()
            if conversation.exchanges and all(word in text for word in wanted):
                found.append(conversation)
        return found

    def delete(self, conversation: str) -> None:
        """Remove a conversation for good."""
        self._path(conversation).unlink(missing_ok=True)

    def export(self, conversation: str, target: Path) -> Path:
        """Write a conversation as Markdown with its sources; returns the file."""
        write_text(target, as_markdown(self.read(conversation)))
        return target

    def _append(self, conversation: str, record: dict[str, Any]) -> None:
        append_line(self._path(conversation), record, _PRIVATE)

    def _path(self, conversation: str) -> Path:
        return self._folder / f"{Path(conversation).name}.jsonl"


def as_markdown(conversation: Conversation) -> str:
    """A conversation for people: questions as headings, answers, numbered sources."""
    parts = [f"# {conversation.title}\n"]
    for exchange in conversation.exchanges:
        answer = exchange.answer
        parts.append(f"## {exchange.question}\n\n{answer.text}\n")
        if not answer.complete:
            parts.append("*(The answer was cut short.)*\n")
        parts += [
            f"- [{s.n}] {s.title}" + (f", p. {s.page}" if s.page else "") + f": “{s.quote}”"
            for s in answer.sources
        ]
        parts.append(f"\n*{answer.model}, {answer.arm.value}*\n")
    return "\n".join(parts)


def _fold(name: str, records: list[dict[str, Any]]) -> Conversation:
    """The exchanges in the order they were asked, each with its last recorded answer."""
    exchanges: dict[str, Exchange] = {}
    for record in records:
        if "asked" in record:
            blank = Answer(text="", model="", arm=Arm.BASE)
            key = str(record["asked"])
            exchanges[key] = Exchange(key, str(record["question"]), blank, float(record["at"]))
        elif record.get("answered") in exchanges:
            key = str(record["answered"])
            asked = exchanges[key]
            answer = msgspec.convert(record["answer"], Answer)
            exchanges[key] = Exchange(key, asked.question, answer, asked.at)
    turns = tuple(exchanges.values())
    return Conversation(
        id=name,
        title=shorten(turns[0].question, _TITLE_WIDTH) if turns else "",
        started_at=turns[0].at if turns else 0.0,
        exchanges=turns,
    )
