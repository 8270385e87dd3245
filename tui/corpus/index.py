"""The search index: tantivy beside SQLite, always rebuildable from it.

Documents are passages; a work without any is one document of its record. The index remembers how
far along the database's sequence of changes it is, so several indexes of one workspace (one per
host, where the workspace is on a network file system) each catch up on their own, and a crash
between two commits repeats work but loses none.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import tantivy

from tui.corpus import query as q
from tui.corpus.search import Plan
from tui.storage import atomic
from tui.storage.workspace import Workspace

# Changes whenever the fields or their analysis do; an index of another version is rebuilt.
VERSION = 2
_STATE = "papertune.json"
_HEAP = 64 * 1024 * 1024
_BATCH = 200
# A commit costs several syncs; what was added is found after this many seconds at the latest.
_COMMIT_SECONDS = 4.0
# The index library counts at most 65,000 groups in one go.
_GROUPS = 50_000
# An index that is found damaged twice within this time is not what is wrong.
_REBUILD_SECONDS = 600.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Found:
    """Hits as (score, passage id or paper id), and what to mark in them."""

    hits: tuple[tuple[float, str, str], ...]
    words: frozenset[str]
    prefixes: tuple[str, ...]


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(
        "paper", stored=True, fast=True, tokenizer_name="raw", index_option="basic"
    )
    builder.add_text_field("passage", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("text", "title", "authors", "section", "venue", "tags"):
        builder.add_text_field(name, tokenizer_name="papertune")
    builder.add_text_field("abstract", tokenizer_name="papertune", index_option="freq")
    builder.add_integer_field("year", indexed=True, fast=True)
    # The row of the paper in the database: read a thousand times faster than its id.
    builder.add_integer_field("number", indexed=True, fast=True)
    return builder.build()


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (
        tantivy.Filter.remove_long(80),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
    ):
        builder = builder.filter(part)
    return builder.build()


class SearchIndex:
    """Opens, follows and asks the index of a workspace; safe to use from several threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        # Asked once: whether the workspace is on a network file system does not change.
        self.folder = workspace.index
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._index: tantivy.Index | None = None
        self._schema = _schema()
        self._stamp: tuple[int, int] | None = None
        self._mended = -_REBUILD_SECONDS

    def update(self, *, wait: float = 0.0, step: Callable[[], None] | None = None) -> bool:
        """Bring the index up to date; false when another process is at it or it is read-only.

        `wait` is how many seconds to wait for that process. `step` is called between batches.
        """
        if self._position() >= self._newest():
            return True
        deadline = time.monotonic() + wait
        if not self._writing.acquire(timeout=max(wait, 0.001)):
            return False
        try:
            while True:
                try:
                    return self._follow(step)
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        return False
                    time.sleep(0.1)
                except OSError:
                    return False
        finally:
            self._writing.release()

    def rebuild(self, *, wait: float = 10.0) -> bool:
        """Throw the index away and make it anew; false when another process is at it."""
        with suppress(OSError), self._exclusive():
            self._discard()
        return self.update(wait=wait)

    def _discard(self) -> None:
        with self._lock:
            self._index = None
            self._stamp = None
            if self.folder.exists():
                # Renamed first: a half-deleted index must never be taken for one.
                grave = self.folder.with_name(f".{self.folder.name}.{time.time_ns()}.old")
                self.folder.rename(grave)
                shutil.rmtree(grave, ignore_errors=True)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Be the only writer on this host; raises BlockingIOError when another process is.

        The lock lies beside the index, so that it outlives an index that is thrown away.
        """
        lock = self.folder.with_name(f"{self.folder.name}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def search(
        self,
        parsed: q.Query,
        limit: int,
        papers: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> Found:
        """The best passages: first those with every word, then those with the most telling ones.

        Only in `papers` and never in those `without`, where they are given.
        """
        nothing = Found((), frozenset(), ())
        if limit <= 0 or (papers is not None and not papers):
            return nothing
        return self._guarded(
            lambda searcher: self._ask(
                Plan(self._schema, searcher, parsed, papers, without), searcher, limit
            ),
            nothing,
        )

    def papers(
        self,
        parsed: q.Query,
        ranked: int = 2000,
        papers: Collection[str] | None = None,
        without: Collection[str] = (),
        most: int | None = None,
    ) -> list[str]:
        """The papers that hold a match: the best `ranked` passages' first, then all the others.

        With `most`, others are looked for only when these are fewer.
        """
        if papers is not None and not papers:
            return []

        def ask(searcher: tantivy.Searcher) -> list[int]:
            strict = Plan(self._schema, searcher, parsed, papers, without).strict()
            hits = searcher.search(strict, ranked, count=False).hits
            addresses = [address for _, address in hits]
            found = dict.fromkeys(searcher.fast_field_values("number", addresses))
            if len(hits) == ranked and (most is None or len(found) < most):
                for number in self._numbers(searcher, strict):
                    found.setdefault(number)
            return list(found)

        return self._ids(self._guarded(ask, []))

    def _numbers(self, searcher: tantivy.Searcher, strict: tantivy.Query) -> Iterator[int]:
        """All papers with a match, by their rows."""
        last = self._db().execute("SELECT coalesce(max(rowid), 0) FROM paper").fetchone()[0]
        groups = {"papers": {"terms": {"field": "number", "size": _GROUPS}}}
        for first in range(1, last + 1, _GROUPS):
            within = tantivy.Query.range_query(
                self._schema, "number", tantivy.FieldType.Integer, first, first + _GROUPS - 1
            )
            both = [(tantivy.Occur.Must, strict),
                    (tantivy.Occur.Must, tantivy.Query.const_score_query(within, 0.0))]  # fmt: skip
            found = searcher.aggregate(tantivy.Query.boolean_query(both), groups)
            for bucket in found["papers"]["buckets"]:
                yield int(bucket["key"])

    def _ids(self, numbers: list[int]) -> list[str]:
        rows = self._db().execute(
            "SELECT rowid, id FROM paper WHERE rowid IN (SELECT value FROM json_each(?))",
            (json.dumps(numbers),),
        )
        ids = {row[0]: row[1] for row in rows}
        return [ids[number] for number in numbers if number in ids]

    @staticmethod
    def _ask(plan: Plan, searcher: tantivy.Searcher, limit: int) -> Found:
        found: dict[tuple[str, str], float] = {}
        loose = plan.loose()
        first = [plan.strict()] if loose is None or not plan.question else []
        for query in [*first, loose]:
            if query is None or len(found) >= limit:
                continue
            for score, address in searcher.search(query, limit, count=False).hits:
                document = searcher.doc(address)
                key = (document.get_first("paper"), document.get_first("passage"))
                if key not in found and len(found) < limit:
                    found[key] = float(score)
        hits = tuple((score, paper, passage) for (paper, passage), score in found.items())
        return Found(hits, frozenset(plan.words), plan.prefixes)

    def _guarded(self, ask: Callable[[tantivy.Searcher], Answer], nothing: Answer) -> Answer:
        """Ask; a damaged index is rebuilt once and asked again."""
        for attempt in (1, 2):
            searcher = self._searcher()
            if searcher is None:
                return nothing
            try:
                return ask(searcher)
            except BaseException as error:
                if not _is_damage(error):
                    raise
                if attempt == 1 and not self._mend():
                    break
        return nothing

    def _mend(self) -> bool:
        """Make a damaged index anew, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._mended < _REBUILD_SECONDS:
            return False
        self._mended = now
        return self.rebuild()

    def _searcher(self) -> tantivy.Searcher | None:
        try:
            return self._fresh()
        except BaseException as error:
            if not _is_damage(error):
                raise
        with self._lock:
            self._index = None
        return self._fresh() if self._mend() else None

    def _fresh(self) -> tantivy.Searcher | None:
        """A searcher on what was last committed, by whatever process; None without an index."""
        with self._lock:
            index = self._open(create=False)
            if index is None:
                return None
            stamp = self._meta_stamp()
            if stamp != self._stamp:
                index.reload()
                self._stamp = stamp
            return index.searcher()

    def _meta_stamp(self) -> tuple[int, int] | None:
        try:
            status = (self.folder / "meta.json").stat()
        except OSError:
            self._index = None
            return None
        return status.st_mtime_ns, status.st_ino

    def _open(self, *, create: bool) -> tantivy.Index | None:
        if self._index is not None and (self.folder / "meta.json").exists():
            return self._index
        self._index, self._stamp = None, None
        if not (self.folder / "meta.json").exists():
            if not create:
                return None
            self.folder.mkdir(parents=True, exist_ok=True)
        index = tantivy.Index(self._schema, str(self.folder), reuse=True)
        index.register_tokenizer("papertune", _analyzer())
        index.config_reader("manual", 0)
        self._index = index
        return index

    def _db(self) -> sqlite3.Connection:
        return self._workspace.connection()

    def _newest(self) -> int:
        return int(self._db().execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()[0])

    def _library(self) -> str:
        return str(self._db().execute("SELECT id FROM library").fetchone()[0])

    def _position(self) -> int:
        """How far the index on disk is; -1 when there is none that belongs to this library."""
        try:
            state = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
            fits = state["version"] == VERSION and state["library"] == self._library()
            position = int(state["position"])
        except (OSError, ValueError, KeyError, TypeError):
            return -1
        if not fits or not (self.folder / "meta.json").exists() or position > self._newest():
            return -1
        return position

    def _follow(self, step: Callable[[], None] | None) -> bool:
        with self._exclusive():
            # Read under the lock: another process may have caught up, or begun anew, meanwhile.
            position = self._position()
            if position < 0:
                self._discard()
                position = 0
            try:
                with self._lock:
                    index = self._open(create=True)
                assert index is not None
                writer = index.writer(_HEAP, 1)
            except ValueError:
                self._discard()
                raise BlockingIOError from None
            self._mark(position)
            due = time.monotonic() + _COMMIT_SECONDS
            rows = self._changes(position)
            while rows:
                for _, paper in rows:
                    writer.delete_documents_by_term("paper", paper)
                    for document in self._documents(paper):
                        writer.add_document(tantivy.Document.from_dict(document, self._schema))
                position = rows[-1][0]
                rows = self._changes(position)
                if not rows or time.monotonic() >= due:
                    writer.commit()
                    self._mark(position)
                    due = time.monotonic() + _COMMIT_SECONDS
                    if step:
                        step()
            writer.wait_merging_threads()
        return True

    def _mark(self, position: int) -> None:
        state = {"version": VERSION, "library": self._library(), "position": position}
        atomic.write_json(self.folder / _STATE, state)

    def _changes(self, position: int) -> list[tuple[int, str]]:
        query = "SELECT seq, paper FROM change WHERE seq > ? ORDER BY seq LIMIT ?"
        return [(row[0], row[1]) for row in self._db().execute(query, (position, _BATCH))]

    def _documents(self, paper: str) -> list[dict[str, Any]]:
        db = self._db()
        row = db.execute(
            "SELECT title, venue, year, abstract, rowid FROM paper WHERE id = ?", (paper,)
        ).fetchone()
        if row is None:
            return []
        authors = db.execute("SELECT name FROM author WHERE paper = ? ORDER BY position", (paper,))
        tags = db.execute("SELECT name FROM tag WHERE paper = ?", (paper,))
        record: dict[str, Any] = {
            "paper": paper,
            "number": row["rowid"],
            "title": row["title"],
            "authors": [" , ".join(name for (name,) in authors)],
            "venue": row["venue"],
            "tags": [name for (name,) in tags],
        }
        if row["year"]:
            record["year"] = row["year"]
        documents = []
        query = "SELECT id, section, kind, text FROM passage WHERE paper = ? ORDER BY position"
        for passage, section, kind, text in db.execute(query, (paper,)):
            document = {**record, "passage": passage, "section": section, "text": text}
            if kind == "abstract":
                document["abstract"] = text
            documents.append(document)
        if not documents:
            documents = [{**record, "passage": "", "text": row["abstract"]}]
        return documents


def _is_damage(error: BaseException) -> bool:
    """Whether an exception of the index library means that its files are damaged."""
    return type(error).__name__ == "PanicException" or isinstance(error, ValueError | OSError)
