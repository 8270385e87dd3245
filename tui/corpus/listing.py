"""The list of papers: its orders and its facets."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

from tui.corpus.identity import family_name, fold
from tui.domain.errors import UsageError
from tui.text import visible

Sort = Literal["", "added", "title", "year", "author", "venue"]
SORTS: tuple[str, ...] = tuple(name for name in get_args(Sort) if name)
FACETS = ("year", "author", "tag", "venue", "problem")
# How many values of each facet are told, the most frequent ones.
MOST_VALUES = 200

# What is missing comes last, whichever way the list runs.
_ORDERS = {
    "added": "added_at {way}, id",
    "title": "title_key = '', title_key {way}, title, id",
    "year": "year IS NULL, year {way}, title, id",
    "venue": "venue = '', venue COLLATE NOCASE {way}, year DESC, title, id",
}
_SOME = "IN (SELECT value FROM json_each(?))"


def ordered(
    db: sqlite3.Connection, ids: Sequence[str] | None, sort: str, *, descending: bool
) -> list[str]:
    """Ids in an order; `ids` None means the whole library. Raises UsageError."""
    if sort not in SORTS:
        raise UsageError(f"'{visible(sort)}' is no order.", f"Use one of: {', '.join(SORTS)}.")
    where = "" if ids is None else f"WHERE id {_SOME}"
    values = [] if ids is None else [json.dumps(list(ids))]
    if sort != "author":
        order = _ORDERS[sort].format(way="DESC" if descending else "ASC")
        query = f"SELECT id FROM paper {where} ORDER BY {order}"
        return [row[0] for row in db.execute(query, values)]
    query = (
        "SELECT id, coalesce(name, '') AS name, coalesce(year, 0), title FROM paper "
        f"LEFT JOIN author ON paper = id AND position = 0 {where}"
    )
    rows = [
        (fold(family_name(row[1])), row[2], row[3], row[0]) for row in db.execute(query, values)
    ]
    named = sorted((row for row in rows if row[0]), reverse=descending)
    return [row[3] for row in named] + [row[3] for row in sorted(r for r in rows if not r[0])]


def facets(
    db: sqlite3.Connection, ids: Sequence[str] | None, kinds: Mapping[str, Collection[str]]
) -> dict[str, list[tuple[str, int]]]:
    """How many papers have each year, author, tag, venue and problem, the most frequent first.

    `ids` None means the whole library; `kinds` are the problems of papers. Years run from the
    newest. Each value is written as the query language takes it.
    """
    values = [] if ids is None else [json.dumps(list(ids))]

    def counted(column: str, table: str, key: str, order: str = "n DESC") -> list[tuple[str, int]]:
        some = "" if ids is None else f"AND {key} {_SOME}"
        query = (
            f"SELECT {column} AS value, count(*) AS n FROM {table} WHERE {column} IS NOT NULL "
            f"AND {column} != '' {some} GROUP BY {column} ORDER BY {order}, value "
            f"LIMIT {MOST_VALUES}"
        )
        return [(str(row[0]), int(row[1])) for row in db.execute(query, values)]

    problems: Counter[str] = Counter()
    wanted = None if ids is None else set(ids)
    for paper, found in kinds.items():
        if wanted is None or paper in wanted:
            problems.update(found)
    return {
        "year": counted("year", "paper", "id", "value DESC"),
        "author": counted("name", "author", "paper"),
        "tag": counted("name", "tag", "paper"),
        "venue": counted("venue", "paper", "id"),
        "problem": [(str(kind), count) for kind, count in problems.most_common()],
    }
