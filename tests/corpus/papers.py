"""Papers made for tests: PDFs in one and two columns, and files that only look like papers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

ROMAN, BOLD = "Times-Roman", "Times-Bold"


@dataclass
class Printer:
    """Sets lines of text into columns the way a journal does."""

    columns: int = 1
    head: str = ""
    title: str = ""
    encrypted: str | None = None
    buffer: io.BytesIO = field(default_factory=io.BytesIO)

    def __post_init__(self) -> None:
        encryption = None
        if self.encrypted is not None:
            from reportlab.lib.pdfencrypt import StandardEncryption

            encryption = StandardEncryption(self.encrypted, ownerPassword="owner")
        self.canvas = Canvas(self.buffer, pagesize=A4, encrypt=encryption, invariant=True)
        if self.title:
            self.canvas.setTitle(self.title)
        self.page = 0
        self._new_page()

    @property
    def width(self) -> float:
        return float((A4[0] - 100 - 20 * (self.columns - 1)) / self.columns)

    def _new_page(self) -> None:
        if self.page:
            self.canvas.showPage()
        self.page += 1
        self.column = 0
        self.y = A4[1] - 90
        self.canvas.setFont(ROMAN, 8)
        if self.head:
            self.canvas.drawString(50, A4[1] - 40, self.head)
        self.canvas.drawCentredString(A4[0] / 2, 30, str(self.page))

    def line(self, text: str, font: str = ROMAN, size: float = 10, lead: float = 2) -> None:
        if self.y < 70:
            self.column += 1
            self.y = A4[1] - 90
            if self.column >= self.columns:
                self._new_page()
        self.canvas.setFont(font, size)
        self.canvas.drawString(50 + self.column * (self.width + 20), self.y, text)
        self.y -= size + lead

    def gap(self, height: float = 10) -> None:
        self.y -= height

    def heading(self, text: str, size: float = 13) -> None:
        self.gap(8)
        self.line(text, BOLD, size, 4)
        self.gap(4)

    def paragraph(self, text: str, *, hyphenate: Sequence[str] = ()) -> None:
        """Set a paragraph; words in `hyphenate` (as `left-right`) are cut where they stand."""
        words = text.split()
        line = ""
        for word in words:
            candidate = f"{line} {word}".strip()
            cut = next((h for h in hyphenate if h.replace("-", "", 1) == word), None)
            if cut:
                left, right = cut.split("-", 1)
                self.line(f"{line} {left}-".strip())
                line = right
            elif self.canvas.stringWidth(candidate, ROMAN, 10) > self.width:
                self.line(line)
                line = word
            else:
                line = candidate
        if line:
            self.line(line)
        self.gap(6)

    def data(self) -> bytes:
        self.canvas.save()
        return self.buffer.getvalue()


def sentences(topic: str, count: int) -> str:
    """Prose of sentences that each name themselves."""
    return " ".join(
        f"Sentence {number} of the {topic} tells that the {topic} was weighed on day {number} "
        "and was found to be as heavy as on the day before."
        for number in range(1, count + 1)
    )


def paper(
    path: Path,
    *,
    title: str = "On the weight of grey pebbles in rivers",
    authors: str = "Anna Keller, Bo Lindgren",
    columns: int = 1,
    head: str = "Journal of Pebbles 3",
    length: int = 12,
) -> Path:
    """Write a paper of three sections with references; returns its path."""
    printer = Printer(columns=columns, head=head, title=title)
    words, line = title.split(), ""
    for word in words:
        if printer.canvas.stringWidth(f"{line} {word}", BOLD, 17) > printer.width:
            printer.line(line.strip(), BOLD, 17)
            line = ""
        line = f"{line} {word}"
    printer.line(line.strip(), BOLD, 17)
    printer.gap()
    printer.line(authors, ROMAN, 11)
    printer.gap()
    printer.heading("Abstract")
    printer.paragraph(sentences("abstract", 3))
    for number, name in enumerate(("Introduction", "Methods", "Results"), 1):
        printer.heading(f"{number} {name}")
        for part in range(2):
            printer.paragraph(sentences(f"{name.lower()} {part}", length))
    printer.heading("References")
    for number in range(1, 5):
        printer.paragraph(f"[{number}] A. Author. A cited work of number {number}. Annals, 2001.")
    path.write_bytes(printer.data())
    return path


__all__ = ["Printer", "paper", "sentences"]
