"""Review decisions: appended to a file per person first, indexed in the database after.

Decisions are ordered by time, person and id, so whoever merges the files of several people, in
whatever order, comes to the same state. An undo takes one decision out of that order.
"""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.datasets.content import content_sha256
from tui.domain.errors import NotFoundError
from tui.domain.example import Form, Status
from tui.domain.identifiers import slug
from tui.storage.atomic import append_line
from tui.storage.workspace import Workspace

ACTIONS = {Status.ACCEPTED: "accept", Status.REJECTED: "reject", Status.DRAFT: "draft"}
_STATUSES = {action: status for status, action in ACTIONS.items()}
_KNOWN = frozenset({*_STATUSES, "edit", "note", "undo"})
SETTLED = "settled"
"""The reason of a verdict that ends a disagreement: those before it do not count in it any more."""

_COLUMNS = "d.id, d.person, d.at, d.action, d.value"
_STANDS = "d.action != 'undo' AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id)"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An example on which people's last verdicts differ: `verdicts` by person.

    `words` is its question, or how its text begins.
    """

    example: str
    verdicts: dict[str, Status]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, on which examples, when (seconds since 1970).

    `action` is accept, reject, draft, edit or note; `value` is the reason, the new words (as they
    are stored) or the note.
    """

    id: str
    person: str
    at: float
    action: str
    value: str
    examples: tuple[str, ...] = ()

    @property
    def status(self) -> Status | None:
        """What the decision made of its examples; None for an edit or a note."""
        return _STATUSES.get(self.action)


class Reviews:
    """The decisions of one workspace, written by one person and read from all."""

    def __init__(self, workspace: Workspace, person: str) -> None:
        self._workspace = workspace
        self.person = person
        self._last: dict[str, float] = {}

    def append(
        self, dataset: str, action: str, examples: Sequence[str], value: str = "", undoes: str = ""
    ) -> None:
        """Put a decision on disk, then into the database."""
        at = self._next(self.person)
        record = {
            "id": f"{time.time_ns():x}-{secrets.token_hex(4)}",
            "at": at,
            "by": self.person,
            "dataset": dataset,
            "action": action,
            "examples": list(examples),
            "value": value,
            "undoes": undoes,
        }
        append_line(self._workspace.reviews / f"{slug(self.person, 'someone')}.jsonl", record)
        self.merge()

    def _next(self, person: str) -> float:
        """Now, but later than this person's last decision, whatever the clock does meanwhile."""
        if person not in self._last:
            row = (
                self._workspace.connection()
                .execute("SELECT max(at) AS at FROM decision WHERE person = ?", (person,))
                .fetchone()
            )
            self._last[person] = row["at"] or 0.0
        self._last[person] = max(time.time(), self._last[person] + 1e-6)
        return self._last[person]

    def undo(self, dataset: str) -> list[str]:
        """Take back this person's last decision that stands; the examples it was about.

        Raises NotFoundError when there is none.
        """
        self.merge()
        last = self.last(dataset)
        if last is None:
            raise NotFoundError(f"There is no decision of yours in '{dataset}' to take back.")
        self.append(dataset, "undo", [], undoes=last.id)
        return list(last.examples)

    def last(self, dataset: str) -> Decision | None:
        """This person's last decision that stands; None when there is none."""
        self.merge()
        row = (
            self._workspace.connection()
            .execute(
                f"SELECT {_COLUMNS} FROM decision d WHERE dataset = ? AND person = ? "
                f"AND {_STANDS} ORDER BY at DESC, id DESC LIMIT 1",
                (dataset, self.person),
            )
            .fetchone()
        )
        return None if row is None else _decision(row, self._examples_of(row["id"]))

    def history(self, example: str) -> list[Decision]:
        """All standing decisions about an example, by whomever, in their order."""
        self.merge()
        rows = self._workspace.connection().execute(
            f"SELECT {_COLUMNS} FROM decided JOIN decision d ON d.id = decision "
            f"WHERE example = ? AND {_STANDS} ORDER BY at, person, d.id",
            (example,),
        )
        return [_decision(row, [example]) for row in rows]

    def _examples_of(self, decision: str) -> list[str]:
        rows = self._workspace.connection().execute(
            "SELECT example FROM decided WHERE decision = ? ORDER BY example", (decision,)
        )
        return [row["example"] for row in rows]

    def merge(self) -> int:
        """Read what was appended to anybody's file since; how many decisions were new."""
        files = self._grown()
        if not files:
            return 0
        new = 0
        with self._workspace.transaction() as connection:
            touched: set[str] = set()
            for path, start in files:
                records, end = _read(path, start)
                for record in records:
                    new += _index(connection, record, touched)
                connection.execute(
                    "INSERT INTO review_file (name, bytes) VALUES (?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes",
                    (path.name, end),
                )
            replay(connection, touched)
        return new

    def _grown(self) -> list[tuple[Path, int]]:
        """Files with unread bytes and where to go on; one that shrank is read anew."""
        try:
            sizes = {p: p.stat().st_size for p in self._workspace.reviews.glob("*.jsonl")}
        except OSError:
            return []
        rows = self._workspace.connection().execute("SELECT name, bytes FROM review_file")
        read = {row["name"]: row["bytes"] for row in rows}
        return [
            (path, read.get(path.name, 0) if size > read.get(path.name, 0) else 0)
            for path, size in sorted(sizes.items())
            if size != read.get(path.name, 0)
        ]

    def disagreements(self, dataset: str) -> list[Disagreement]:
        """Examples that one person accepts and another rejects, by their last standing words.

        A verdict with the reason `SETTLED` ends what stood before it.
        """
        self.merge()
        rows = self._workspace.connection().execute(
            "SELECT example, person, action, value FROM decided JOIN decision d ON d.id = decision "
            f"WHERE dataset = ? AND action IN ('accept', 'reject') AND {_STANDS} "
            "ORDER BY at, person, d.id",
            (dataset,),
        )
        verdicts: dict[str, dict[str, Status]] = {}
        for row in rows:
            by = verdicts.setdefault(row["example"], {})
            if row["value"] == SETTLED:
                by.clear()
            by[row["person"]] = _STATUSES[row["action"]]
        return [
            Disagreement(example, by)
            for example, by in sorted(verdicts.items())
            if len(set(by.values())) > 1
        ]


def _decision(row: sqlite3.Row, examples: Sequence[str]) -> Decision:
    id_, person, at, action, value = row
    return Decision(id_, person, at, action, value, tuple(examples))


def _read(path: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    """Whole records from `start` on, and where the next one will begin; torn lines are left out."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    end = data.rfind(b"\n") + 1
    records = []
    for line in data[:end].splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _well_formed(record):
            records.append(record)
    return records, start + end


def _well_formed(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and all(isinstance(record.get(key), str) for key in ("id", "by", "dataset", "action"))
        and isinstance(record.get("at"), int | float)
        and math.isfinite(record["at"])
        and record["action"] in _KNOWN
        and isinstance(record.get("examples"), list)
        and all(isinstance(example, str) for example in record["examples"])
        and all(isinstance(record.get(key, ""), str) for key in ("value", "undoes"))
    )


def _index(connection: sqlite3.Connection, record: dict[str, Any], touched: set[str]) -> int:
    values = (record["id"], record["dataset"], record["by"], record["at"], record["action"])
    new = connection.execute(
        "INSERT OR IGNORE INTO decision (id, dataset, person, at, action, value, undoes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*values, record.get("value", ""), record.get("undoes", "")),
    ).rowcount
    connection.executemany(
        "INSERT OR IGNORE INTO decided (example, decision) VALUES (?, ?)",
        [(example, record["id"]) for example in record["examples"]],
    )
    touched.update(record["examples"])
    if record.get("undoes"):
        rows = connection.execute(
            "SELECT example FROM decided WHERE decision = ?", (record["undoes"],)
        )
        touched.update(row["example"] for row in rows)
    return new


def replay(connection: sqlite3.Connection, examples: Iterable[str]) -> None:
    """Bring examples to where all standing decisions about them lead, from how they were added."""
    for example in sorted(examples):
        row = connection.execute(
            "SELECT form, content, first_status, first_content, first_note, first_reason "
            "FROM example WHERE id = ?",
            (example,),
        ).fetchone()
        if row is None:
            continue
        first = row["content"] if row["first_content"] is None else row["first_content"]
        now = _State(row["first_status"], first, row["first_note"], row["first_reason"])
        for action, value in connection.execute(
            "SELECT action, value FROM decided JOIN decision d ON d.id = decision "
            f"WHERE example = ? AND {_STANDS} ORDER BY at, person, d.id",
            (example,),
        ):
            now.take(action, value)
        _write(connection, example, row, now, first)


@dataclass(slots=True)
class _State:
    """Where decisions have led an example so far."""

    status: str
    content: str
    note: str
    reason: str

    def take(self, action: str, value: str) -> None:
        if action in _STATUSES:
            self.status, self.reason = _STATUSES[action].value, value
        elif action == "edit":
            self.content = value
        else:
            self.note = value


def _write(
    connection: sqlite3.Connection, example: str, row: sqlite3.Row, now: _State, first: str
) -> None:
    connection.execute(
        "UPDATE example SET status = ?, note = ?, reason = ? WHERE id = ?",
        (now.status, now.note, now.reason, example),
    )
    if now.content == row["content"]:
        return
    connection.execute(
        "UPDATE example SET content = ?, content_sha256 = ?, first_content = ? WHERE id = ?",
        (
            now.content,
            content_sha256(Form(row["form"]), now.content),
            None if now.content == first else first,
            example,
        ),
    )
