"""`corpus add`: what changed is read by workers and recorded one file a transaction."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tui.corpus import store
from tui.corpus.classify import HEAD, Kind, classify
from tui.corpus.discover import Found, check, walk
from tui.corpus.document import Unreadable
from tui.corpus.extract import opened
from tui.corpus.index import SearchIndex
from tui.corpus.paths import real, stored
from tui.corpus.pool import SECONDS_PER_FILE, Pool
from tui.corpus.worker import Reply, Request
from tui.domain.paper import Failure, FileKind, FileStatus, IngestReport
from tui.storage.workspace import Workspace
from tui.text import visible

# How often a running import lets the search see what it has added.
_INDEX_SECONDS = 5.0
# How often a paused import looks whether it may go on.
_PAUSE_SECONDS = 0.1
# Reasons that may be gone the next time; all other failures stand until the file changes.
_PASSING = ("took longer", "vanished", "cannot be read", "needs more than", "damaged: the reader")
_READ = (FileStatus.READ, FileStatus.PARTLY)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: `done` of `total` files; `seconds_left` is None while unknown."""

    done: int
    total: int
    path: str
    pages: int
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class _Task:
    row: store.FileRow
    kind: Kind
    known: bool


class Ingest:
    """One run of `corpus add`; nothing of it is lost or done twice when it is interrupted."""

    def __init__(
        self,
        workspace: Workspace,
        index: SearchIndex,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        paused: Callable[[], bool] | None = None,
        workers: int = 2,
    ) -> None:
        self._workspace = workspace
        self._index = index
        self._on_progress = on_progress
        self._cancelled = cancelled or (lambda: False)
        self._paused = paused or (lambda: False)
        self._rested = 0.0
        self._workers = workers
        self._counts = dict.fromkeys(("added", "updated", "unchanged", "skipped", "failed"), 0)
        self._failures: list[Failure] = []
        self._started = time.monotonic()
        self._indexed = self._started
        self._pages = 0
        self._total = 0
        self._work = 0
        self._worked = 0

    def run(self, paths: Sequence[Path]) -> IngestReport:
        """Read what is new or changed under `paths`.

        Raises UsageError when a path does not exist. A cancelled run reports what it did.
        """
        check(paths)
        known = store.file_rows(self._workspace.connection())
        found = list(walk(paths))
        self._total = len(found)
        self._known_by_content = _by_content(known.values())
        todo = self._changed(found, known)
        self._forget_vanished(paths, found, known)
        self._work = len(todo)
        self._read(todo, known)
        self._index.update(wait=10.0)
        db = self._workspace.connection()
        papers, pages = db.execute("SELECT count(*), coalesce(sum(pages), 0) FROM paper").fetchone()
        return IngestReport(
            files=sum(self._counts.values()),
            **self._counts,
            papers=papers,
            passages=db.execute("SELECT count(*) FROM passage").fetchone()[0],
            pages=pages,
            seconds=round(time.monotonic() - self._started, 3),
            failures=tuple(self._failures),
        )

    def _changed(self, found: Iterable[Found], known: dict[str, store.FileRow]) -> list[Found]:
        """The files to look into; all others are counted here at the cost of their stat."""
        todo: dict[str, Found] = {}
        settled: dict[str, tuple[Found, store.FileRow]] = {}
        touched: set[str] = set()
        back: list[store.FileRow] = []
        for item in found:
            row = known.get(item.path)
            if item.error:
                self._fail(item.path, item.error)
            elif row is None or (row.size, row.mtime_ns) != (item.size, item.mtime_ns):
                todo[item.path] = item
                touched.add(row.main if row else "")
            elif row.status is FileStatus.FAILED and row.reason.startswith(_PASSING):
                todo[item.path] = item
            else:
                settled[item.path] = (item, row)
                if row.status is FileStatus.MISSING:
                    back.append(row)
        # A LaTeX paper is read again when one of its parts changed or went away.
        here = {item.path for item in found}
        touched |= {row.main for row in known.values() if row.main and row.path not in here
                    and not os.path.lexists(real(row.path))}  # fmt: skip
        for path in touched & settled.keys():
            todo[path] = settled.pop(path)[0]
        for _, row in settled.values():
            if row.status is FileStatus.FAILED:
                self._fail(row.path, row.reason)
            else:
                self._count("skipped" if row.status is FileStatus.SKIPPED else "unchanged")
        if back:
            with self._workspace.transaction() as db:
                for row in back:
                    status = FileStatus.PARTLY if row.reason else FileStatus.READ
                    db.execute("UPDATE file SET status = ? WHERE path = ?", (status, row.path))
        return list(todo.values())

    def _forget_vanished(
        self, paths: Sequence[Path], found: Iterable[Found], known: dict[str, store.FileRow]
    ) -> None:
        """Mark files of papers that are gone as missing; the papers stay."""
        here = {item.path for item in found}
        roots = tuple(stored(os.path.abspath(p.expanduser())).rstrip("/") + "/" for p in paths)  # noqa: PTH100
        gone = [row for path, row in known.items() if path not in here and path.startswith(roots)
                and row.status is not FileStatus.MISSING
                and not os.path.lexists(real(path))]  # fmt: skip
        if not gone:
            return
        with self._workspace.transaction() as db:
            for row in gone:
                if row.paper:
                    db.execute(
                        "UPDATE file SET status = ? WHERE path = ?", (FileStatus.MISSING, row.path)
                    )
                else:
                    db.execute("DELETE FROM file WHERE path = ?", (row.path,))

    def _read(self, todo: Sequence[Found], known: dict[str, store.FileRow]) -> None:
        waiting = iter(todo)
        exhausted = False
        with Pool[_Task](self._workers) as pool:
            while not (exhausted and not pool.busy) and not self._cancelled():
                while pool.free and not exhausted and not self._paused():
                    item = next(waiting, None)
                    if item is None:
                        exhausted = True
                        break
                    task = self._prepare(item, known.get(item.path))
                    if task is not None:
                        pool.submit(task, _request(task))
                    self._report(item.path)
                    if self._cancelled():
                        return
                if not pool.busy:
                    self._rest()
                if pool.busy:
                    for task, reply in pool.results():
                        self._finish(task, reply)
                        self._report(task.row.path)

    def _rest(self) -> None:
        """Wait until the pause is over; what was being read was finished first."""
        began = time.monotonic()
        while self._paused() and not self._cancelled():
            time.sleep(_PAUSE_SECONDS)
        self._rested += time.monotonic() - began

    def _prepare(self, item: Found, row: store.FileRow | None) -> _Task | None:
        """Look into a file; None when it is settled without being read."""
        path = real(item.path)
        try:
            with opened(path) as file:
                head = file.read(HEAD)
            kind = classify(path, head)
            digest = "" if kind.skip and not _is_bib(kind) else _digest(path)
        except Unreadable as refusal:
            fresh = store.FileRow(item.path, FileKind.OTHER, item.size, item.mtime_ns)
            self._refuse(fresh, row, str(refusal))
            return None
        fresh = store.FileRow(
            item.path, kind.kind, item.size, item.mtime_ns, digest,
            paper=row.paper if row else None, main=row.main if row else "",
        )  # fmt: skip
        if kind.skip and not _is_bib(kind):
            skipped = replace(fresh, status=FileStatus.SKIPPED, reason=kind.skip, paper=None)
            with self._workspace.transaction() as db:
                store.put_file(db, skipped)
            self._settle("skipped")
            return None
        if row and row.sha256 == digest and row.status in _READ and kind.kind is not FileKind.LATEX:
            with self._workspace.transaction() as db:
                db.execute(
                    "UPDATE file SET size = ?, mtime_ns = ? WHERE path = ?",
                    (item.size, item.mtime_ns, item.path),
                )
            self._settle("unchanged")
            return None
        if row is None and not _is_bib(kind):
            twin = self._twin(fresh)
            if twin is not None and self._take_over(fresh, twin, kind):
                return None
            if twin is not None and kind.kind is FileKind.LATEX:
                fresh = replace(fresh, paper=twin.paper)
        return _Task(fresh, kind, row is not None)

    def _twin(self, fresh: store.FileRow) -> store.FileRow | None:
        """A file read before with the same content, preferring one that is gone from its place."""
        twins = self._known_by_content.get(fresh.sha256, [])
        gone = [twin for twin in twins if not os.path.lexists(real(twin.path))]
        if gone:
            return gone[0]
        return twins[0] if twins and fresh.kind is not FileKind.LATEX else None

    def _take_over(self, fresh: store.FileRow, twin: store.FileRow, kind: Kind) -> bool:
        """Record a moved file or a copy without reading it; a LaTeX main is more than its bytes."""
        if kind.kind is FileKind.LATEX and not kind.archive:
            return False
        moved = not os.path.lexists(real(twin.path))
        with self._workspace.transaction() as db:
            row = db.execute(
                "SELECT paper, status, reason, pages, metadata FROM file WHERE path = ?",
                (twin.path,),
            ).fetchone()
            placed = store.placed(db, fresh.path)
            if row is None or row[0] is None or (placed and placed != row[0]):
                return False
            status = FileStatus.PARTLY if row[2] else FileStatus.READ
            taken = replace(fresh, paper=row[0], status=status, reason=row[2])
            store.put_file(db, taken, pages=row[3], metadata=row[4])
            if moved:
                db.execute("DELETE FROM file WHERE path = ?", (twin.path,))
                db.execute("UPDATE placed SET path = ? WHERE path = ?", (fresh.path, twin.path))
                db.execute(
                    "UPDATE paper SET text_file = ? WHERE text_file = ?", (fresh.path, twin.path)
                )
        twins = self._known_by_content[fresh.sha256]
        twins.append(taken)
        if moved:
            twins.remove(twin)
        self._settle("unchanged" if moved else "added")
        return True

    def _finish(self, task: _Task, reply: Reply) -> None:
        """Record what a worker made of a file."""
        extracted = reply.extracted
        if extracted is None:
            self._refuse(task.row, task.row if task.known else None, reply.reason)
            return
        if _is_bib(task.kind):
            row = replace(task.row, status=FileStatus.SKIPPED, reason=task.kind.skip)
            with self._workspace.transaction() as db:
                store.put_bibliography(db, row, extracted.bibliography)
            self._settle("skipped")
            return
        if extracted.status is FileStatus.FAILED:
            self._refuse(task.row, task.row if task.known else None, extracted.reason)
            return
        with self._workspace.transaction() as db:
            paper = store.put_read(db, task.row, extracted)
        if task.row.sha256:
            read = replace(task.row, paper=paper, status=extracted.status, reason=extracted.reason)
            self._known_by_content.setdefault(task.row.sha256, []).append(read)
        self._pages += extracted.pages
        self._settle("updated" if task.known else "added")

    def _refuse(self, fresh: store.FileRow, row: store.FileRow | None, reason: str) -> None:
        failed = replace(
            fresh, status=FileStatus.FAILED, reason=reason, paper=row.paper if row else None
        )
        with self._workspace.transaction() as db:
            store.put_file(db, failed)
        self._fail(fresh.path, reason)
        self._worked += 1

    def _fail(self, path: str, reason: str) -> None:
        self._failures.append(Failure(visible(path), reason))
        self._counts["failed"] += 1

    def _count(self, name: str) -> None:
        self._counts[name] += 1

    def _settle(self, name: str) -> None:
        self._counts[name] += 1
        self._worked += 1

    def _report(self, path: str) -> None:
        now = time.monotonic()
        if now - self._indexed > _INDEX_SECONDS:
            self._index.update()
            self._indexed = time.monotonic()
        if self._on_progress is None:
            return
        seconds = now - self._started - self._rested
        left = None
        if self._worked >= 5:
            left = seconds / self._worked * (self._work - self._worked)
        done = sum(self._counts.values())
        self._on_progress(Progress(done, self._total, visible(path), self._pages, seconds, left))


def _is_bib(kind: Kind) -> bool:
    return kind.kind is FileKind.BIBTEX


def _request(task: _Task) -> Request:
    path = os.fsencode(real(task.row.path))
    return Request(path, task.kind.kind, task.kind.archive, SECONDS_PER_FILE)


def _by_content(rows: Iterable[store.FileRow]) -> dict[str, list[store.FileRow]]:
    found: dict[str, list[store.FileRow]] = {}
    for row in rows:
        if row.sha256 and row.paper and row.status in (*_READ, FileStatus.MISSING):
            found.setdefault(row.sha256, []).append(row)
    return found


def _digest(path: str) -> str:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
