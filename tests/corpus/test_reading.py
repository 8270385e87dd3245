"""How papers of several makes are read: headings, abstracts, names, references, damaged text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.papers import BOLD, ROMAN, Printer, sentences
from tui.corpus.document import Extracted
from tui.corpus.extract import extract, pdf
from tui.corpus.names import author_names
from tui.corpus.normalise import joiner, mend
from tui.domain.paper import FileKind, FileStatus, SectionKind

ITALIC = "Times-Italic"


def read(path: Path, printer: Printer) -> Extracted:
    path.write_bytes(printer.data())
    return extract(str(path), FileKind.PDF, archive=False, seconds=60)


def begun(head: str = "") -> Printer:
    printer = Printer(head=head)
    printer.line("The slow growth of moss on northern roofs", BOLD, 17)
    printer.gap(6)
    printer.line("Anna Keller, Bo Lindgren", ROMAN, 11)
    printer.gap(14)
    return printer


def run_in(printer: Printer, heading: str, text: str) -> None:
    """A heading in italics on the line on which its paragraph begins."""
    printer.canvas.setFont(ITALIC, 10)
    printer.canvas.drawString(50, printer.y, heading)
    printer.canvas.setFont(ROMAN, 10)
    printer.canvas.drawString(50 + printer.canvas.stringWidth(f"{heading} ", ITALIC, 10),
                              printer.y, text)  # fmt: skip
    printer.y -= 12


def test_a_heading_run_into_its_paragraph_opens_a_section(tmp_path: Path) -> None:
    printer = begun()
    printer.heading("1. Methods")
    run_in(printer, "1.1. Plant material.", "Moss was taken from roofs in the north of the town.")
    printer.paragraph(sentences("moss", 8))
    run_in(printer, "1.2. Water.", "Rain was gathered in a barrel that had never held wine.")
    printer.paragraph(sentences("rain", 8))
    found = read(tmp_path / "a.pdf", printer)
    paths = [section.path for section in found.sections]
    assert "1. Methods > 1.1. Plant material" in paths
    assert "1. Methods > 1.2. Water" in paths
    assert "Moss was taken from roofs" in found.text


def test_headings_set_smaller_than_the_text_are_learnt_from_their_style(tmp_path: Path) -> None:
    printer = begun()
    printer.heading("Methods", 11)
    names = ["Plants and stones", "Rain and barrels", "Scales and weights"]
    for name in names:
        printer.gap(6)
        printer.line(name, "Helvetica", 9.5)
        printer.paragraph(sentences(name.lower(), 6))
    found = read(tmp_path / "a.pdf", printer)
    assert [s.title for s in found.sections if s.title in names] == names


def test_labels_of_an_abstract_stay_in_it_and_keywords_do_not(tmp_path: Path) -> None:
    printer = begun()
    printer.heading("Abstract")
    for label in ("Background", "Methods", "Results"):
        printer.line(label, BOLD, 10)
        printer.paragraph(sentences(label.lower(), 2))
    printer.paragraph("Keywords: moss, roofs, rain")
    printer.heading("Introduction")
    printer.paragraph(sentences("introduction", 9))
    found = read(tmp_path / "a.pdf", printer)
    assert sentences("background", 2) in found.metadata.abstract
    assert sentences("results", 2) in found.metadata.abstract
    assert "moss, roofs" not in found.metadata.abstract
    titles = [section.title for section in found.sections if section.title]
    assert titles == ["Abstract", "Introduction"]


def test_a_table_of_contents_makes_no_sections(tmp_path: Path) -> None:
    printer = begun()
    printer.heading("Contents")
    for number, name in enumerate(("Moss", "Roofs", "Rain", "Weights", "Ends"), 1):
        printer.line(f"{number} {name} . . . . . . . . . . . . . . . . {number * 7}")
    printer.gap(20)
    for number, name in enumerate(("Moss", "Roofs", "Rain", "Weights", "Ends"), 1):
        printer.heading(f"{number} {name}")
        printer.paragraph(sentences(name.lower(), 6))
    found = read(tmp_path / "a.pdf", printer)
    titles = [section.title for section in found.sections if section.title]
    assert titles == ["1 Moss", "2 Roofs", "3 Rain", "4 Weights", "5 Ends"]


def test_references_with_hanging_lines_are_kept_apart(tmp_path: Path) -> None:
    printer = begun()
    printer.heading("Introduction")
    printer.paragraph(sentences("introduction", 9))
    printer.heading("References")
    for year in range(2001, 2007):
        printer.line(f"Keller, A., and Lindgren, B. ({year}). On the weight of moss in a wet year")
        printer.canvas.setFont(ROMAN, 10)
        printer.canvas.drawString(62, printer.y, f"and in a dry one. Annals of Roofs {year}, 1.")
        printer.y -= 12
    found = read(tmp_path / "a.pdf", printer)
    assert len(found.references) == 6
    assert found.references[3].startswith("Keller, A., and Lindgren, B. (2004).")
    assert all(span.kind is not SectionKind.REFERENCES for span in found.spans)


def test_pages_whose_text_is_garbled_are_left_out_and_named(tmp_path: Path) -> None:
    printer = begun()
    printer.heading("Introduction")
    printer.paragraph(sentences("introduction", 30))
    while printer.page < 2:
        printer.line("and so on and so on to the end of the page of this paper")
    printer._new_page()
    for _ in range(30):
        printer.line("¸¹º»¼½¾¿¡¢£¤¥¦§ ª«¬®¯ ²³´µ¶·¸¹º »¼½¾¿ ¡¢£¤¥¦§")
    found = read(tmp_path / "a.pdf", printer)
    assert found.status is FileStatus.PARTLY
    assert "garbled text on pages 3" in found.reason
    assert "¼½¾" not in found.text


def test_a_document_of_too_many_pages_says_which_were_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "MOST_PAGES", 2)
    printer = begun()
    for _ in range(4):
        printer.paragraph(sentences("long", 60))
    found = read(tmp_path / "a.pdf", printer)
    assert found.status is FileStatus.PARTLY
    assert found.reason == f"pages 3 to {found.pages} were left: too many for a paper"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Subhash Yadav a, Sanjay Jain a, Rahul Bansal b, *", 3),
        ("Sage A. Weil Andrew W. Leung Scott A. Brandt Carlos Maltzahn", 4),
        ("S.Vijayalakshmi,V.Arunkumar, A.K.Chandrasekharan", 3),
        ("Borugă O*, Jianu C**, Mişcă C**", 3),
        ("Mike Burrows, Google Inc.", 1),
        ("Department of Physics, University of Bergen, Norway", 0),
    ],
)
def test_names_are_told_from_what_stands_around_them(line: str, names: int) -> None:
    assert len(author_names(line)) == names


def test_an_accent_written_apart_is_put_onto_its_letter() -> None:
    assert mend("Per Martin-Lof¨ and Emin Gun¨ Sirer") == "Per Martin-Löf and Emin Gün Sirer"
    assert mend("Andr´e") == "André"


def test_a_word_is_joined_by_the_texts_own_spelling() -> None:
    join = joiner(["a well-known measurement", "and more of it"])
    assert join("the mea\ufffesurement is well\ufffeknown") == "the measurement is well-known"
