"""Works that come with a record from elsewhere: matched, completed, their files put with them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tui.corpus import content, store
from tui.corpus.document import Entry, Metadata
from tui.corpus.paths import stored
from tui.corpus.pool import SECONDS_PER_FILE, read_one
from tui.corpus.sources.attachments import FileFinder
from tui.corpus.worker import Request
from tui.corpus.works import take_in
from tui.domain.errors import UsageError
from tui.domain.paper import Failure, FileKind, FileStatus, IngestReport
from tui.storage.workspace import Workspace
from tui.text import visible

Read = Callable[[Sequence[Path]], IngestReport]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; `added`, `updated` and `failed` add up to `entries`.

    `files` were found and read or known already, `missing` are named by the library and not on
    this machine, `unread` could not be read.
    """

    entries: int = 0
    added: int = 0
    updated: int = 0
    failed: int = 0
    papers: int = 0
    failures: tuple[Failure, ...] = ()
    files: int = 0
    missing: tuple[Failure, ...] = ()
    unread: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record with the files of its work; `source` names it where it comes from."""

    source: str
    metadata: Metadata
    files: tuple[Path, ...] = ()


def take(db: sqlite3.Connection, arrival: Arrival) -> tuple[str, bool]:
    """Find or make the work of a record and put its files there; its id, and whether it is new.

    The record's word counts before what the files say of themselves: somebody has kept it.
    """
    row = db.execute("SELECT paper FROM said WHERE source = ?", (arrival.source,)).fetchone()
    paper = str(row[0]) if row else None
    metadata = arrival.metadata
    if paper is None and (metadata.title or metadata.doi or metadata.arxiv):
        paper = store.match(db, metadata)
    paths = [stored(path) for path in arrival.files]
    if paper is None:
        paper = next((found for path in paths if (found := _home(db, path))), None)
    made = paper is None
    if paper is None:
        told = metadata if metadata.title else replace(metadata, title=_named(paths))
        paper = store.put_record(db, told)
    if metadata.title:
        store.put_said(db, paper, arrival.source, metadata, leads=True)
    for tag in metadata.tags:
        db.execute("INSERT OR IGNORE INTO tag (paper, name) VALUES (?,?)", (paper, tag))
    for path in paths:
        _put(db, path, paper)
    store.refresh(db, paper)
    return paper, made


def _named(paths: Sequence[str]) -> str:
    return store.file_title(paths[0]) if paths else "untitled"


def _home(db: sqlite3.Connection, path: str) -> str | None:
    row = db.execute("SELECT paper FROM file WHERE path = ?", (path,)).fetchone()
    return str(row[0]) if row and row[0] else store.placed(db, path)


def _put(db: sqlite3.Connection, path: str, paper: str) -> None:
    """Put a file with a work; one that was read as another work brings that with it."""
    before = _home(db, path)
    store.place(db, path, paper)
    if before is None or before == paper:
        return
    others = db.execute(
        "SELECT count(*) FROM file WHERE paper = ? AND path != ?", (before, path)
    ).fetchone()[0]
    if not others:
        take_in(db, paper, before)
        return
    db.execute("UPDATE file SET paper = ? WHERE path = ?", (paper, path))
    for work in (before, paper):
        content.want(db, work)
    store.refresh(db, before)


def import_file(workspace: Workspace, path: Path, finder: FileFinder, read: Read) -> ImportReport:
    """Make a paper of every entry that no work exists for, and complete the works that do.

    BibTeX, CSL JSON or Better BibTeX JSON; files that entries name are looked for by `finder`
    and handed to `read`. Raises UsageError when the file cannot be read at all.
    """
    absolute = path.expanduser().absolute()
    entries = _entries(absolute)
    try:
        status = absolute.stat()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    row = store.FileRow(
        stored(absolute), FileKind.BIBTEX, status.st_size, status.st_mtime_ns,
        status=FileStatus.SKIPPED, reason="a bibliography: it completes the papers' records",
    )  # fmt: skip
    added = updated = 0
    found: list[Path] = []
    missing: list[Failure] = []
    with workspace.transaction() as db:
        store.put_bibliography(db, row, entries)
        for entry in entries:
            if entry.problem:
                continue
            files, lost = _files(entry, finder)
            found += files
            missing += lost
            if files:
                source = f"bib:{row.path}:{entry.key}"
                _, made = take(db, Arrival(source, entry.metadata, tuple(files)))
            else:
                made = store.match(db, entry.metadata) is None
                if made:
                    store.put_record(db, entry.metadata)
                else:
                    _tag(db, entry.metadata)
            added += made
            updated += not made
    failures = tuple(
        Failure(visible(entry.key) or visible(str(path)), entry.problem)
        for entry in entries
        if entry.problem
    )
    unread = read(found).failures if found else ()
    total = workspace.connection().execute("SELECT count(*) FROM paper").fetchone()[0]
    return ImportReport(
        len(entries), added, updated, len(failures), total, failures,
        len(found) - len(unread), tuple(missing), unread,
    )  # fmt: skip


def _tag(db: sqlite3.Connection, metadata: Metadata) -> None:
    paper = store.match(db, metadata)
    for tag in metadata.tags:
        db.execute("INSERT OR IGNORE INTO tag (paper, name) VALUES (?,?)", (paper, tag))


def _entries(path: Path) -> tuple[Entry, ...]:
    if not path.is_file():
        raise _unreadable(path, "there is no such file")
    reply = read_one(Request(os.fsencode(path), FileKind.BIBTEX, False, SECONDS_PER_FILE))
    if reply.extracted is None:
        raise _unreadable(path, reply.reason)
    entries = reply.extracted.bibliography
    if not entries:
        raise UsageError(
            f"{visible(str(path))} holds no entry of a bibliography.",
            "BibTeX entries look like @article{key, …}; CSL JSON is a list of items.",
        )
    return entries


def _files(entry: Entry, finder: FileFinder) -> tuple[list[Path], list[Failure]]:
    found: list[Path] = []
    missing: list[Failure] = []
    for name in entry.files:
        path = finder.find(name)
        if path is not None:
            found.append(path)
        else:
            reason = f"{visible(name)} is not on this machine"
            missing.append(Failure(visible(entry.key), reason))
    return list(dict.fromkeys(found)), missing


def _unreadable(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{visible(str(path))} cannot be read: {reason}.", "Name a .bib or .json file."
    )
