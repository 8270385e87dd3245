"""The library in SQLite: works, their files and records. Every write is one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import msgspec

from tui.corpus import content
from tui.corpus.assemble import one_line
from tui.corpus.document import Entry, Extracted, Metadata
from tui.corpus.identity import citation_key, same_work, title_key
from tui.corpus.paths import real
from tui.domain.paper import FileKind, FileStatus, Paper

_READ = (FileStatus.READ, FileStatus.PARTLY)
# Whose word counts first: a bibliography states, LaTeX and front matter say, a PDF is guessed at.
_WORD = {"bibtex": 4, "latex": 3, "markdown": 3, "text": 2, "pdf": 1}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as the database knows it."""

    path: str
    kind: FileKind
    size: int
    mtime_ns: int
    sha256: str = ""
    status: FileStatus = FileStatus.READ
    reason: str = ""
    paper: str | None = None
    main: str = ""


def chunks(values: Iterable[str], size: int = 500) -> Iterator[list[str]]:
    """Values in lists that fit SQLite's limit of variables."""
    batch: list[str] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def file_rows(db: sqlite3.Connection) -> dict[str, FileRow]:
    """Every file ever named to `add`, by its stored path."""
    query = "SELECT path, kind, size, mtime_ns, sha256, status, reason, paper, main FROM file"
    return {
        row[0]: FileRow(
            row[0], FileKind(row[1]), row[2], row[3], row[4], FileStatus(row[5]), *row[6:]
        )
        for row in db.execute(query)
    }


def put_file(db: sqlite3.Connection, row: FileRow, *, pages: int = 0, metadata: str = "{}") -> None:
    """Insert or replace a file's row."""
    db.execute(
        "INSERT INTO file (path, paper, kind, size, mtime_ns, sha256, status, reason, pages, "
        "metadata, main, seen_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT (path) DO UPDATE SET "
        "paper=excluded.paper, kind=excluded.kind, size=excluded.size, mtime_ns=excluded.mtime_ns, "
        "sha256=excluded.sha256, status=excluded.status, reason=excluded.reason, "
        "pages=excluded.pages, metadata=excluded.metadata, main=excluded.main, "
        "seen_at=excluded.seen_at",
        (row.path, row.paper, row.kind, row.size, row.mtime_ns, row.sha256, row.status, row.reason,
         pages, metadata, row.main, time.time()),
    )  # fmt: skip


def touch(db: sqlite3.Connection, paper: str) -> None:
    """Note that a paper changed; search indexes follow this sequence."""
    db.execute("INSERT OR REPLACE INTO change (paper) VALUES (?)", (paper,))


def match(db: sqlite3.Connection, metadata: Metadata) -> str | None:
    """The work that a record is of: by DOI, by arXiv identifier, by title and first author.

    What was merged into a work leads to it too. Of works that were split, the oldest is taken.
    """
    for column, value in (("doi", metadata.doi), ("arxiv", metadata.arxiv)):
        if not value:
            continue
        for query in (
            f"SELECT id FROM paper WHERE {column} = ? ORDER BY added_at LIMIT 1",
            f"SELECT paper FROM said WHERE {column} = ? LIMIT 1",
        ):
            if row := db.execute(query, (value,)).fetchone():
                return str(row[0])
    if metadata.title and (key := title_key(metadata.title)):
        query = "SELECT id, title FROM paper WHERE title_key = ? ORDER BY added_at"
        for row in db.execute(query, (key,)).fetchall():
            if same_work(metadata.title, metadata.authors, row[1], authors_of(db, row[0])):
                return str(row[0])
        query = "SELECT paper, metadata FROM said WHERE title_key = ?"
        for row in db.execute(query, (key,)).fetchall():
            told = _decode(row[1])
            if same_work(metadata.title, metadata.authors, told.title, told.authors):
                return str(row[0])
    return None


def authors_of(db: sqlite3.Connection, paper: str) -> tuple[str, ...]:
    """A paper's authors in order."""
    query = "SELECT name FROM author WHERE paper = ? ORDER BY position"
    return tuple(row[0] for row in db.execute(query, (paper,)))


def new_paper(db: sqlite3.Connection, metadata: Metadata, name: str) -> str:
    """Make a work's row; its id is given here, once. `name` stands in for a missing title."""
    title = metadata.title or name
    paper = citation_key(
        title,
        metadata.authors,
        metadata.year,
        lambda key: db.execute("SELECT 1 FROM paper WHERE id = ?", (key,)).fetchone() is not None,
    )
    db.execute(
        "INSERT INTO paper (id, title, title_key, added_at) VALUES (?,?,?,?)",
        (paper, title, title_key(metadata.title), time.time()),
    )
    return paper


def put_read(db: sqlite3.Connection, row: FileRow, extracted: Extracted) -> str:
    """Record a file that was read, with the work it is of; returns the paper's id."""
    metadata = extracted.metadata
    paper = _kept_paper(db, row, metadata) or match(db, metadata)
    paper = paper or new_paper(db, metadata, file_title(row.path))
    encoded = msgspec.json.encode(metadata).decode()
    put_file(
        db,
        FileRow(row.path, row.kind, row.size, row.mtime_ns, row.sha256, extracted.status,
                extracted.reason, paper),
        pages=extracted.pages,
        metadata=encoded,
    )  # fmt: skip
    db.execute("UPDATE file SET main = '' WHERE main = ?", (row.path,))
    for batch in chunks(extracted.parts):
        db.execute(f"UPDATE file SET main = ? WHERE path IN ({_marks(batch)})", (row.path, *batch))
    for tag in metadata.tags:
        db.execute("INSERT OR IGNORE INTO tag (paper, name) VALUES (?,?)", (paper, tag))
    if content.gives_text(db, paper, row.path, row.kind, extracted.status):
        content.put(db, paper, row.path, extracted)
    refresh(db, paper)
    return paper


def placed(db: sqlite3.Connection, path: str) -> str | None:
    """The work that a file was put with by hand or by a library, if any."""
    row = db.execute("SELECT paper FROM placed WHERE path = ?", (path,)).fetchone()
    return str(row[0]) if row else None


def place(db: sqlite3.Connection, path: str, paper: str) -> None:
    """Put a file with a work, also before it is read."""
    db.execute("INSERT OR REPLACE INTO placed (path, paper) VALUES (?,?)", (path, paper))


def _kept_paper(db: sqlite3.Connection, row: FileRow, metadata: Metadata) -> str | None:
    """The work a file stays with: where it was put, or its own unless it now names another."""
    if home := placed(db, row.path):
        return home
    if not row.paper:
        return None
    others = db.execute(
        "SELECT count(*) FROM file WHERE paper = ? AND path != ? AND status != ?",
        (row.paper, row.path, FileStatus.MISSING),
    ).fetchone()[0]
    elsewhere = match(db, metadata)
    if others and elsewhere != row.paper and (metadata.title or metadata.doi):
        return elsewhere
    return row.paper


def put_record(db: sqlite3.Connection, metadata: Metadata) -> str:
    """Make a work that has no file yet, from a bibliography's entry."""
    paper = new_paper(db, metadata, "untitled")
    _put_record(db, paper, metadata.title, metadata)
    for tag in metadata.tags:
        db.execute("INSERT OR IGNORE INTO tag (paper, name) VALUES (?,?)", (paper, tag))
    touch(db, paper)
    return paper


def _put_record(db: sqlite3.Connection, paper: str, title: str, record: Metadata) -> None:
    db.execute(
        "UPDATE paper SET title = ?, title_key = ?, year = ?, venue = ?, doi = ?, arxiv = ?, "
        "abstract = ? WHERE id = ?",
        (title, title_key(record.title), record.year, record.venue, record.doi,
         record.arxiv, record.abstract, paper),
    )  # fmt: skip
    db.execute("DELETE FROM author WHERE paper = ?", (paper,))
    db.executemany(
        "INSERT INTO author VALUES (?,?,?)",
        ((paper, n, author) for n, author in enumerate(record.authors)),
    )


def own_record(db: sqlite3.Connection, paper: str) -> Metadata:
    """What the library says of a work now, without a title that only its file's name gave."""
    row = db.execute(
        "SELECT iif(title_key = '', '', title), year, venue, doi, arxiv, abstract FROM paper "
        "WHERE id = ?",
        (paper,),
    ).fetchone()
    return Metadata(row[0], authors_of(db, paper), *row[1:])


def refresh(db: sqlite3.Connection, paper: str) -> None:
    """Make a paper's record anew from all that its files and bibliographies say."""
    said: list[tuple[int, Metadata]] = []
    name = ""
    rows = db.execute(
        "SELECT path, kind, metadata, status FROM file WHERE paper = ? ORDER BY path", (paper,)
    ).fetchall()
    for path, kind, encoded, status in rows:
        present = status in _READ
        said.append((_WORD.get(kind, 0) * 2 + present, _decode(encoded)))
        name = name or file_title(path)
    said.sort(key=lambda item: -item[0])
    record = _merged([metadata for _, metadata in said]) if said else own_record(db, paper)
    entries = _entries(db, record)
    leads, fills = _said(db, paper)
    if entries or leads or fills:
        record = _merged([*leads, *entries, record, *fills])
    _put_record(db, paper, record.title or name or "untitled", record)
    touch(db, paper)


def put_said(
    db: sqlite3.Connection, paper: str, source: str, metadata: Metadata, *, leads: bool
) -> None:
    """Record what else is known of a work; `refresh` makes use of it."""
    db.execute(
        "INSERT OR REPLACE INTO said VALUES (?,?,?,?,?,?,?)",
        (paper, source, msgspec.json.encode(metadata).decode(), metadata.doi, metadata.arxiv,
         title_key(metadata.title), int(leads)),
    )  # fmt: skip


def _said(db: sqlite3.Connection, paper: str) -> tuple[list[Metadata], list[Metadata]]:
    """What counts before the files' own word, and what only fills its gaps."""
    rows = db.execute(
        "SELECT leads, metadata FROM said WHERE paper = ? ORDER BY source", (paper,)
    ).fetchall()
    return (
        [_decode(row[1]) for row in rows if row[0]],
        [_decode(row[1]) for row in rows if not row[0]],
    )


def said_of(db: sqlite3.Connection, paper: str) -> list[tuple[str, Metadata]]:
    """The other records of a work, each with its source."""
    query = "SELECT source, metadata FROM said WHERE paper = ? ORDER BY source"
    return [(row[0], _decode(row[1])) for row in db.execute(query, (paper,)).fetchall()]


def said_by_file(db: sqlite3.Connection, path: str) -> Metadata:
    """What one file says of its work."""
    row = db.execute("SELECT metadata FROM file WHERE path = ?", (path,)).fetchone()
    return _decode(row[0]) if row else Metadata()


def _decode(encoded: str) -> Metadata:
    return msgspec.json.decode(encoded, type=Metadata)


def _merged(said: Sequence[Metadata]) -> Metadata:
    """The first word on each field."""

    def first(field: str) -> object:
        return next((value for m in said if (value := getattr(m, field))), None)

    return Metadata(
        title=str(first("title") or ""),
        authors=first("authors") or (),  # type: ignore[arg-type]
        year=first("year"),  # type: ignore[arg-type]
        venue=str(first("venue") or ""),
        doi=str(first("doi") or ""),
        arxiv=str(first("arxiv") or ""),
        abstract=str(first("abstract") or ""),
    )


def _entries(db: sqlite3.Connection, record: Metadata) -> list[Metadata]:
    """What bibliographies say of the work with this record."""
    found: list[Metadata] = []
    for column, value in (
        ("doi", record.doi),
        ("arxiv", record.arxiv),
        ("title_key", title_key(record.title)),
    ):
        if not value:
            continue
        query = (
            f"SELECT metadata FROM bib_entry WHERE {column} = ? ORDER BY file, position LIMIT 20"
        )
        for (encoded,) in db.execute(query, (value,)).fetchall():
            entry = _decode(encoded)
            same = column != "title_key" or same_work(
                record.title, record.authors, entry.title, entry.authors
            )
            if same and entry not in found:
                found.append(entry)
    return found


def put_bibliography(db: sqlite3.Connection, row: FileRow, entries: Sequence[Entry]) -> set[str]:
    """Record a bibliography's entries; returns the papers whose record they change."""
    put_file(db, row)
    db.execute("DELETE FROM bib_entry WHERE file = ?", (row.path,))
    changed = set()
    for position, entry in enumerate(entries):
        if entry.problem:
            continue
        m = entry.metadata
        db.execute(
            "INSERT INTO bib_entry VALUES (?,?,?,?,?,?)",
            (row.path, position, title_key(m.title), m.doi, m.arxiv,
             msgspec.json.encode(m).decode()),
        )  # fmt: skip
        if paper := match(db, m):
            changed.add(paper)
    for paper in sorted(changed):
        refresh(db, paper)
    return changed


def file_title(path: str) -> str:
    """A title for a work whose files name none: the file's name as words."""
    stem = PurePath(real(path)).stem.encode("utf-8", "replace").decode("utf-8")
    return one_line(stem.replace("_", " ").replace("-", " ")) or "untitled"


def remove(db: sqlite3.Connection, papers: Collection[str]) -> None:
    """Forget works and that their files were ever read."""
    for paper in papers:
        db.execute("DELETE FROM file WHERE paper = ?", (paper,))
        db.execute("DELETE FROM paper WHERE id = ?", (paper,))
        touch(db, paper)


def papers(db: sqlite3.Connection, ids: Sequence[str]) -> list[Paper]:
    """Light papers (no sections, references or text) in the order of `ids`."""
    found: dict[str, Paper] = {}
    for batch in chunks(ids):
        marks = _marks(batch)
        authors: dict[str, list[str]] = {}
        tags: dict[str, list[str]] = {}
        files: dict[str, list[str]] = {}
        for table, column, order, into in (
            ("author", "name", "position", authors),
            ("tag", "name", "name", tags),
            ("file", "path", "path", files),
        ):
            query = f"SELECT paper, {column} FROM {table} WHERE paper IN ({marks}) ORDER BY {order}"
            for paper, value in db.execute(query, batch):
                into.setdefault(paper, []).append(value)
        query = (
            "SELECT id, title, year, venue, doi, arxiv, abstract, private, pages, text_sha256 "
            f"FROM paper WHERE id IN ({marks})"
        )
        for row in db.execute(query, batch):
            key = row[0]
            found[key] = Paper(
                id=key, title=row[1], authors=tuple(authors.get(key, ())), year=row[2],
                venue=row[3], doi=row[4], arxiv=row[5], abstract=row[6],
                tags=tuple(tags.get(key, ())), private=bool(row[7]), pages=row[8],
                files=tuple(files.get(key, ())), text_sha256=row[9],
            )  # fmt: skip
    return [found[key] for key in ids if key in found]
