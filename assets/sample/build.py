"""Typeset the sample papers that are PDFs from their text in `source/`.

The PDFs are committed, because whoever installs the package has no typesetter. This script keeps
them honest: the same text gives the same bytes, so a test can tell when the two drift apart.

    python -m assets.sample.build [--source DIR] [--out DIR]
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    KeepTogether,
    NextPageTemplate,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

HERE = Path(__file__).parent
INVENTED = "Invented for papertune; no such group, material or result exists."

WIDTH, HEIGHT = A4
MARGIN = 20 * mm
GUTTER = 7 * mm
ACCENT = colors.HexColor("#335c4a")
SOFT_HYPHEN = "\u00ad"
BREAKABLE = 8  # letters; shorter words stay whole
# Before a common ending, or between two consonants that have a vowel on either side.
SYLLABLE = re.compile(
    r"(?<=...)(?=(?:tions?|ments?|ness|less|able|ing)\b)"
    r"|(?<=.[aeiou][bcdfgklmnprst])(?=[bcdfgmnpstv][aeiou]\w)"
)


@dataclass(frozen=True)
class Heading:
    """A title inside the paper; subsections are set smaller."""

    text: str
    level: int


@dataclass(frozen=True)
class Prose:
    """A paragraph of running text."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table with the caption that stood above it."""

    caption: str
    rows: list[list[str]]


@dataclass(frozen=True)
class Bars:
    """A bar chart with its caption."""

    caption: str
    values: list[tuple[str, float]]


Block: TypeAlias = Heading | Prose | Grid | Bars


@dataclass(frozen=True)
class Source:
    """One paper as written: the front matter and what follows it."""

    front: dict[str, str]
    blocks: list[Block]

    @property
    def authors(self) -> str:
        """Names in the order of the source, as a reader expects them under a title."""
        return ", ".join(name.strip() for name in self.front["authors"].split(";"))


def parse(text: str) -> Source:
    """Read front matter and blocks; a caption belongs to the table or chart that follows it."""
    _, head, body = text.split("---\n", 2)
    front = dict(line.split(": ", 1) for line in head.strip().splitlines())
    blocks: list[Block] = []
    caption = ""
    for piece in body.strip().split("\n\n"):
        if piece.startswith("#"):
            marks, title = piece.split(" ", 1)
            blocks.append(Heading(title, len(marks)))
        elif re.match(r"(Table|Figure) \d+: ", piece):
            caption = piece
        elif piece.startswith("|"):
            lines = [line.strip("|").split("|") for line in piece.splitlines()]
            rows = [[cell.strip() for cell in line] for line in lines]
            blocks.append(Grid(caption, [rows[0], *rows[2:]]))
        elif piece.startswith("[bars: "):
            pairs = [item.rsplit(" ", 1) for item in piece[7:-1].split(", ")]
            blocks.append(Bars(caption, [(name, float(value)) for name, value in pairs]))
        else:
            blocks.append(Prose(" ".join(piece.split())))
    return Source(front, blocks)


def soften(text: str) -> str:
    """Allow long lower-case words to break at a syllable; names stay whole, as editors have it."""

    def allow(match: re.Match[str]) -> str:
        word = match.group()
        return SYLLABLE.sub(SOFT_HYPHEN, word) if len(word) >= BREAKABLE else word

    return escape(re.sub(r"\b[a-z]+\b", allow, text))


def styles(size: float) -> dict[str, ParagraphStyle]:
    """One family of styles, scaled to the size of the running text."""
    body = ParagraphStyle(
        "body", fontName="Times-Roman", fontSize=size, leading=size * 1.24, alignment=TA_JUSTIFY,
        spaceAfter=size * 0.5, embeddedHyphenation=1,
    )  # fmt: skip
    centred = ParagraphStyle("centred", parent=body, alignment=TA_CENTER)
    return {
        "body": body,
        "title": ParagraphStyle(
            "title", parent=centred, fontName="Times-Bold", fontSize=17, leading=21, spaceAfter=6
        ),
        "authors": ParagraphStyle("authors", parent=centred, fontSize=11, leading=14),
        "venue": ParagraphStyle(
            "venue", parent=centred, fontName="Times-Italic", fontSize=9, leading=12, spaceAfter=8
        ),
        "abstract": ParagraphStyle("abstract", parent=body, leftIndent=18, rightIndent=18),
        "h2": ParagraphStyle(
            "h2", parent=body, fontName="Times-Bold", fontSize=size + 2, leading=size * 1.5,
            spaceBefore=size * 0.7, keepWithNext=1,
        ),
        "h3": ParagraphStyle(
            "h3", parent=body, fontName="Times-BoldItalic", spaceBefore=size * 0.3, keepWithNext=1
        ),
        "caption": ParagraphStyle(
            "caption", parent=body, fontName="Times-Italic", fontSize=size - 1, leading=size * 1.1
        ),
    }  # fmt: skip


class BarChart(Flowable):  # type: ignore[misc]
    """Bars with a name below and a value above each; drawn, so that no font or image is needed."""

    def __init__(self, values: list[tuple[str, float]], width: float) -> None:
        super().__init__()
        self.values = values
        self.width = width
        self.height = 36 * mm

    def draw(self) -> None:
        """Scale to the largest value, which takes the height that the labels leave."""
        canvas = self.canv
        step = self.width / len(self.values)
        scale = (self.height - 24) / max(value for _, value in self.values)
        canvas.setFont("Helvetica", 7)
        for place, (name, value) in enumerate(self.values):
            left = place * step
            canvas.setFillColor(ACCENT)
            canvas.rect(left + step * 0.2, 12, step * 0.6, value * scale, stroke=0, fill=1)
            canvas.setFillColor(colors.black)
            canvas.drawCentredString(left + step / 2, 3, name)
            canvas.drawCentredString(left + step / 2, 14 + value * scale, f"{value:g}")
        canvas.line(0, 12, self.width, 12)


def flow(blocks: list[Block], look: dict[str, ParagraphStyle], width: float) -> list[Flowable]:
    """Turn blocks into what the page layout places, one after another."""
    story: list[Flowable] = []
    for block in blocks:
        if isinstance(block, Heading):
            story.append(Paragraph(escape(block.text), look[f"h{block.level}"]))
        elif isinstance(block, Prose):
            story.append(Paragraph(soften(block.text), look["body"]))
        elif isinstance(block, Grid):
            grid = Table(block.rows, hAlign="LEFT", rowHeights=12, style=[
                ("FONT", (0, 0), (-1, -1), "Times-Roman", 8.5),
                ("FONT", (0, 0), (-1, 0), "Times-Bold", 8.5),
                ("LINEABOVE", (0, 0), (-1, 0), 0.7, colors.black),
                ("LINEBELOW", (0, 0), (-1, 0), 0.4, colors.black),
                ("LINEBELOW", (0, -1), (-1, -1), 0.7, colors.black),
                ("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ])  # fmt: skip
            caption = Paragraph(escape(block.caption), look["caption"])
            story.append(KeepTogether([caption, grid, Spacer(1, 8)]))
        else:
            caption = Paragraph(escape(block.caption), look["caption"])
            story.append(KeepTogether([BarChart(block.values, width), caption, Spacer(1, 6)]))
    return story


def typeset(source: Source, path: Path) -> None:
    """Write one PDF: title and abstract across the page, then one or two columns."""
    front = source.front
    columns = int(front["columns"])
    look = styles(10 if columns == 2 else 11)
    full = WIDTH - 2 * MARGIN
    width = (full - GUTTER * (columns - 1)) / columns

    abstract = source.blocks[1]
    assert isinstance(abstract, Prose)
    top: list[Flowable] = [
        Paragraph(escape(front["title"]), look["title"]),
        Paragraph(escape(source.authors), look["authors"]),
        Paragraph(
            escape(f"{front['venue']} ({front['year']}). DOI: {front['doi']}"), look["venue"]
        ),
        Paragraph("Abstract", look["h3"]),
        Paragraph(soften(abstract.text), look["abstract"]),
    ]
    # Each flowable also keeps its distance from the next, which wrap() does not count.
    height = sum(
        item.wrap(full, HEIGHT)[1] + item.getSpaceAfter() + item.getSpaceBefore() for item in top
    )

    bottom = MARGIN
    first_height = HEIGHT - 2 * MARGIN - height - 8

    def frames(tall: float) -> list[Frame]:
        edges = [MARGIN + place * (width + GUTTER) for place in range(columns)]
        return [Frame(x, bottom, width, tall, 0, 0, 0, 0) for x in edges]

    def mark_first(canvas: Canvas, _: BaseDocTemplate) -> None:
        canvas.setFont("Times-Italic", 8.5)
        canvas.line(MARGIN, bottom - 6, MARGIN + 50 * mm, bottom - 6)
        canvas.drawString(MARGIN, bottom - 17, INVENTED)
        canvas.drawRightString(WIDTH - MARGIN, bottom - 17, "1")

    def mark_later(canvas: Canvas, _: BaseDocTemplate) -> None:
        canvas.setFont("Times-Italic", 8.5)
        canvas.drawString(MARGIN, HEIGHT - MARGIN + 8, front["running"])
        canvas.drawRightString(WIDTH - MARGIN, bottom - 17, str(canvas.getPageNumber()))

    title_frame = Frame(MARGIN, HEIGHT - MARGIN - height, full, height, 0, 0, 0, 0)
    document = BaseDocTemplate(
        str(path), pagesize=A4, title=front["title"], author=source.authors,
        # Compressed pages would differ between builds of the compression library.
        invariant=1, pageCompression=0,
        pageTemplates=[
            PageTemplate("first", [title_frame, *frames(first_height)], onPage=mark_first),
            PageTemplate("later", frames(HEIGHT - 2 * MARGIN), onPage=mark_later),
        ],
    )  # fmt: skip
    rest = flow(source.blocks[2:], look, width)
    document.build([NextPageTemplate("later"), *top, FrameBreak(), *rest])


def build(source: Path, out: Path) -> list[Path]:
    """Typeset every text in a folder and say which files were written."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for text in sorted(source.glob("*.md")):
        path = out / f"{text.stem}.pdf"
        typeset(parse(text.read_text(encoding="utf-8")), path)
        written.append(path)
    return written


def main() -> None:
    """Typeset the committed texts in place, unless told otherwise."""
    parser = argparse.ArgumentParser(description="Typeset the sample papers that are PDFs.")
    parser.add_argument("--source", type=Path, default=HERE / "source")
    parser.add_argument("--out", type=Path, default=HERE / "papers")
    options = parser.parse_args()
    for path in build(options.source, options.out):
        print(path)


if __name__ == "__main__":
    main()
