"""Datasets and their examples in the workspace's database."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from tui.datasets.content import (
    content_sha256,
    encode_content,
    example_id,
    with_content,
)
from tui.domain.errors import ConflictError, NotFoundError, UsageError
from tui.domain.example import Example, Form, Kind, Role, Status
from tui.domain.identifiers import dataset_name
from tui.storage.workspace import Workspace
from tui.text import visible

_BATCH = 2_000
_INSERT = """
INSERT INTO example (id, dataset, kind, form, content, content_sha256, status, role, role_fixed,
  author, paper, passages, quote, verified, key_phrase, finding, note, reason, question_type,
  prompt, created_at, first_status, first_note, first_reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""


class Store:
    """Rows in, domain values out; every write is one short transaction."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        return self._workspace.connection()

    def create(self, name: str) -> None:
        """Start a dataset; raises ConflictError when one of that name exists."""
        dataset_name(name)
        try:
            with self._workspace.transaction() as connection:
                connection.execute(
                    "INSERT INTO dataset (name, created_at) VALUES (?, ?)", (name, time.time())
                )
        except sqlite3.IntegrityError:
            raise ConflictError(
                f"A dataset '{name}' exists already.",
                f"Add to it with: papertune dataset add {name}",
            ) from None

    def remove(self, name: str) -> None:
        """Forget a dataset and its examples; raises NotFoundError."""
        self.require(name)
        with self._workspace.transaction() as connection:
            connection.execute("DELETE FROM dataset WHERE name = ?", (name,))

    def names(self) -> list[tuple[str, float]]:
        """Every dataset with its time of creation, by name."""
        rows = self.connection.execute("SELECT name, created_at FROM dataset ORDER BY name")
        return [(row["name"], row["created_at"]) for row in rows]

    def require(self, name: str) -> float:
        """When the dataset was created; raises NotFoundError when there is none."""
        row = self.connection.execute(
            "SELECT created_at FROM dataset WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            raise NotFoundError(
                f"There is no dataset '{visible(name)}'.",
                "Start one with: papertune dataset create NAME; see them: papertune dataset list",
            )
        return float(row["created_at"])

    def counts(self, name: str, column: str) -> dict[str, int]:
        """Examples per `kind`, `status` or `role`; those without a role do not count."""
        assert column in ("kind", "status", "role")
        rows = self.connection.execute(
            f"SELECT {column} AS value, count(*) AS n FROM example WHERE dataset = ? "
            f"AND {column} IS NOT NULL GROUP BY {column} ORDER BY {column}",
            (name,),
        )
        return {row["value"]: row["n"] for row in rows}

    def paper_count(self, name: str) -> int:
        """Papers that the dataset's examples come from."""
        row = self.connection.execute(
            "SELECT count(DISTINCT paper) AS n FROM example WHERE dataset = ? AND paper != ''",
            (name,),
        ).fetchone()
        return int(row["n"])

    def papers_of(self, name: str) -> frozenset[str] | None:
        """The papers that the dataset's examples come from; None where there is no such dataset."""
        query = "SELECT 1 FROM dataset WHERE name = ?"
        if self.connection.execute(query, (name,)).fetchone() is None:
            return None
        rows = self.connection.execute(
            "SELECT DISTINCT paper FROM example WHERE dataset = ? AND paper != ''", (name,)
        )
        return frozenset(row["paper"] for row in rows)

    def insert(self, name: str, examples: Iterable[Example]) -> list[str]:
        """Add examples and return the ids of those that were not there yet.

        An example that brings a role keeps it: a split leaves it alone.
        """
        self.require(name)
        added: list[str] = []
        examples = iter(examples)
        while batch := list(islice(examples, _BATCH)):
            with self._workspace.transaction() as connection:
                for example in batch:
                    row = _row(name, example)
                    if connection.execute(_INSERT, row).rowcount:
                        added.append(str(row[0]))
        return added

    def examples(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        status: Status | None = None,
        role: Role | None = None,
        paper: str | None = None,
        reason: str | None = None,
        author: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Example]:
        """Examples in the order in which they were added."""
        where, values = _where(name, kind, status, role, paper, reason, author)
        rows = self.connection.execute(
            f"SELECT * FROM example WHERE {where} ORDER BY created_at, rowid LIMIT ? OFFSET ?",
            (*values, -1 if limit is None else limit, offset),
        )
        return [_example(row) for row in rows]

    def count(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        status: Status | None = None,
        role: Role | None = None,
        paper: str | None = None,
        reason: str | None = None,
        author: str | None = None,
    ) -> int:
        """How many examples `examples` would give."""
        where, values = _where(name, kind, status, role, paper, reason, author)
        row = self.connection.execute(
            f"SELECT count(*) AS n FROM example WHERE {where}", values
        ).fetchone()
        return int(row["n"])

    def ids(
        self,
        name: str,
        *,
        kind: Kind | None = None,
        status: Status | None = None,
        role: Role | None = None,
        paper: str | None = None,
        reason: str | None = None,
        author: str | None = None,
    ) -> list[str]:
        """The ids of the examples that `examples` would give."""
        where, values = _where(name, kind, status, role, paper, reason, author)
        cursor = self.connection.cursor()
        cursor.row_factory = None  # plain tuples: of 100,000 rows they cost half as much
        cursor.execute(f"SELECT id FROM example WHERE {where} ORDER BY created_at, rowid", values)
        return [example for (example,) in cursor]

    def facets(self, name: str) -> dict[str, list[tuple[str, int]]]:
        """What examples can be filtered by, with how many there are, the most frequent first."""
        columns = {
            "kind": "kind",
            "status": "status",
            "role": "coalesce(role, '')",
            "paper": "paper",
            "author": "author",
            "reason": "CASE instr(reason, ':') WHEN 0 THEN reason "
            "ELSE substr(reason, 1, instr(reason, ':') - 1) END",
        }
        return {
            facet: [
                (row["value"], row["n"])
                for row in self.connection.execute(
                    f"SELECT {column} AS value, count(*) AS n FROM example WHERE dataset = ? "
                    "GROUP BY value HAVING value != '' ORDER BY n DESC, value",
                    (name,),
                )
            ]
            for facet, column in columns.items()
        }

    def get(self, ids: Sequence[str], name: str | None = None) -> list[Example]:
        """The examples of these ids, or of beginnings of ids that name one only, in order.

        Raises NotFoundError for an id that is not in the dataset, UsageError for an ambiguous one.
        """
        rows: dict[str, sqlite3.Row] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            for row in self.connection.execute(
                f"SELECT * FROM example WHERE id IN ({marks}) AND (? IS NULL OR dataset = ?)",
                (*batch, name, name),
            ):
                rows[row["id"]] = row
        return [_example(rows.get(wanted) or self._begins(wanted, name)) for wanted in ids]

    def _begins(self, wanted: str, name: str | None) -> sqlite3.Row:
        """The one example whose id begins so."""
        rows: list[sqlite3.Row] = self.connection.execute(
            "SELECT * FROM example WHERE id >= ? AND id < ? AND (? IS NULL OR dataset = ?) "
            "ORDER BY id LIMIT 2",
            (wanted, wanted + chr(0x10FFFF), name, name),
        ).fetchall()
        if not wanted or not rows:
            raise NotFoundError(
                f"There is no example '{visible(wanted)}'" + (f" in '{name}'." if name else "."),
                f"See them with: papertune dataset show {name or 'NAME'} --examples",
            )
        if len(rows) > 1:
            raise UsageError(f"Several examples begin with '{visible(wanted)}'.", "Write more.")
        return rows[0]

    def holds(self, name: str, example: Example) -> str | None:
        """The id of another example that says the same; None where there is none."""
        row = self.connection.execute(
            "SELECT id FROM example WHERE dataset = ? AND content_sha256 = ? AND id != ?",
            (name, content_sha256(example.form, encode_content(example)), example.id),
        ).fetchone()
        return row["id"] if row else None

    def fixed_roles(self, name: str) -> dict[str, Role]:
        """The roles that a person or an import fixed, by example id."""
        rows = self.connection.execute(
            "SELECT id, role FROM example WHERE dataset = ? AND role_fixed = 1", (name,)
        )
        return {row["id"]: Role(row["role"]) for row in rows}

    def paper_roles(self, name: str) -> dict[str, bool]:
        """Papers with fixed roles: whether each is kept for transfer."""
        rows = self.connection.execute(
            "SELECT DISTINCT paper, role FROM example "
            "WHERE dataset = ? AND role_fixed = 1 AND paper != ''",
            (name,),
        )
        return {row["paper"]: Role(row["role"]).is_transfer for row in rows}

    def paper_sides(self, name: str) -> dict[str, bool]:
        """Papers that a split has divided: whether each is kept from training."""
        rows = self.connection.execute(
            "SELECT paper, transfer FROM dataset_paper WHERE dataset = ?", (name,)
        )
        return {row["paper"]: bool(row["transfer"]) for row in rows}

    def fix_roles(self, name: str, roles: Mapping[str, Role]) -> None:
        """Give examples roles that a split leaves alone."""
        with self._workspace.transaction() as connection:
            connection.executemany(
                "UPDATE example SET role = ?, role_fixed = 1 WHERE id = ? AND dataset = ?",
                [(role.value, example, name) for example, role in roles.items()],
            )

    def set_roles(
        self,
        name: str,
        roles: Mapping[str, Role],
        papers: Mapping[str, bool],
        asked: dict[str, Any],
    ) -> None:
        """Write the roles and sides of a split and what was asked of it, all or nothing."""
        with self._workspace.transaction() as connection:
            connection.executemany(
                "UPDATE example SET role = ? WHERE id = ? AND role_fixed = 0",
                [(role.value, example) for example, role in roles.items()],
            )
            connection.execute("DELETE FROM dataset_paper WHERE dataset = ?", (name,))
            connection.executemany(
                "INSERT INTO dataset_paper (dataset, paper, transfer) VALUES (?, ?, ?)",
                [(name, paper, int(transfer)) for paper, transfer in papers.items()],
            )
            connection.execute(
                "UPDATE dataset SET split = ? WHERE name = ?", (json.dumps(asked), name)
            )

    def split_asked(self, name: str) -> dict[str, Any]:
        """What the last split was asked for; empty when there was none."""
        row = self.connection.execute(
            "SELECT split FROM dataset WHERE name = ?", (name,)
        ).fetchone()
        asked = json.loads(row["split"]) if row else {}
        return asked if isinstance(asked, dict) else {}


def _row(name: str, example: Example) -> tuple[Any, ...]:
    content = encode_content(example)
    sha256 = content_sha256(example.form, content)
    return (
        example_id(name, sha256),
        name,
        example.kind.value,
        example.form.value,
        content,
        sha256,
        example.status.value,
        example.role and example.role.value,
        int(example.role is not None),
        example.author,
        example.paper,
        json.dumps(example.passages),
        example.quote,
        int(example.verified),
        example.key_phrase,
        example.finding,
        example.note,
        example.reason,
        example.question_type,
        example.prompt,
        example.created_at or time.time(),
        example.status.value,
        example.note,
        example.reason,
    )


def _example(row: sqlite3.Row) -> Example:
    example = Example(
        id=row["id"],
        dataset=row["dataset"],
        kind=Kind(row["kind"]),
        form=Form(row["form"]),
        status=Status(row["status"]),
        role=Role(row["role"]) if row["role"] else None,
        author=row["author"],
        paper=row["paper"],
        passages=tuple(json.loads(row["passages"])),
        quote=row["quote"],
        verified=bool(row["verified"]),
        key_phrase=row["key_phrase"],
        finding=row["finding"],
        note=row["note"],
        reason=row["reason"],
        question_type=row["question_type"],
        prompt=row["prompt"],
        created_at=row["created_at"],
    )
    return with_content(example, row["content"])


def _where(
    name: str,
    kind: Kind | None,
    status: Status | None,
    role: Role | None,
    paper: str | None,
    reason: str | None,
    author: str | None,
) -> tuple[str, list[str]]:
    parts, values = ["dataset = ?"], [name]
    columns = (("kind", kind), ("status", status), ("role", role), ("paper", paper))
    for column, value in (*columns, ("author", author)):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(str(value))
    if reason is not None:
        # A gate writes its name, a colon and what it found.
        parts.append("(reason = ? OR substr(reason, 1, length(?) + 1) = ? || ':')")
        values += [reason] * 3
    return " AND ".join(parts), values
