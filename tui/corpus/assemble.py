"""Laying blocks out as one normalised text with sections, passages and page starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tui.corpus.document import Block, BlockKind, Document, Extracted, Metadata, Span
from tui.corpus.passages import Unit, cut
from tui.domain.paper import FileStatus, Section, SectionKind
from tui.text import clean

# A text larger than this is no paper: 20 million characters are about 5,000 pages of print.
MOST_CHARACTERS = 20_000_000
_DEEPEST = 6
_WHOLE = frozenset({BlockKind.EQUATION, BlockKind.TABLE, BlockKind.CODE, BlockKind.CAPTION})


@dataclass(slots=True)
class _Part:
    """A section under construction: its body in order, then its floats."""

    path: str
    level: int
    kind: SectionKind
    heading: Block | None = None
    body: list[Block] = field(default_factory=list)
    floats: list[Block] = field(default_factory=list)


def assemble(document: Document) -> Extracted:
    """Lay a document out as text: title and authors, then each section under its heading.

    A caption has no fixed place between sentences, so captions and the tables kept with them
    stand at the end of their section; the references come last in theirs, one a paragraph.
    """
    metadata = cleaned(document.metadata)
    writer = _Writer(metadata)
    for part in _parts(_with_tables(document.blocks)):
        writer.add(part)
    status, reason = document.status, document.reason
    if writer.full:
        status, reason = FileStatus.PARTLY, "longer than 20 million characters: the rest was left"
    return Extracted(
        metadata=metadata,
        text=writer.text(),
        sections=tuple(writer.sections),
        spans=tuple(writer.spans),
        page_starts=tuple(writer.page_starts),
        references=tuple(writer.references),
        pages=document.pages,
        parts=document.parts,
        status=status,
        reason=reason,
        bibliography=tuple(
            replace(entry, key=one_line(entry.key)[:200], metadata=cleaned(entry.metadata))
            for entry in document.bibliography
        ),
    )


def _parts(blocks: Sequence[Block]) -> list[_Part]:
    parts: list[_Part] = []
    trail: list[str] = []
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            level = max(1, min(block.level, _DEEPEST, len(trail) + 1))
            title = one_line(block.text)
            trail = [*trail[: level - 1], title] if title else []
            parts.append(_Part(" > ".join(trail), level, block.kind_of_section, block))
            continue
        if not parts:
            parts.append(_Part("", 1, SectionKind.BODY))
        part = parts[-1]
        (part.floats if block.kind is BlockKind.CAPTION else part.body).append(block)
    return parts


def _with_tables(blocks: Sequence[Block]) -> list[Block]:
    """Captions joined with the table right under or above them, so that they stay together."""
    joined: list[Block] = []
    for block in blocks:
        before = joined[-1] if joined else None
        pair = before and {before.kind, block.kind} == {BlockKind.CAPTION, BlockKind.TABLE}
        if before and pair and "\n" not in before.text.strip():
            joined[-1] = replace(
                before, kind=BlockKind.CAPTION, text=f"{before.text.rstrip()}\n{block.text}"
            )
        elif before and pair and before.kind is BlockKind.TABLE:
            joined[-1] = replace(
                block, text=f"{before.text.rstrip()}\n{block.text}", pages=before.pages
            )
        else:
            joined.append(block)
    return joined


def one_line(text: str) -> str:
    """A heading's or title's text: cleaned, on one line, without our path separator in it."""
    return " ".join(clean(text).split()).replace(" > ", " › ")


def cleaned(metadata: Metadata) -> Metadata:
    """Metadata as safe one-line values, each of a length that a person can read."""
    return Metadata(
        title=one_line(metadata.title)[:500],
        authors=tuple(
            name for name in (one_line(a)[:120] for a in metadata.authors[:2000]) if name
        ),
        year=metadata.year if metadata.year and 1500 <= metadata.year <= 2100 else None,
        venue=one_line(metadata.venue)[:300],
        doi=one_line(metadata.doi)[:200].lower(),
        arxiv=one_line(metadata.arxiv)[:40],
        abstract=clean(metadata.abstract).strip()[:20_000],
        tags=tuple(tag for tag in (one_line(t)[:80] for t in metadata.tags[:100]) if tag),
    )


class _Writer:
    """Appends to the text and notes where everything begins and ends."""

    def __init__(self, metadata: Metadata) -> None:
        self._chunks: list[str] = []
        self._length = 0
        self.full = False
        self.sections: list[Section] = []
        self.spans: list[Span] = []
        self.page_starts: list[tuple[int, int]] = []
        self.references: list[str] = []
        if metadata.title:
            self._put(metadata.title)
        if metadata.authors:
            self._put(", ".join(metadata.authors))

    def text(self) -> str:
        return "".join(self._chunks)

    def _put(self, text: str) -> int:
        """Append a paragraph after an empty line; returns where it starts."""
        if self._length:
            self._chunks.append("\n\n")
            self._length += 2
        start = self._length
        self._chunks.append(text)
        self._length += len(text)
        return start

    def add(self, part: _Part) -> None:
        """Append a section; an empty one without a heading leaves nothing."""
        if self._length > MOST_CHARACTERS:
            self.full = True
            return
        begin = -1
        if part.heading is not None and part.heading.text:
            begin = self._place(part.heading, one_line(part.heading.text))[0]
        begin_body, units = self._write(part.body)
        if part.kind is not SectionKind.REFERENCES:
            self._cut(units, part, part.kind)
        begin_floats, units = self._write(part.floats)
        for unit in units:
            self._cut([unit], part, SectionKind.CAPTION)
        begin = min(
            (place for place in (begin, begin_body, begin_floats) if place >= 0), default=-1
        )
        if begin < 0:
            return
        page = self._page_at(begin)
        self.sections.append(Section(part.path, begin, self._length, page, part.level, part.kind))

    def _write(self, blocks: Sequence[Block]) -> tuple[int, list[Unit]]:
        begin, units = -1, []
        for block in blocks:
            if self._length > MOST_CHARACTERS:
                self.full = True
                break
            text = clean(block.text).strip()
            if not text:
                continue
            if block.kind is BlockKind.REFERENCE:
                self.references.append(" ".join(text.split()))
            start, end = self._place(block, text)
            begin = start if begin < 0 else begin
            units.append(Unit(start, end, block.kind in _WHOLE))
        return begin, units

    def _place(self, block: Block, text: str) -> tuple[int, int]:
        start = self._put(text)
        for offset, page in block.pages:
            if not self.page_starts or self.page_starts[-1][1] != page:
                self.page_starts.append((start + min(offset, len(text)), page))
        return start, start + len(text)

    def _cut(self, units: list[Unit], part: _Part, kind: SectionKind) -> None:
        if not units:
            return
        origin = units[0].start
        window = self._tail(origin)
        shifted = [Unit(unit.start - origin, unit.end - origin, unit.whole) for unit in units]
        for start, end in cut(window, shifted):
            self.spans.append(
                Span(start + origin, end + origin, part.path, self._page_at(start + origin), kind)
            )

    def _tail(self, origin: int) -> str:
        """The text from `origin` on, without joining what lies before it."""
        chunks: list[str] = []
        position = self._length
        for chunk in reversed(self._chunks):
            if position <= origin:
                break
            chunks.append(chunk)
            position -= len(chunk)
        return "".join(reversed(chunks))[origin - position :]

    def _page_at(self, offset: int) -> int:
        return page_at(self.page_starts, offset)


def page_at(page_starts: Sequence[tuple[int, int]], offset: int) -> int:
    """The page that holds a character of the text; 0 where a format has no pages."""
    low, high = 0, len(page_starts)
    while low < high:
        middle = (low + high) // 2
        if page_starts[middle][0] <= offset:
            low = middle + 1
        else:
            high = middle
    return page_starts[low - 1][1] if low else 0
