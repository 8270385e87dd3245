"""The text of a work in the database: whose file gives it, its sections and passages."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

from tui.corpus.document import Extracted
from tui.domain.paper import FileKind, FileStatus, Passage, Section, SectionKind

_READ = (FileStatus.READ, FileStatus.PARTLY)
# Whose text is shown: a PDF has pages, which is what a citation is checked by.
_TEXT = {"pdf": 4, "latex": 3, "markdown": 2, "text": 1}


def gives_text(
    db: sqlite3.Connection, paper: str, path: str, kind: FileKind, status: FileStatus
) -> bool:
    """Whether a file that was read is the one whose text is the work's."""
    current = db.execute(
        "SELECT text_file, kind, status FROM paper LEFT JOIN file ON file.path = text_file "
        "WHERE id = ?",
        (paper,),
    ).fetchone()
    if not current[0] or current[0] == path or current[2] not in _READ:
        return True

    def rank(kind: str, status: str) -> tuple[bool, int]:
        return status == FileStatus.READ, _TEXT.get(kind, 0)

    return rank(kind, status) > rank(current[1], current[2])


def put(db: sqlite3.Connection, paper: str, path: str, extracted: Extracted) -> None:
    """Make a file's text the work's."""
    text = extracted.text
    db.execute(
        "UPDATE paper SET text = ?, text_sha256 = ?, text_file = ?, page_starts = ?, pages = ? "
        "WHERE id = ?",
        (text, hashlib.sha256(text.encode()).hexdigest(), path,
         json.dumps(extracted.page_starts), extracted.pages, paper),
    )  # fmt: skip
    for table in ("section", "reference", "passage"):
        db.execute(f"DELETE FROM {table} WHERE paper = ?", (paper,))
    db.executemany(
        "INSERT INTO section VALUES (?,?,?,?,?,?,?,?)",
        ((paper, n, s.path, s.level, s.kind, s.page, s.start, s.end)
         for n, s in enumerate(extracted.sections)),
    )  # fmt: skip
    db.executemany(
        "INSERT INTO reference VALUES (?,?,?)",
        ((paper, n, entry) for n, entry in enumerate(extracted.references)),
    )
    db.executemany(
        "INSERT INTO passage VALUES (?,?,?,?,?,?,?,?,?)",
        ((f"{paper}#{n}", paper, n, s.section, s.kind, s.page, s.start, s.end,
          text[s.start : s.end]) for n, s in enumerate(extracted.spans)),
    )  # fmt: skip


def move(db: sqlite3.Connection, source: str, target: str) -> None:
    """Make one work's text another's, which has none."""
    db.execute(
        "UPDATE paper SET (text, text_sha256, text_file, page_starts, pages) = "
        "(SELECT text, text_sha256, text_file, page_starts, pages FROM paper WHERE id = ?) "
        "WHERE id = ?",
        (source, target),
    )
    for table in ("section", "reference"):
        db.execute(f"UPDATE {table} SET paper = ? WHERE paper = ?", (target, source))
    db.execute(
        "UPDATE passage SET paper = ?, id = ? || '#' || position WHERE paper = ?",
        (target, target, source),
    )
    db.execute(
        "UPDATE paper SET text = '', text_sha256 = '', text_file = '', page_starts = '[]', "
        "pages = 0 WHERE id = ?",
        (source,),
    )


def has(db: sqlite3.Connection, paper: str) -> bool:
    """Whether a work has text."""
    row = db.execute("SELECT text_file FROM paper WHERE id = ?", (paper,)).fetchone()
    return bool(row and row[0])


def want(db: sqlite3.Connection, paper: str) -> str:
    """Have the next import read the best file of a work without text; returns its stored path."""
    rows = db.execute(
        "SELECT path, kind, status FROM file WHERE paper = ? AND status IN (?, ?)", (paper, *_READ)
    ).fetchall()
    best = max(rows, key=lambda r: (r[2] == FileStatus.READ, _TEXT.get(r[1], 0)), default=None)
    if best is None or has(db, paper):
        return ""
    reread(db, best[0])
    return str(best[0])


def reread(db: sqlite3.Connection, path: str) -> None:
    """Have the next import read a file whatever its time says."""
    db.execute("UPDATE file SET mtime_ns = -1, sha256 = '' WHERE path = ?", (path,))


def sections(db: sqlite3.Connection, paper: str) -> tuple[Section, ...]:
    """A paper's sections in order."""
    query = (
        'SELECT path, start, "end", page, level, kind FROM section WHERE paper = ? '
        "ORDER BY position"
    )
    return tuple(
        Section(row[0], row[1], row[2], row[3], row[4], SectionKind(row[5]))
        for row in db.execute(query, (paper,))
    )


_PASSAGE = 'SELECT id, paper, position, text, start, "end", page, section, kind FROM passage'


def passages(db: sqlite3.Connection, where: str, values: Sequence[str]) -> list[Passage]:
    """Passages by a condition on their table."""
    query = f"{_PASSAGE} WHERE {where}"
    return [
        Passage(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], SectionKind(row[8]))
        for row in db.execute(query, values)
    ]
