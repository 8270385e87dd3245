from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.papers import Printer, paper, sentences
from tui.corpus.document import Extracted, Unreadable
from tui.corpus.extract import extract
from tui.domain.paper import FileKind, FileStatus, SectionKind


def read(path: Path) -> Extracted:
    return extract(str(path), FileKind.PDF, archive=False, seconds=60)


@pytest.mark.parametrize("columns", [1, 2])
def test_a_paper_is_read_with_title_authors_abstract_sections_and_references(
    tmp_path: Path, columns: int
) -> None:
    found = read(paper(tmp_path / "a.pdf", columns=columns))
    assert found.metadata.title == "On the weight of grey pebbles in rivers"
    assert found.metadata.authors == ("Anna Keller", "Bo Lindgren")
    assert found.metadata.abstract == sentences("abstract", 3)
    titles = [section.title for section in found.sections]
    assert titles == ["Abstract", "1 Introduction", "2 Methods", "3 Results", "References"]
    assert found.sections[0].kind is SectionKind.ABSTRACT
    assert found.sections[-1].kind is SectionKind.REFERENCES
    assert len(found.references) == 4
    assert found.references[1] == "[2] A. Author. A cited work of number 2. Annals, 2001."


@pytest.mark.parametrize("columns", [1, 2])
def test_sentences_stand_whole_and_in_order_on_their_pages(tmp_path: Path, columns: int) -> None:
    found = read(paper(tmp_path / "a.pdf", columns=columns, length=40))
    assert found.pages > 1
    for name in ("introduction", "methods", "results"):
        for part in range(2):
            assert sentences(f"{name} {part}", 40) in found.text
    pages = [page for _, page in found.page_starts]
    assert pages == sorted(pages)
    assert set(pages) == set(range(1, found.pages + 1))


def test_columns_written_row_by_row_are_not_interleaved(tmp_path: Path) -> None:
    printer = Printer()
    left = [f"left {n} has words enough to be a line of prose" for n in range(30)]
    right = [f"right {n} has words enough to be a line too" for n in range(30)]
    for a, b in zip(left, right, strict=True):
        printer.canvas.setFont("Times-Roman", 10)
        printer.canvas.drawString(50, printer.y, a)
        printer.canvas.drawString(320, printer.y, b)
        printer.y -= 12
    path = tmp_path / "rows.pdf"
    path.write_bytes(printer.data())
    text = read(path).text
    assert text.index("left 29") < text.index("right 0")


def test_running_heads_and_page_numbers_are_gone(tmp_path: Path) -> None:
    found = read(paper(tmp_path / "a.pdf", head="Keller and Lindgren: Pebbles", length=60))
    assert "Keller and Lindgren" not in found.text.split("\n\n", 2)[2]
    assert not any(line.strip().isdigit() for line in found.text.splitlines())


def test_words_cut_at_line_ends_are_joined_by_the_papers_own_spelling(tmp_path: Path) -> None:
    printer = Printer()
    printer.line("A title for words that are cut", "Times-Bold", 17)
    printer.gap(20)
    printer.heading("1 Introduction")
    printer.paragraph(
        "The well-known measurement of water is repeated until the water is tired of the "
        "measurement and the wellknown is cut here: measurement goes on, and wellknown too.",
        hyphenate=["measure-ment", "well-known"],
    )
    path = tmp_path / "hyphens.pdf"
    path.write_bytes(printer.data())
    text = read(path).text
    assert "measure-ment" not in text
    assert "measurement goes on" in text
    assert "\u0002" not in text
    assert "\ufffe" not in text


def test_a_caption_stays_with_its_table_and_out_of_the_sentences(tmp_path: Path) -> None:
    printer = Printer()
    printer.line("A title above a table of weights", "Times-Bold", 17)
    printer.gap(20)
    printer.heading("1 Results")
    printer.paragraph(sentences("before", 6))
    printer.gap(10)
    printer.line("Table 1: Pebbles and their weights.", size=9)
    printer.gap(6)
    for row in ("Grey 12 14", "White 8 9", "Black 31 30"):
        printer.line(row, size=8.5)
    printer.gap(14)
    printer.paragraph(sentences("after", 6))
    path = tmp_path / "table.pdf"
    path.write_bytes(printer.data())
    found = read(path)
    captions = [s for s in found.spans if s.kind is SectionKind.CAPTION]
    assert len(captions) == 1
    kept = found.text[captions[0].start : captions[0].end]
    assert kept.startswith("Table 1: Pebbles and their weights.")
    assert "Black 31 30" in kept


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<html><body>Please log in</body></html>", "web page"),
        (b"%PDF-1.7\ngarbage that is no PDF at all", "not a PDF or damaged"),
        (b"\x00\x01\x02" * 500, "not a PDF or damaged"),
    ],
)
def test_what_is_no_pdf_is_refused_with_its_reason(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=reason):
        read(path)


def test_a_truncated_pdf_is_read_or_refused_never_empty(tmp_path: Path) -> None:
    whole = paper(tmp_path / "a.pdf", length=40).read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        path = tmp_path / "cut.pdf"
        path.write_bytes(whole[: int(len(whole) * share)])
        try:
            assert read(path).text
        except Unreadable as refusal:
            assert str(refusal)


def test_an_encrypted_pdf_needs_its_password(tmp_path: Path) -> None:
    printer = Printer(encrypted="secret")
    printer.paragraph(sentences("secret", 5))
    path = tmp_path / "locked.pdf"
    path.write_bytes(printer.data())
    with pytest.raises(Unreadable, match="password needed"):
        read(path)


def test_a_scan_is_told_from_an_empty_paper(tmp_path: Path) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    printer = Printer()
    picture = ImageReader(Image.new("L", (200, 300), 200))
    printer.canvas.drawImage(picture, 0, 0, 595, 842)
    path = tmp_path / "scan.pdf"
    path.write_bytes(printer.data())
    with pytest.raises(Unreadable, match="scanned: needs OCR"):
        read(path)


def test_a_garbled_text_layer_is_refused(tmp_path: Path) -> None:
    printer = Printer()
    shifted = sentences("shift", 60).translate(
        {code: 97 + (code - 97 + 11) % 26 for code in range(97, 123)}
    )
    printer.paragraph(shifted)
    path = tmp_path / "garbled.pdf"
    path.write_bytes(printer.data())
    with pytest.raises(Unreadable, match="garbled text"):
        read(path)


def test_too_little_time_keeps_the_pages_that_were_read(tmp_path: Path) -> None:
    path = paper(tmp_path / "a.pdf", length=60)
    found = extract(str(path), FileKind.PDF, archive=False, seconds=60)
    assert found.status is FileStatus.READ
    with pytest.raises(Unreadable):
        extract(str(path), FileKind.PDF, archive=False, seconds=-1)
