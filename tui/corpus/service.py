"""The corpus as the rest of papertune sees it."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tui.corpus import bibliography, query, quotes, snippet, store
from tui.corpus.assemble import page_at
from tui.corpus.identity import find_arxiv, find_doi, title_key
from tui.corpus.index import SearchIndex
from tui.corpus.ingest import Ingest, Progress
from tui.corpus.paths import real, stored
from tui.domain.errors import NotFoundError
from tui.domain.paper import FileStatus, Hit, IngestReport, Paper, Passage
from tui.storage.workspace import Workspace
from tui.text import visible

_TEXTS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Totals:
    """The size of the library."""

    papers: int
    passages: int
    pages: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be read, or not wholly; `reason` is in the user's words."""

    path: str
    status: FileStatus
    reason: str


class Corpus:
    """A workspace's papers: added, listed, searched, tagged. Sync; safe in several threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._index = SearchIndex(workspace)
        self._texts: OrderedDict[str, tuple[str, str, list[tuple[int, int]]]] = OrderedDict()

    def add(
        self,
        paths: Sequence[Path],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        workers: int = 2,
    ) -> IngestReport:
        """Read what is new or changed under `paths`; may be interrupted and repeated at any point.

        Raises UsageError when a path does not exist.
        """
        run = Ingest(
            self._workspace,
            self._index,
            on_progress=on_progress,
            cancelled=cancelled,
            workers=workers,
        )
        return run.run(list(paths))

    def papers(
        self, query_text: str = "", *, limit: int | None = None, offset: int = 0
    ) -> list[Paper]:
        """Papers without their sections and references: newest first, or best match first."""
        if query_text.strip():
            ids = self._matching(query_text)
            return store.papers(self._db(), ids[offset : None if limit is None else offset + limit])
        rows = self._db().execute(
            "SELECT id FROM paper ORDER BY year DESC, title, id LIMIT ? OFFSET ?",
            (-1 if limit is None else limit, offset),
        )
        return store.papers(self._db(), [row[0] for row in rows.fetchall()])

    def count(self, query_text: str = "") -> int:
        """How many papers `papers` would list."""
        if query_text.strip():
            return len(self._matching(query_text))
        return self.totals().papers

    def _matching(self, query_text: str) -> list[str]:
        parsed = query.parse(query_text)
        self._index.update()
        return [] if parsed.empty else self._index.papers(parsed)

    def paper(self, paper_id: str) -> Paper:
        """A paper with its sections and references. Raises NotFoundError."""
        found = store.papers(self._db(), [paper_id])
        if not found:
            raise _unknown(paper_id)
        rows = self._db().execute(
            "SELECT text FROM reference WHERE paper = ? ORDER BY position", (paper_id,)
        )
        return replace(
            found[0],
            sections=store.sections(self._db(), paper_id),
            references=tuple(row[0] for row in rows),
        )

    def resolve(self, name: str) -> Paper:
        """The paper of an id, DOI, arXiv identifier, exact title, path or file name.

        Raises NotFoundError, also when several papers answer to a title or file name.
        """
        db = self._db()
        text = name.strip()
        found: list[str] = []
        for sql, value in (
            ("SELECT id FROM paper WHERE id = ?", text),
            ("SELECT id FROM paper WHERE doi = ?", find_doi(text)),
            ("SELECT id FROM paper WHERE arxiv = ?", find_arxiv(text)),
            ("SELECT id FROM paper WHERE title_key = ?", title_key(text)),
            ("SELECT id FROM paper WHERE id = ? COLLATE NOCASE", text),
            ("SELECT paper FROM file WHERE path = ? AND paper IS NOT NULL", _absolute(text)),
        ):
            if value:
                found = [row[0] for row in db.execute(sql, (value,))]
                if found:
                    break
        if not found and text:
            found = self._by_file_name(text)
        if len(found) == 1:
            return self.paper(found[0])
        if found:
            raise NotFoundError(
                f"'{visible(name)}' names {len(found)} papers: {', '.join(sorted(found)[:5])}.",
                "Use one of these ids.",
            )
        raise _unknown(name)

    def _by_file_name(self, name: str) -> list[str]:
        pattern = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = self._db().execute(
            "SELECT DISTINCT paper, path FROM file WHERE paper IS NOT NULL AND "
            "(path LIKE ? ESCAPE '\\' OR path LIKE ? ESCAPE '\\')",
            (f"%/{pattern}", f"%/{pattern}.%"),
        )
        return list(dict.fromkeys(
            row[0] for row in rows if Path(row[1]).name == name or Path(row[1]).stem == name
        ))  # fmt: skip

    def text(self, paper_id: str) -> str:
        """A paper's whole normalised text, which all offsets count in. Raises NotFoundError."""
        return self._text(paper_id)[0]

    def passages(self, paper_id: str) -> list[Passage]:
        """A paper's passages in order; none for an unknown paper."""
        return store.passages(self._db(), "paper = ? ORDER BY position", [paper_id])

    def passage(self, passage_id: str) -> Passage:
        """One passage. Raises NotFoundError."""
        found = store.passages(self._db(), "id = ?", [passage_id])
        if not found:
            raise NotFoundError(
                f"There is no passage '{visible(passage_id)}'.",
                "Its paper may have been read anew.",
            )
        return found[0]

    def find_quote(self, quote: str, paper: str | None = None) -> Passage | None:
        """The passage where `quote` stands word for word (see `quotes`), in `paper` or anywhere.

        Its `page` is the quote's own, which may be the one after the passage's first. A quote that
        runs over a passage's end is found in the passage that it begins in.
        """
        candidates = [paper] if paper else self._papers_with(quote)
        for candidate in candidates:
            try:
                text, starts = self._text(candidate)
            except NotFoundError:
                continue
            place = quotes.find(quote, text)
            if place is None:
                continue
            found = store.passages(
                self._db(), 'paper = ? AND "end" > ? ORDER BY position LIMIT 1',
                [candidate, place[0]],  # type: ignore[list-item]
            )  # fmt: skip
            if found and found[0].start <= place[0]:
                return replace(found[0], page=page_at(starts, place[0]))
        return None

    def _papers_with(self, quote: str) -> list[str]:
        words = query.words(quote)[:32]
        if not words:
            return []
        self._index.update()
        phrase = query.Query((query.Term(tuple(words), phrase=len(words) > 1),))
        return self._index.papers(phrase, ranked=200)

    def _text(self, paper_id: str) -> tuple[str, list[tuple[int, int]]]:
        row = (
            self._db().execute("SELECT text_sha256 FROM paper WHERE id = ?", (paper_id,)).fetchone()
        )
        if row is None:
            raise _unknown(paper_id)
        kept = self._texts.get(paper_id)
        if kept is None or kept[0] != row[0]:
            text, starts = (
                self._db()
                .execute("SELECT text, page_starts FROM paper WHERE id = ?", (paper_id,))
                .fetchone()
            )
            kept = (row[0], text, [(start, page) for start, page in json.loads(starts)])
            self._texts[paper_id] = kept
            while len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return kept[1], kept[2]

    def search(
        self, text: str, *, limit: int = 20, papers: Collection[str] | None = None
    ) -> list[Hit]:
        """The best passages for a query or a question, optionally among `papers` only.

        Never raises on a bad query: see `explain`.
        """
        parsed = query.parse(text)
        self._index.update()
        found = self._index.search(parsed, limit, papers)
        db = self._db()
        titles = {p.id: p for p in store.papers(db, list({paper for _, paper, _ in found.hits}))}
        wanted = [passage for _, _, passage in found.hits if passage]
        passages: dict[str, Passage] = {}
        for batch in store.chunks(wanted):
            marks = ",".join("?" * len(batch))
            passages.update((p.id, p) for p in store.passages(db, f"id IN ({marks})", batch))
        hits = []
        for score, paper_id, passage_id in found.hits:
            paper = titles.get(paper_id)
            passage = passages.get(passage_id)
            if paper is None or (passage_id and passage is None):
                continue  # removed since it was indexed
            source = passage.text if passage else paper.abstract or paper.title
            cut, spans, _ = snippet.snippet(source, found.words, found.prefixes)
            hits.append(
                Hit(paper.id, paper.title, paper.year, passage_id,
                    passage.section if passage else "", passage.page if passage else 0,
                    cut, round(score, 4), spans)
            )  # fmt: skip
        return hits

    def explain(self, text: str) -> str:
        """What of a query could not be taken as written; empty when all is fine."""
        return " ".join(query.parse(text).notes)

    def tag(self, ids: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Add and remove tags; all papers or none. Raises NotFoundError."""
        ids, add, remove = list(ids), _tags(add), _tags(remove)
        with self._workspace.transaction() as db:
            for paper in self._known(db, ids):
                db.executemany(
                    "INSERT OR IGNORE INTO tag (paper, name) VALUES (?,?)",
                    [(paper, name) for name in add],
                )
                db.executemany(
                    "DELETE FROM tag WHERE paper = ? AND name = ?",
                    [(paper, name) for name in remove],
                )
                store.touch(db, paper)
        self._index.update()

    def set_private(self, ids: Iterable[str], private: bool) -> None:
        """Mark papers private or not. Raises NotFoundError."""
        with self._workspace.transaction() as db:
            for paper in self._known(db, list(ids)):
                db.execute("UPDATE paper SET private = ? WHERE id = ?", (int(private), paper))

    def set_private_tag(self, tag: str, private: bool) -> None:
        """Mark a tag, and so every paper that has it now or later, private or not."""
        statement = (
            "INSERT OR IGNORE INTO private_tag (name) VALUES (?)"
            if private
            else "DELETE FROM private_tag WHERE name = ?"
        )
        with self._workspace.transaction() as db:
            db.execute(statement, (tag,))

    def private(self, ids: Iterable[str]) -> frozenset[str]:
        """The private ones among `ids`, by their own mark or by a private tag."""
        found: set[str] = set()
        for batch in store.chunks(ids):
            marks = ",".join("?" * len(batch))
            rows = self._db().execute(
                f"SELECT id FROM paper WHERE private AND id IN ({marks}) UNION "
                "SELECT paper FROM tag JOIN private_tag USING (name) "
                f"WHERE paper IN ({marks})",
                [*batch, *batch],
            )
            found.update(row[0] for row in rows)
        return frozenset(found)

    def remove(self, ids: Iterable[str]) -> None:
        """Forget papers; their files stay where they are and can be added again."""
        with self._workspace.transaction() as db:
            store.remove(db, self._known(db, list(ids)))
        self._index.update()

    def totals(self) -> Totals:
        """The size of the library."""
        db = self._db()
        papers, pages = db.execute("SELECT count(*), coalesce(sum(pages), 0) FROM paper").fetchone()
        return Totals(papers, db.execute("SELECT count(*) FROM passage").fetchone()[0], pages)

    def problems(self) -> list[Problem]:
        """Files that were refused, read in part, or are gone."""
        rows = self._db().execute(
            "SELECT path, status, reason FROM file WHERE status IN (?, ?, ?) ORDER BY path",
            (FileStatus.FAILED, FileStatus.PARTLY, FileStatus.MISSING),
        )
        return [
            Problem(visible(row[0]), FileStatus(row[1]), row[2] or "the file is gone")
            for row in rows
        ]

    def import_bibtex(self, path: Path) -> bibliography.ImportReport:
        """Make a paper of each entry that none exists for; broken entries are reported one by one.

        Raises UsageError when the file cannot be read.
        """
        report = bibliography.import_file(self._workspace, path)
        self._index.update()
        return report

    def export_bibtex(self, ids: Sequence[str] | None = None) -> str:
        """BibTeX of some or all papers, keyed by their ids. Raises NotFoundError."""
        if ids is None:
            return bibliography.export(self.papers())
        return bibliography.export([self.paper(paper) for paper in ids])

    def files(self, paper_id: str) -> list[Path]:
        """A paper's files that can be opened now."""
        rows = self._db().execute(
            "SELECT path FROM file WHERE paper = ? AND status != ? ORDER BY path",
            (paper_id, FileStatus.MISSING),
        )
        return [Path(real(row[0])) for row in rows]

    def reindex(self) -> bool:
        """Make the search index anew; false while another process is writing it."""
        return self._index.rebuild()

    def _db(self) -> sqlite3.Connection:
        return self._workspace.connection()

    @staticmethod
    def _known(db: sqlite3.Connection, ids: Sequence[str]) -> list[str]:
        for paper in ids:
            if db.execute("SELECT 1 FROM paper WHERE id = ?", (paper,)).fetchone() is None:
                raise _unknown(paper)
        return list(ids)


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"There is no paper '{visible(name)}'.", "See the ids with: papertune corpus list"
    )


def _absolute(text: str) -> str:
    return stored(Path(text).expanduser().absolute()) if "\0" not in text else ""


def _tags(names: Iterable[str]) -> list[str]:
    return [tag for tag in (" ".join(visible(name).split())[:80] for name in names) if tag]
