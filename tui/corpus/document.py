"""What an extractor hands on: blocks of text in reading order, and what the file says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.domain.paper import FileStatus, Section, SectionKind


class BlockKind(StrEnum):
    """What a block is; equations, tables and code are never cut."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    EQUATION = "equation"
    TABLE = "table"
    CAPTION = "caption"
    CODE = "code"
    FOOTNOTE = "footnote"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text; `pages` are (offset in the text, page) where the page changes.

    A heading has a `level` from 1, and a `kind_of_section` when it opens a special part.
    """

    kind: BlockKind
    text: str
    level: int = 0
    pages: tuple[tuple[int, int], ...] = ()
    kind_of_section: SectionKind = SectionKind.BODY


@dataclass(frozen=True, slots=True)
class Metadata:
    """What one file says of its work; empty where it says nothing."""

    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    doi: str = ""
    arxiv: str = ""
    abstract: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bibliography, or the reason why it could not be read.

    `files` are the work's files as the bibliography names them, on whatever machine it was made.
    """

    key: str
    metadata: Metadata = Metadata()
    problem: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read. `parts` are the other files that were read into it, as stored paths."""

    metadata: Metadata
    blocks: tuple[Block, ...]
    pages: int = 0
    parts: tuple[str, ...] = ()
    status: FileStatus = FileStatus.READ
    reason: str = ""
    bibliography: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A passage's place in the text."""

    start: int
    end: int
    section: str
    page: int
    kind: SectionKind


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document laid out as one normalised text; offsets count its characters."""

    metadata: Metadata
    text: str
    sections: tuple[Section, ...] = ()
    spans: tuple[Span, ...] = ()
    page_starts: tuple[tuple[int, int], ...] = ()
    references: tuple[str, ...] = ()
    pages: int = 0
    parts: tuple[str, ...] = ()
    status: FileStatus = FileStatus.READ
    reason: str = ""
    bibliography: tuple[Entry, ...] = ()


class Unreadable(Exception):  # noqa: N818
    """A file that holds no text we can use; the message is the reason in the user's words."""
