"""Conversations in the user's history: one JSON Lines file each, an fsync per turn.

The question is on disk before it is sent, the answer when it ends, and what was said so far while
it streams: a crash keeps all of it, and says that the answer is partial. An edited question begins
a branch; nothing that was said is ever taken away.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tui.domain.chat import Answer, Arm, Conversation, Exchange, Mode
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

    def asked(
        self,
        conversation: str,
        question: str,
        *,
        after: str | None = None,
        mode: Mode = Mode.ASK,
        scope: str = "all",
        model: str = "",
        arm: Arm = Arm.BASE,
    ) -> str:
        """Record a question before it is sent; returns the exchange's id.

        It follows the exchange `after` ("" begins anew), by default the one asked last. `model` and
        `arm` are who is asked, so that even an answer that never ended has its name.
        """
        exchange = new_id("x")
        record: dict[str, Any] = {"asked": exchange, "question": question, "at": time.time()}
        if after is not None:
            record["after"] = after
        record |= {"mode": mode.value, "scope": scope, "model": model, "arm": arm.value}
        self._append(conversation, record)
        return exchange

    def said(
        self,
        conversation: str,
        exchange: str,
        text: str,
        *,
        other: bool = False,
        on: bool = False,
    ) -> None:
        """Record some more words of an answer under way.

        `other` is the arm beside it; `on` goes on with an answer that is recorded already.
        """
        record = {"said": exchange, "text": text, "other": other}
        self._append(conversation, record | ({"on": True} if on else {}))

    def answered(
        self, conversation: str, exchange: str, answer: Answer, *, other: bool = False
    ) -> None:
        """Record the answer, whole or partial; a later record of an exchange replaces it."""
        record = {"answered": exchange, "answer": msgspec.to_builtins(answer)}
        if other:
            record["other"] = True
        self._append(conversation, record)

    def preferred(self, conversation: str, exchange: str, arm: str) -> None:
        """Record which of two answers a person chose."""
        self._append(conversation, {"preferred": exchange, "arm": arm})

    def rename(self, conversation: str, title: str) -> None:
        """Give a conversation a title of its own."""
        self.read(conversation)
        self._append(conversation, {"title": shorten(title, _TITLE_WIDTH)})

    def read(self, conversation: str) -> Conversation:
        """One conversation with the exchanges of its last branch; raises NotFoundError."""
        path = self._path(conversation)
        if not path.is_file():
            raise NotFoundError(f"There is no conversation '{conversation}'.")
        return _fold(conversation, list(read_lines(path)))

    def branches(self, conversation: str) -> list[Conversation]:
        """Every branch from its beginning to its end, the one asked in last first."""
        path = self._path(conversation)
        if not path.is_file():
            raise NotFoundError(f"There is no conversation '{conversation}'.")
        records = list(read_lines(path))
        exchanges, title = _exchanges(records)
        followed = {exchange.after for exchange in exchanges.values()}
        ends = [key for key in exchanges if key not in followed]
        return [_branch(conversation, exchanges, title, end, len(ends)) for end in reversed(ends)]

    def all(self, query: str = "", *, limit: int | None = None) -> list[Conversation]:
        """Conversations, newest first; those that hold every word of `query` where it is given."""
        wanted = query.casefold().split()
        found: list[Conversation] = []
        for path in self._newest_first():
            if limit is not None and len(found) >= limit:
                break
            if wanted and not _may_hold(path, wanted):
                continue
            conversation = _fold(path.stem, list(read_lines(path)))
            if not conversation.exchanges:
                continue
            said = (f"{e.question} {e.answer.text}" for e in conversation.exchanges)
            text = " ".join((conversation.title, *said)).casefold()
            if all(word in text for word in wanted):
                found.append(conversation)
        return found

    def using(self, model: str) -> list[str]:
        """The conversations in which a model answered, in words, newest first."""
        found = []
        for path in self._newest_first():
            if not _may_hold(path, [model.casefold()]):
                continue
            exchanges, title = _exchanges(list(read_lines(path)))
            answers = [a for e in exchanges.values() for a in (e.answer, e.other) if a is not None]
            if any(answer.model == model for answer in answers):
                first = next(iter(exchanges.values())).question
                found.append(f"the conversation '{shorten(title or first, 60)}'")
        return found

    def _newest_first(self) -> Iterator[Path]:
        """By the last word in them: what is gone on with comes up again."""
        stamped = []
        for path in self._folder.glob("c-*.jsonl"):
            with contextlib.suppress(OSError):
                stamped.append((path.stat().st_mtime_ns, path.name, path))
        return (path for _, _, path in sorted(stamped, reverse=True))

    def delete(self, conversation: str) -> None:
        """Remove a conversation for good."""
        self._path(conversation).unlink(missing_ok=True)

    def export(self, conversation: str, target: Path) -> Path:
        """Write a conversation as Markdown with its sources; returns the file."""
        from tui.chat.export import as_markdown

        write_text(target, as_markdown(self.read(conversation)))
        return target

    def _append(self, conversation: str, record: dict[str, Any]) -> None:
        append_line(self._path(conversation), record, _PRIVATE)

    def _path(self, conversation: str) -> Path:
        return self._folder / f"{Path(conversation).name}.jsonl"


def _may_hold(path: Path, wanted: list[str]) -> bool:
    """Whether a file holds every word at all; reading it as records costs ten times as much."""
    try:
        text = path.read_bytes().decode(errors="replace").casefold()
    except OSError:
        return False
    # JSON writes a quotation mark or backslash otherwise than a person types it.
    return all(word in text or '"' in word or "\\" in word for word in wanted)


def _fold(name: str, records: list[dict[str, Any]]) -> Conversation:
    exchanges, title = _exchanges(records)
    followed = {exchange.after for exchange in exchanges.values()}
    ends = sum(key not in followed for key in exchanges)
    return _branch(name, exchanges, title, next(reversed(exchanges), ""), max(1, ends))


def _branch(
    name: str, exchanges: dict[str, Exchange], title: str, end: str, branches: int
) -> Conversation:
    """The exchanges that lead to `end`, in the order they were asked."""
    turns: list[Exchange] = []
    seen: set[str] = set()
    while end in exchanges and end not in seen:
        seen.add(end)
        turns.append(exchanges[end])
        end = exchanges[end].after
    turns.reverse()
    return Conversation(
        id=name,
        title=title or (shorten(turns[0].question, _TITLE_WIDTH) if turns else ""),
        started_at=turns[0].at if turns else 0.0,
        exchanges=tuple(turns),
        branches=branches,
    )


def _exchanges(records: list[dict[str, Any]]) -> tuple[dict[str, Exchange], str]:
    """All exchanges in the order they were asked, each with its last answer, and the title."""
    exchanges: dict[str, Exchange] = {}
    partial: dict[tuple[str, bool], list[str]] = {}
    blank: dict[str, Answer] = {}
    title = last = ""
    for record in records:
        try:
            if "asked" in record:
                last = _ask(record, last, exchanges, blank)
            elif "said" in record:
                _say(record, exchanges, partial)
            elif record.get("answered") in exchanges:
                _answer(record, exchanges, partial)
            elif record.get("preferred") in exchanges:
                chosen = str(record["preferred"])
                exchanges[chosen] = replace(exchanges[chosen], preferred=str(record["arm"]))
            elif isinstance(record.get("title"), str):
                title = record["title"]
        except (KeyError, TypeError, ValueError, msgspec.ValidationError):
            continue  # a record of another version, or a damaged one: the others count
    for (asked, other), words in partial.items():
        if asked in exchanges:
            exchange = exchanges[asked]
            held = exchange.other if other else exchange.answer
            part = _partial(held if held is not None and held.model else blank[asked], words)
            exchanges[asked] = (
                replace(exchange, other=part) if other else replace(exchange, answer=part)
            )
    return exchanges, title


def _partial(answer: Answer, words: list[str]) -> Answer:
    """An answer under way; one that was gone on with keeps its sources, and is not judged anew."""
    return replace(
        answer,
        text="".join(words).strip(),
        finish_reason=None,
        problems=(),
        flaws=(),
        refused=False,
    )


def _ask(
    record: dict[str, Any], last: str, exchanges: dict[str, Exchange], blank: dict[str, Answer]
) -> str:
    key = str(record["asked"])
    arm = Arm(record["arm"]) if "arm" in record else Arm.BASE
    blank[key] = Answer(text="", model=str(record.get("model", "")), arm=arm)
    exchanges[key] = Exchange(
        key,
        str(record["question"]),
        # Nobody answered yet: the name of who was asked belongs to words that were said.
        replace(blank[key], model=""),
        float(record["at"]),
        after=str(record.get("after", last)),
        mode=Mode(record.get("mode", Mode.ASK.value)),
        scope=str(record.get("scope", "all")),
    )
    return key


def _say(
    record: dict[str, Any],
    exchanges: dict[str, Exchange],
    partial: dict[tuple[str, bool], list[str]],
) -> None:
    """Words of an answer under way; late ones of an answer that has ended count no more."""
    key, other = str(record["said"]), bool(record.get("other"))
    held = exchanges[key].other if other else exchanges[key].answer
    ended = held is not None and bool(held.model)
    if ended and not record.get("on"):
        return
    start = [held.text] if ended and held is not None else []
    partial.setdefault((key, other), start).append(str(record["text"]))


def _answer(
    record: dict[str, Any],
    exchanges: dict[str, Exchange],
    partial: dict[tuple[str, bool], list[str]],
) -> None:
    key, other = str(record["answered"]), bool(record.get("other"))
    answer = msgspec.convert(record["answer"], Answer)
    partial.pop((key, other), None)
    exchange = exchanges[key]
    exchanges[key] = replace(exchange, other=answer) if other else replace(exchange, answer=answer)
