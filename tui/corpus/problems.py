"""What is wrong with files and records, in kinds, each with what to do about it."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz import fuzz

from tui.corpus.identity import family_name, fold
from tui.corpus.paths import real
from tui.domain.paper import FileStatus
from tui.text import visible

# Titles this alike, by the same first author, are shown as perhaps one work.
_ALIKE = 90.0
# Where more papers than this begin alike they are a series, not copies.
_MOST_ALIKE = 200
_TROUBLE = (FileStatus.FAILED, FileStatus.PARTLY, FileStatus.MISSING)


class ProblemKind(StrEnum):
    """Kinds of problems, as the facet and the problems view name them."""

    FAILED = "failed"
    SCANNED = "scanned"
    GARBLED = "garbled"
    PARTLY = "partly"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    NO_TITLE = "no-title"


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be read wholly, or a paper whose record is in doubt.

    `path` is the file (empty for a paper without one), `paper` the paper's id where there is one,
    `others` the papers that it may be one work with. All texts are safe to show.
    """

    path: str
    status: FileStatus
    reason: str
    kind: ProblemKind = ProblemKind.FAILED
    remedy: str = ""
    paper: str = ""
    title: str = ""
    others: tuple[str, ...] = ()


def kind_of(status: FileStatus, reason: str) -> ProblemKind:
    """The kind of a file's problem by how it ended."""
    if status is FileStatus.MISSING:
        return ProblemKind.MISSING
    if reason.startswith("scanned"):
        return ProblemKind.SCANNED
    if reason.startswith("garbled"):
        return ProblemKind.GARBLED
    return ProblemKind.PARTLY if status is FileStatus.PARTLY else ProblemKind.FAILED


_REMEDIES: tuple[tuple[str, str], ...] = (
    (r"password|encrypted", "Save a copy without a password (qpdf --decrypt IN OUT), and add it."),
    (r"empty file", "The download was cut short: get the file again."),
    (r"took longer|needs more than|larger than",
     "Print or split it into smaller files (qpdf --split-pages=100 IN OUT), and add those."),
    (r"bomb|archive", "Get the archive again from where it came from, or unpack it and add the "
     "folder."),
    (r"cannot be read", "Check who may read it (ls -l), then add it again."),
    (r"vanished", "It was there a moment ago: add the folder again."),
    (r"no text in it", "There are no words in it: add the paper's PDF or its main TeX file."),
    (r"damaged|not a PDF", "Get the file again; qpdf IN OUT mends some damaged PDFs."),
)  # fmt: skip
_BY_KIND = {
    ProblemKind.SCANNED: "Recognise its text: papertune corpus ocr",
    ProblemKind.GARBLED: "Its text layer cannot be used; recognise it anew: papertune corpus ocr",
    ProblemKind.PARTLY: "What could be read is in the library; get the file again for the rest.",
    ProblemKind.MISSING: "If it was moved, add the folder it is in now; if it is gone for good, "
    "papertune corpus remove",
    ProblemKind.DUPLICATE: "If they are one work: papertune corpus merge",
    ProblemKind.NO_TITLE: "Import a bibliography that has it, or add it by DOI: "
    "papertune corpus add doi:10.…",
}


def remedy(kind: ProblemKind, reason: str, target: str = "") -> str:
    """What to do about a problem; `target` is what a command of ours is given."""
    if kind is ProblemKind.FAILED:
        for pattern, told in _REMEDIES:
            if re.search(pattern, reason, re.IGNORECASE):
                return told
        return "Open it to see what it is; get it again, or leave it out."
    told = _BY_KIND[kind]
    return f"{told} {target}" if target and re.search(r"corpus (ocr|merge|remove)$", told) else told


def problems(db: sqlite3.Connection) -> list[Problem]:
    """Every problem: files in the order of their paths, then papers that lack a title or may be
    one work with another."""
    return [*_files(db), *_untitled(db), *_doubles(db)]


def kinds_of_papers(db: sqlite3.Connection) -> dict[str, set[ProblemKind]]:
    """The kinds of problems that papers have, by their ids."""
    found: dict[str, set[ProblemKind]] = defaultdict(set)
    for problem in problems(db):
        if problem.paper:
            found[problem.paper].add(problem.kind)
    return found


def _files(db: sqlite3.Connection) -> Iterator[Problem]:
    rows = db.execute(
        "SELECT path, status, reason, coalesce(file.paper, ''), coalesce(title, '') FROM file "
        "LEFT JOIN paper ON paper.id = file.paper WHERE status IN (?, ?, ?) ORDER BY path",
        _TROUBLE,
    ).fetchall()
    for path, status, reason, paper, title in rows:
        kind = kind_of(FileStatus(status), reason)
        told = "the file is gone" if kind is ProblemKind.MISSING else reason
        shown = visible(real(path))
        target = visible(paper) if kind is ProblemKind.MISSING else _quoted(shown)
        yield Problem(
            shown, FileStatus(status), told, kind, remedy(kind, reason, target), paper, title
        )


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _untitled(db: sqlite3.Connection) -> Iterator[Problem]:
    rows = db.execute(
        "SELECT id, title, (SELECT min(path) FROM file WHERE paper = id) FROM paper "
        "WHERE title_key = '' ORDER BY id"
    ).fetchall()
    for paper, title, path in rows:
        yield Problem(
            visible(real(path)) if path else "", FileStatus.READ,
            "no title was found in it; it is listed by its file's name", ProblemKind.NO_TITLE,
            remedy(ProblemKind.NO_TITLE, ""), paper, title,
        )  # fmt: skip


def _doubles(db: sqlite3.Connection) -> Iterator[Problem]:
    """Papers that look like one work but were not taken for one, and were not split by hand."""
    split = _split_by_hand(db)
    groups: list[list[tuple[str, str]]] = []
    seen: set[str] = set()
    for group, why in _candidates(db):
        papers = [paper for paper in group if paper not in seen and paper not in split]
        if len(papers) > 1:
            seen.update(papers)
            groups.append([(paper, why) for paper in papers])
    for members in groups:
        ids = [paper for paper, _ in members]
        for paper, why in members:
            row = db.execute(
                "SELECT title, (SELECT min(path) FROM file WHERE paper = id) FROM paper "
                "WHERE id = ?",
                (paper,),
            ).fetchone()
            others = tuple(other for other in ids if other != paper)
            yield Problem(
                visible(real(row[1])) if row[1] else "", FileStatus.READ,
                f"{why} as {', '.join(map(visible, others[:3]))}", ProblemKind.DUPLICATE,
                remedy(ProblemKind.DUPLICATE, "", " ".join(map(visible, [paper, *others]))),
                paper, row[0], others,
            )  # fmt: skip


def _split_by_hand(db: sqlite3.Connection) -> set[str]:
    """Works whose files a person put there: they have said what is one work."""
    return {row[0] for row in db.execute(
        "SELECT DISTINCT placed.paper FROM placed JOIN file USING (path)"
    )}  # fmt: skip


def _candidates(db: sqlite3.Connection) -> Iterator[tuple[list[str], str]]:
    for column, why in (("text_sha256", "the same text"), ("title_key", "the same title")):
        rows = db.execute(
            f"SELECT group_concat(id, ' ') FROM paper WHERE {column} != '' "
            f"GROUP BY {column} HAVING count(*) BETWEEN 2 AND ?",
            (_MOST_ALIKE,),
        ).fetchall()
        for (ids,) in rows:
            yield sorted(ids.split()), why
    blocks: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    rows = db.execute(
        "SELECT id, title_key, name FROM paper JOIN author ON paper = id AND position = 0 "
        "WHERE length(title_key) >= 20"
    ).fetchall()
    for paper, key, name in rows:
        # Two spellings of one title hardly ever differ within its first letters.
        blocks[fold(family_name(name)), key[:10]].append((paper, key))
    for block in blocks.values():
        if 2 <= len(block) <= _MOST_ALIKE:
            first = block[0]
            alike = [paper for paper, key in block[1:] if fuzz.ratio(first[1], key) >= _ALIKE]
            if alike:
                yield sorted([first[0], *alike]), "nearly the same title"
