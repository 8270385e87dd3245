"""The corpus as the rest of papertune sees it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.corpus import bibliography, content, listing, problems, query, snippet, store
from tui.corpus.ingest import Ingest, Progress
from tui.corpus.listing import Sort
from tui.corpus.paths import real, stored
from tui.corpus.problems import Problem, ProblemKind
from tui.corpus.reading import Reading, unknown
from tui.corpus.saved import SavedSearch, SavedSearches
from tui.corpus.sources import intake
from tui.corpus.sources.attachments import FileFinder
from tui.corpus.sources.intake import ImportReport
from tui.corpus.works import Works
from tui.domain.paper import FileStatus, Hit, IngestReport, Paper, Passage
from tui.storage.workspace import Workspace
from tui.text import visible

# Which papers a dataset's examples come from; None for a name that is no dataset.
Members = Callable[[str], Collection[str] | None]


@dataclass(frozen=True, slots=True)
class Totals:
    """The size of the library."""

    papers: int
    passages: int
    pages: int


class Corpus(Reading):
    """A workspace's papers: added, listed, searched, tagged. Sync; safe in several threads."""

    def __init__(self, workspace: Workspace, members: Members | None = None) -> None:
        super().__init__(workspace)
        self._members = members or (lambda _: None)
        self._works = Works(workspace)
        self._saved = SavedSearches(workspace)
        self._kinds: tuple[object, dict[str, set[ProblemKind]]] = (None, {})

    def add(
        self,
        paths: Sequence[Path],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        paused: Callable[[], bool] | None = None,
        workers: int = 2,
    ) -> IngestReport:
        """Read what is new or changed under `paths`; may be interrupted and repeated at any point.

        `cancelled` and `paused` are asked between files; what is being read is finished first.
        Raises UsageError when a path does not exist.
        """
        run = Ingest(
            self._workspace,
            self._index,
            on_progress=on_progress,
            cancelled=cancelled,
            paused=paused,
            workers=workers,
        )
        return run.run(list(paths))

    def papers(
        self,
        query_text: str = "",
        *,
        sort: Sort = "",
        descending: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Paper]:
        """Papers without their sections and references.

        Without a `sort` the newest come first, or the best match. Raises UsageError for an
        unknown order.
        """
        end = None if limit is None else offset + limit
        if query_text.strip() and not sort:
            return store.papers(self._db(), self._matching(query_text, end)[offset:end])
        if sort:
            ids = self.ids(query_text, sort=sort, descending=descending)[offset:end]
            return store.papers(self._db(), ids)
        rows = self._db().execute(
            "SELECT id FROM paper ORDER BY year DESC, title, id LIMIT ? OFFSET ?",
            (-1 if limit is None else limit, offset),
        )
        return store.papers(self._db(), [row[0] for row in rows.fetchall()])

    def ids(self, query_text: str = "", *, sort: Sort = "", descending: bool = False) -> list[str]:
        """The ids that `papers` would list, in its order: what a long list is paged by."""
        found = self._matching(query_text) if query_text.strip() else None
        if sort:
            return listing.ordered(self._db(), found, sort, descending=descending)
        if found is not None:
            return found
        rows = self._db().execute("SELECT id FROM paper ORDER BY year DESC, title, id")
        return [row[0] for row in rows]

    def by_ids(self, ids: Sequence[str]) -> list[Paper]:
        """Papers as `papers` gives them, in the order of `ids`; unknown ones are left out."""
        return store.papers(self._db(), ids)

    def count(self, query_text: str = "") -> int:
        """How many papers `papers` would list."""
        if query_text.strip():
            return len(self._matching(query_text))
        return int(self._db().execute("SELECT count(*) FROM paper").fetchone()[0])

    def facets(self, query_text: str = "") -> dict[str, list[tuple[str, int]]]:
        """How many of the papers that match have each `year`, `author`, `tag`, `venue`, `problem`.

        Most frequent first, years from the newest; at most `listing.MOST_VALUES` of each.
        """
        found = self._matching(query_text) if query_text.strip() else None
        return listing.facets(self._db(), found, self._problem_kinds())

    def _matching(self, query_text: str, most: int | None = None) -> list[str]:
        """All papers that match, the best first; only the first ones where `most` are enough."""
        parsed = query.parse(query_text)
        only, without, _ = self._sets(parsed)
        if parsed.empty:
            if only is None and not without:
                return []
            everything = listing.ordered(self._db(), None, "year", descending=True)
            return [p for p in everything if (only is None or p in only) and p not in without]
        self._index.update()
        return self._index.papers(parsed, papers=only, without=without, most=most)

    def _sets(self, parsed: query.Query) -> tuple[set[str] | None, set[str], list[str]]:
        """What `in:` and `problem:` mean: papers to keep to, papers to leave out, notes."""
        only: set[str] | None = None
        without: set[str] = set()
        notes: list[str] = []
        for wanted in parsed.sets:
            found = self._members(wanted.name) if wanted.field == "in" else self._with(wanted.name)
            if found is None:
                notes.append(_no_set(wanted))
            elif wanted.negative:
                without.update(found)
            else:
                only = set(found) if only is None else only & set(found)
        return only, without, notes

    def _with(self, kind: str) -> set[str] | None:
        if kind not in set(ProblemKind):
            return None
        return {paper for paper, kinds in self._problem_kinds().items() if kind in kinds}

    def _problem_kinds(self) -> dict[str, set[ProblemKind]]:
        """Kinds of problems by paper, found anew when the library changed."""
        state = tuple(
            self._db().execute(
                "SELECT (SELECT max(seq) FROM change), count(*), sum(status = ?) FROM file "
                "WHERE status IN (?, ?, ?)",
                (FileStatus.MISSING, FileStatus.FAILED, FileStatus.PARTLY, FileStatus.MISSING),
            ).fetchone()
        )  # fmt: skip
        if self._kinds[0] != state:
            self._kinds = (state, problems.kinds_of_papers(self._db()))
        return self._kinds[1]

    def search(
        self, text: str, *, limit: int = 20, papers: Collection[str] | None = None
    ) -> list[Hit]:
        """The best passages for a query or a question, optionally among `papers` only.

        Never raises on a bad query: see `explain`.
        """
        parsed = query.parse(text)
        only, without, _ = self._sets(parsed)
        if papers is not None:
            only = set(papers) if only is None else only & set(papers)
        if parsed.empty and only is None and not without:
            return []
        self._index.update()
        found = self._index.search(parsed, limit, only, without)
        db = self._db()
        titles = {p.id: p for p in store.papers(db, list({paper for _, paper, _ in found.hits}))}
        wanted = [passage for _, _, passage in found.hits if passage]
        passages: dict[str, Passage] = {}
        for batch in store.chunks(wanted):
            marks = ",".join("?" * len(batch))
            passages.update((p.id, p) for p in content.passages(db, f"id IN ({marks})", batch))
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
        parsed = query.parse(text)
        return " ".join([*parsed.notes, *self._sets(parsed)[2]])

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
        """Files that were refused, read in part, scanned, garbled or are gone; papers without a
        title or that may be one work with others. Each says what to do."""
        return problems.problems(self._db())

    def merge(self, ids: Sequence[str]) -> Paper:
        """Make one work of several; the first id stays, `undo` takes it back.

        Raises NotFoundError, and UsageError for fewer than two.
        """
        self._known(self._db(), ids)
        kept = self._works.merge(ids)
        self._index.update()
        return self.paper(kept)

    def split(self, paper: str, files: Sequence[Path | str]) -> Paper:
        """Make a new work of some of a paper's files; they stay apart, `undo` takes it back.

        Raises NotFoundError, and UsageError for files that cannot be split off.
        """
        self._known(self._db(), [paper])
        made = self._works.split(paper, [stored(path) for path in files])
        # Only the best file's text was kept: the other work's is read now, where it can be.
        wanting = [p for work in (paper, made) for p in self.files(work) if self._wanting(p)]
        if wanting:
            self.add(wanting)
        self._index.update()
        return self.paper(made)

    def _wanting(self, path: Path) -> bool:
        row = self._db().execute("SELECT mtime_ns FROM file WHERE path = ?", (stored(path),))
        return bool(path.is_file() and row.fetchone()[0] == -1)

    def undo(self) -> str:
        """Take back the last merge or split; says what it was, "" when there is none.

        Raises ConflictError when a work of it was removed since.
        """
        done = self._works.undo()
        self._index.update()
        return done

    def steps(self) -> list[str]:
        """The merges and splits that can be taken back, the last one first."""
        return self._works.steps()

    def saved(self) -> list[SavedSearch]:
        """The workspace's saved searches, by name."""
        return self._saved.all()

    def save(self, name: str, query_text: str) -> SavedSearch:
        """Keep a search under a name. Raises UsageError when either is empty."""
        return self._saved.save(name, query_text)

    def forget(self, name: str) -> None:
        """Forget a saved search. Raises NotFoundError."""
        self._saved.forget(name)

    def import_file(self, path: Path, finder: FileFinder | None = None) -> ImportReport:
        """Make a paper of each entry of a BibTeX, CSL JSON or Better BibTeX JSON file that none
        exists for, and read the files that entries name, where `finder` finds them.

        Broken entries are reported one by one. Raises UsageError when the file cannot be read.
        """
        finder = finder or FileFinder(path.expanduser().absolute().parent)
        report = intake.import_file(self._workspace, path, finder, self.add)
        self._index.update()
        return report

    def import_bibtex(self, path: Path) -> ImportReport:
        """`import_file` with the files that lie where the file says."""
        return self.import_file(path)

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

    @staticmethod
    def _known(db: sqlite3.Connection, ids: Sequence[str]) -> list[str]:
        for paper in ids:
            if db.execute("SELECT 1 FROM paper WHERE id = ?", (paper,)).fetchone() is None:
                raise unknown(paper)
        return list(ids)


def _tags(names: Iterable[str]) -> list[str]:
    return [tag for tag in (" ".join(visible(name).split())[:80] for name in names) if tag]


def _no_set(wanted: query.PaperSet) -> str:
    if wanted.field == "in":
        return f"There is no dataset '{visible(wanted.name)}'; in: is left out."
    kinds = ", ".join(ProblemKind)
    return f"problem:{visible(wanted.name)} is left out; problems are: {kinds}."
