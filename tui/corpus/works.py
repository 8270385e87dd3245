"""Merging and splitting works by hand, each step kept so that it can be taken back."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tui.corpus import content, store
from tui.corpus.identity import same_record
from tui.corpus.paths import real
from tui.domain.errors import ConflictError, UsageError
from tui.storage.workspace import Workspace
from tui.text import visible

# How many steps can be taken back; each holds the text of the works it changed.
MOST_STEPS = 50
# A paper's row comes before all that refers to it.
_TABLES = ("paper", "author", "tag", "section", "reference", "passage", "said", "placed")
_Row = list[Any]


class _Before(msgspec.Struct):
    """The works that a step changes, as they were, and what it made of them."""

    papers: list[str]
    tables: dict[str, list[_Row]]
    # (path, content hash, work) of every file of theirs.
    files: list[tuple[str, str, str]]
    made: list[str] = []
    tags_after: dict[str, list[str]] = {}


class Works:
    """By-hand changes to which files are one work. Every step is one transaction."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def merge(self, ids: Sequence[str]) -> str:
        """Make one work of several; the first id stays. Returns it; raises UsageError.

        Files, tags and the private mark of all come together; what is known of the others fills
        what the first leaves open, and their DOIs and titles lead to it from now on.
        """
        ids = list(dict.fromkeys(ids))
        if len(ids) < 2:
            raise UsageError("One paper cannot be merged.", "Name two or more papers.")
        kept, others = ids[0], ids[1:]
        with self._workspace.transaction() as db:
            before = _snapshot(db, ids)
            for other in others:
                take_in(db, kept, other)
            _place_files(db, kept)
            store.refresh(db, kept)
            what = f"merged {', '.join(map(visible, others))} into {visible(kept)}"
            _log(db, before, [kept], what)
        return kept

    def split(self, paper: str, files: Iterable[str]) -> str:
        """Make a new work of some of a paper's files (stored paths); returns its id.

        They stay apart: a later import keeps each file where it was put. Raises UsageError when
        no file, all files, or a file of another paper is named.
        """
        chosen = list(dict.fromkeys(files))
        with self._workspace.transaction() as db:
            own = [row[0] for row in db.execute(
                "SELECT path FROM file WHERE paper = ? ORDER BY path", (paper,))]  # fmt: skip
            for path in chosen:
                if path not in own:
                    raise UsageError(
                        f"{visible(real(path))} is no file of {visible(paper)}.",
                        f"See its files with: papertune corpus show {visible(paper)}",
                    )
            if not chosen or len(chosen) == len(own):
                raise UsageError(
                    f"{visible(paper)} has {len(own)} files; name at least one and not all.",
                    "A paper of one file has nothing to split off.",
                )
            before = _snapshot(db, [paper])
            made = self._split_off(db, paper, chosen)
            what = f"split {len(chosen)} files of {visible(paper)} off as {visible(made)}"
            _log(db, before, [paper, made], what)
        return made

    @staticmethod
    def _split_off(db: Any, paper: str, chosen: Sequence[str]) -> str:
        record = store.said_by_file(db, chosen[0])
        made = store.new_paper(db, record, store.file_title(chosen[0]))
        for source, told in store.said_of(db, paper):
            # A work that was merged in goes with its file, so that its identifiers lead there.
            if same_record(record, told):
                db.execute("UPDATE said SET paper = ? WHERE source = ?", (made, source))
        if _text_file(db, paper) in chosen:
            content.move(db, paper, made)
        for path in chosen:
            db.execute("UPDATE file SET paper = ? WHERE path = ?", (made, path))
        db.execute(
            "INSERT INTO tag (paper, name) SELECT ?, name FROM tag WHERE paper = ?", (made, paper)
        )
        db.execute(
            "UPDATE paper SET private = (SELECT private FROM paper WHERE id = ?) WHERE id = ?",
            (paper, made),
        )
        for work in (made, paper):
            _place_files(db, work)
            content.want(db, work)
            store.refresh(db, work)
        return made

    def undo(self) -> str:
        """Take back the last merge or split; says what it was, "" when there is none.

        Tags given since stay; a file that changed since is read again at the next import. Raises
        ConflictError when a work of that step was removed since; the step is then forgotten.
        """
        with self._workspace.transaction() as db:
            row = db.execute(
                "SELECT id, what, before FROM work_log ORDER BY id DESC LIMIT 1"
            ).fetchone()
            if row is None:
                return ""
            db.execute("DELETE FROM work_log WHERE id = ?", (row[0],))
            before = msgspec.msgpack.decode(zlib.decompress(row[2]), type=_Before)
            gone = [paper for paper in before.made if not _exists(db, paper)]
            if not gone:
                _restore(db, before)
        if gone:
            raise ConflictError(
                f"{visible(gone[0])} was removed since; '{row[1]}' cannot be taken back.",
                "Add the files again: papertune corpus add PATH",
            )
        return str(row[1])

    def steps(self) -> list[str]:
        """What can be taken back, newest first."""
        rows = self._workspace.connection().execute("SELECT what FROM work_log ORDER BY id DESC")
        return [row[0] for row in rows]


def take_in(db: Any, kept: str, other: str) -> None:
    """Make a work part of another: files, tags, private mark, what is known of it."""
    record = store.own_record(db, other)
    if not content.has(db, kept):
        content.move(db, other, kept)
    db.execute("UPDATE OR REPLACE said SET paper = ? WHERE paper = ?", (kept, other))
    store.put_said(db, kept, f"work:{other}", record, leads=False)
    db.execute("UPDATE placed SET paper = ? WHERE paper = ?", (kept, other))
    db.execute("UPDATE file SET paper = ? WHERE paper = ?", (kept, other))
    db.execute(
        "INSERT OR IGNORE INTO tag (paper, name) SELECT ?, name FROM tag WHERE paper = ?",
        (kept, other),
    )
    # Text that must not leave stays so, whatever it is merged with.
    db.execute(
        "UPDATE paper SET private = max(private, (SELECT private FROM paper WHERE id = ?)) "
        "WHERE id = ?",
        (other, kept),
    )
    db.execute("DELETE FROM paper WHERE id = ?", (other,))
    store.touch(db, other)


def _exists(db: Any, paper: str) -> bool:
    return db.execute("SELECT 1 FROM paper WHERE id = ?", (paper,)).fetchone() is not None


def _place_files(db: Any, paper: str) -> None:
    db.execute(
        "INSERT OR REPLACE INTO placed (path, paper) SELECT path, paper FROM file WHERE paper = ?",
        (paper,),
    )


def _snapshot(db: Any, papers: Sequence[str]) -> _Before:
    tables: dict[str, list[_Row]] = {}
    for table in _TABLES:
        key = "id" if table == "paper" else "paper"
        tables[table] = [
            list(row)
            for paper in papers
            for row in db.execute(f"SELECT * FROM {table} WHERE {key} = ?", (paper,))
        ]
    files = [
        (row[0], row[1], row[2])
        for paper in papers
        for row in db.execute("SELECT path, sha256, paper FROM file WHERE paper = ?", (paper,))
    ]
    return _Before(list(papers), tables, files)


def _text_file(db: Any, paper: str) -> str:
    return str(db.execute("SELECT text_file FROM paper WHERE id = ?", (paper,)).fetchone()[0])


def _tags(db: Any, paper: str) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM tag WHERE paper = ?", (paper,))]


def _log(db: Any, before: _Before, made: list[str], what: str) -> None:
    before.made = made
    before.tags_after = {paper: _tags(db, paper) for paper in made}
    packed = zlib.compress(msgspec.msgpack.encode(before), 6)
    db.execute(
        "INSERT INTO work_log (at, what, before) VALUES (?,?,?)", (time.time(), what, packed)
    )
    db.execute("DELETE FROM work_log WHERE id <= (SELECT max(id) FROM work_log) - ?", (MOST_STEPS,))


def _restore(db: Any, before: _Before) -> None:
    """Put the works of a step back as they were; what came to them since stays with the first."""
    home = before.papers[0]
    since = {
        paper: set(_tags(db, paper)) - set(before.tags_after.get(paper, ()))
        for paper in before.made
    }
    now = {
        row[0]: row[1]
        for paper in before.made
        for row in db.execute("SELECT path, sha256 FROM file WHERE paper = ?", (paper,))
    }
    for paper in {*before.papers, *before.made}:
        db.execute("DELETE FROM paper WHERE id = ?", (paper,))
        store.touch(db, paper)
    for table in _TABLES:
        for row in before.tables[table]:
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(row))})", row)
    then = {path: (digest, paper) for path, digest, paper in before.files}
    for path, digest in now.items():
        known, paper = then.get(path, (digest, home))
        db.execute("UPDATE file SET paper = ? WHERE path = ?", (paper, path))
        if known != digest:
            content.reread(db, path)
    for tag in set().union(*since.values()):
        db.execute("INSERT OR IGNORE INTO tag (paper, name) VALUES (?,?)", (home, tag))
