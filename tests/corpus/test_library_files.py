"""Exports of reference managers, and the files of another machine found on this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.corpus.papers import paper
from tui.corpus import Corpus
from tui.corpus.sources.attachments import FileFinder
from tui.domain.errors import UsageError


@pytest.fixture
def pdf(tmp_path: Path) -> bytes:
    return paper(tmp_path / "made.pdf", title="A title that the PDF says", length=2).read_bytes()


@pytest.mark.parametrize(
    ("said", "lies"),
    [
        ("/Users/me/Zotero/storage/ABCD2345/a b.pdf", "storage/ABCD2345/a b.pdf"),
        (r"C:\Users\me\Zotero\storage\ABCD2345\a b.pdf", "storage/ABCD2345/a b.pdf"),
        ("file:///C:/Users/me/Zotero/storage/ABCD2345/a%20b.pdf", "storage/ABCD2345/a b.pdf"),
        ("/Volumes/papers/2019/x.pdf", "here/2019/x.pdf"),
        ("files/12/x.pdf", "files/12/x.pdf"),
        ("/Users/me/Zotero/storage/ABCD2345/Mu\u0308ller.pdf", "storage/ABCD2345/Müller.pdf"),
    ],
)
def test_paths_of_a_laptop_are_found_here(said: str, lies: str, tmp_path: Path) -> None:
    path = tmp_path / lies
    path.parent.mkdir(parents=True)
    path.write_bytes(b"%PDF-")
    mapped = (("/Volumes/papers", str(tmp_path / "here")),)
    finder = FileFinder(tmp_path, tmp_path / "storage", mapped)
    assert finder.find(said) == path
    assert FileFinder(tmp_path / "other").find(said) is None


def test_no_name_leads_out_of_the_storage(tmp_path: Path) -> None:
    (tmp_path / "secret.pdf").write_bytes(b"%PDF-")
    (tmp_path / "storage" / "ABCD2345").mkdir(parents=True)
    finder = FileFinder(None, tmp_path / "storage")
    assert finder.find("storage/ABCD2345/../../secret.pdf") is None
    assert finder.find("../../secret.pdf", "ABCD2345") is None
    assert finder.find("x\0y") is None


def test_better_bibtex_and_csl_json_are_imported(corpus: Corpus, folder: Path, pdf: bytes) -> None:
    stored = folder / "storage" / "ABCD2345"
    stored.mkdir(parents=True)
    (stored / "x.pdf").write_bytes(pdf)
    better = {
        "config": {"id": "36a3b0b5"}, "version": {"zotero": "7"},
        "collections": {"C1": {"key": "C1", "name": "Rivers", "items": [7], "collections": []}},
        "items": [
            {"itemType": "journalArticle", "itemID": 7, "key": "K1", "citationKey": "keller2019",
             "title": "Grey pebbles of the river", "date": "2019-05-01", "DOI": "10.1234/grey",
             "creators": [{"creatorType": "author", "firstName": "Anna", "lastName": "Keller"}],
             "tags": [{"tag": "stone"}],
             "attachments": [
                 {"itemType": "attachment", "title": "PDF",
                  "path": "/Users/me/Zotero/storage/ABCD2345/x.pdf"},
                 {"itemType": "attachment", "title": "gone.pdf",
                  "path": "/Users/me/Zotero/storage/GONE2345/gone.pdf"}]},
            {"itemType": "note", "note": "x"}, {"itemType": "book"}, 3,
        ],
    }  # fmt: skip
    path = folder / "library.json"
    path.write_text(json.dumps(better))
    report = corpus.import_file(path)
    assert (report.entries, report.added, report.failed, report.files) == (3, 1, 2, 1)
    assert len(report.missing) == 1
    (only,) = corpus.papers()
    assert (only.tags, only.title) == (("Rivers", "stone"), "Grey pebbles of the river")
    assert only.pages > 0
    path.write_text(
        json.dumps([
            {"id": "a", "title": "Grey Pebbles of the River", "DOI": "10.1234/GREY",
             "author": [{"family": "Keller", "given": "Anna"}], "volume": 3},
            {"id": "b", "title": "White sand", "issued": {"raw": "in 2021"}, "archive": "arXiv",
             "number": "arXiv:2401.01234", "author": [{"literal": "Group"}]},
            {"id": "c"}, None,
        ])
    )  # fmt: skip
    report = corpus.import_file(path)
    assert (report.entries, report.added, report.updated, report.failed) == (4, 1, 1, 2)
    assert corpus.resolve("2401.01234").year == 2021
    for broken in ("[", '{"items": 3}', "[[[[", "[]"):
        path.write_text(broken)
        with pytest.raises(UsageError):
            corpus.import_file(path)


def test_a_bib_file_brings_the_files_that_it_names(
    corpus: Corpus, folder: Path, pdf: bytes
) -> None:
    (folder / "files").mkdir()
    (folder / "files" / "a; b.pdf").write_bytes(pdf)
    corpus.add([folder / "files"])
    before = corpus.papers()[0].id
    (folder / "refs.bib").write_text(
        "@article{k, title={Grey pebbles of the river}, author={Keller, Anna}, year=2019,\n"
        "file={Full Text:files/a\\; b.pdf:application/pdf;:Users/me/b.pdf:pdf}}"
    )
    report = corpus.import_file(folder / "refs.bib")
    assert (report.files, len(report.missing)) == (1, 1)
    (only,) = corpus.papers()
    assert only.title == "Grey pebbles of the river"
    assert only.pages > 0
    assert corpus.resolve(before).id == only.id
    assert corpus.import_file(folder / "refs.bib").added == 0
    assert corpus.totals().papers == 1
