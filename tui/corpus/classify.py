"""What a file is, by its name and its first bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from tui.domain.paper import FileKind

HEAD = 64 * 1024

_TEXT = {".txt": FileKind.TEXT, ".text": FileKind.TEXT, ".md": FileKind.MARKDOWN,
         ".markdown": FileKind.MARKDOWN, ".bib": FileKind.BIBTEX, ".bibtex": FileKind.BIBTEX,
         ".tex": FileKind.LATEX, ".ltx": FileKind.LATEX, ".latex": FileKind.LATEX}  # fmt: skip
_MAIN = re.compile(rb"^(?:[^%\n]|\\%)*\\document(?:class|style)\b", re.MULTILINE)
_STANDALONE = re.compile(rb"\\documentclass(?:\[[^\]]*\])?\{(?:standalone|beamer)\}")
KINDS_READ = "PDF, LaTeX (.tex or an arXiv .tar.gz), Markdown, plain text and BibTeX"


@dataclass(frozen=True, slots=True)
class Kind:
    """A file's kind; `skip` says why it holds no paper, `part` that it may belong to another."""

    kind: FileKind
    skip: str = ""
    part: bool = False
    archive: bool = False


def classify(path: str, head: bytes) -> Kind:  # noqa: PLR0911
    """Tell what a file is; `head` is its first `HEAD` bytes.

    What says `.pdf` and is none is still a PDF to us, so that it is refused with its reason.
    """
    name = PurePath(path)
    suffix = name.suffix.lower()
    lower = name.name.lower()
    if b"%PDF-" in head[:1024] or suffix == ".pdf":
        return Kind(FileKind.PDF)
    if head.startswith(b"\x1f\x8b"):
        if lower.endswith((".tar.gz", ".tgz", ".gz")) and not lower.endswith(
            (".csv.gz", ".json.gz", ".jsonl.gz", ".txt.gz", ".log.gz")
        ):
            return Kind(FileKind.LATEX, archive=True)
        return Kind(FileKind.OTHER, skip="not a kind that holds a paper")
    kind = _TEXT.get(suffix, FileKind.OTHER)
    if kind is FileKind.LATEX:
        if not _MAIN.search(head):
            return Kind(kind, skip="no \\documentclass: not a paper by itself", part=True)
        if _STANDALONE.search(head):
            return Kind(kind, skip="a figure or slides, not a paper", part=True)
    if kind is FileKind.BIBTEX:
        return Kind(kind, skip="a bibliography: it completes the papers' records")
    if kind is FileKind.OTHER:
        if suffix in {".cls", ".sty", ".bst", ".bbl"}:
            return Kind(kind, skip="part of a LaTeX paper", part=suffix == ".bbl")
        return Kind(kind, skip="not a kind that holds a paper")
    return Kind(kind)
