"""The library: works, their files, titled parts and retrievable passages."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FileKind(StrEnum):
    """What a file of the corpus is, by its content and name."""

    PDF = "pdf"
    LATEX = "latex"
    MARKDOWN = "markdown"
    TEXT = "text"
    BIBTEX = "bibtex"
    OTHER = "other"


class FileStatus(StrEnum):
    """How a file ended; none is ever lost silently."""

    READ = "read"
    PARTLY = "partly"
    FAILED = "failed"
    SKIPPED = "skipped"
    MISSING = "missing"


class SectionKind(StrEnum):
    """What a section is for: references are kept apart from text that may be learnt or cited."""

    ABSTRACT = "abstract"
    BODY = "body"
    CAPTION = "caption"
    REFERENCES = "references"


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a paper.

    `path` is the titles from the top, joined by " > "; `start` and `end` are character offsets
    into the paper's normalised text; `page` counts from 1 and is 0 where a format has no pages.
    """

    path: str
    start: int
    end: int
    page: int = 0
    level: int = 1
    kind: SectionKind = SectionKind.BODY

    @property
    def title(self) -> str:
        """The section's own title, the last part of its path."""
        return self.path.rsplit(" > ", 1)[-1]


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrievable chunk: never across a section, with the place it can be checked at.

    `id` is `<paper id>#<position>`; `start` and `end` are offsets into the paper's normalised
    text, whose hash the paper keeps.
    """

    id: str
    paper: str
    position: int
    text: str
    start: int
    end: int
    page: int = 0
    section: str = ""
    kind: SectionKind = SectionKind.BODY


@dataclass(frozen=True, slots=True)
class Paper:
    """One work with all its files: PDF, TeX, bibliography entry.

    `id` reads like a citation key (`keller2024velmora`), is given once and never changes.
    """

    id: str
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    doi: str = ""
    arxiv: str = ""
    abstract: str = ""
    tags: tuple[str, ...] = ()
    private: bool = False
    pages: int = 0
    files: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    references: tuple[str, ...] = ()
    text_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: a passage of a paper with the words that matched.

    `marks` are (start, end) offsets into `snippet`.
    """

    paper: str
    title: str
    year: int | None
    passage: str
    section: str
    page: int
    snippet: str
    score: float
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that was refused, with its reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What `corpus add` did; the five counts add up to `files`."""

    files: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    papers: int = 0
    passages: int = 0
    pages: int = 0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = field(default=())
