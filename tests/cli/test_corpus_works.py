"""`papertune corpus` merge, split, undo, facets, problems, saved, ocr, import and fetching."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.corpus.papers import paper
from tests.corpus.services_double import KEY, Services, item, running
from tui.cli import papertune
from tui.domain.errors import MissingError, NotFoundError, UsageError

NOTE = "---\ntitle: {title}\nauthors: [{author}]\nyear: {year}\n---\n\nThe {thing} was heavy.\n"


class Shell:
    """Runs commands on one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def run(self, *arguments: str | Path) -> Result:
        words = ["corpus", *map(str, arguments), "-w", str(self.workspace)]
        return CliRunner().invoke(papertune, words, standalone_mode=False)

    def json(self, *arguments: str | Path) -> Any:
        result = self.run(*arguments, "--json")
        if result.exception:
            raise result.exception
        return json.loads(result.stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "workspace")


@pytest.fixture
def filled(shell: Shell, tmp_path: Path) -> Shell:
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, title, author, year, thing in (
        ("a", "Grey pebbles of the river", "Anna Keller", 2019, "granite"),
        ("b", "White sand of the shore", "Zoë Müller", 2021, "quartz"),
    ):
        text = NOTE.format(title=title, author=author, year=year, thing=thing)
        (folder / f"{name}.md").write_text(text)
    shell.json("add", folder)
    return shell


def test_papers_are_merged_split_and_taken_back(filled: Shell) -> None:
    kept = filled.json("merge", "keller2019grey", "White sand of the shore")
    assert (kept["id"], len(kept["files"])) == ("keller2019grey", 2)
    both = filled.json("split", "keller2019grey", "b.md")
    assert len(both["paper"]["files"]) == len(both["made"]["files"]) == 1
    assert filled.json("undo")["undone"].startswith("split")
    assert filled.json("undo")["left"] == 0
    assert filled.json("undo")["undone"] is None
    assert {p["id"] for p in filled.json("list")} == {"keller2019grey", "muller2021white"}
    with pytest.raises(UsageError):
        filled.json("split", "keller2019grey", "nothing.md")


def test_facets_orders_and_saved_searches(filled: Shell) -> None:
    assert filled.json("facets")["year"] == [
        {"value": "2021", "papers": 1}, {"value": "2019", "papers": 1},
    ]  # fmt: skip
    assert filled.json("facets", "granite")["author"] == [{"value": "Anna Keller", "papers": 1}]
    assert [p["year"] for p in filled.json("list", "--sort", "author")] == [2019, 2021]
    assert [p["year"] for p in filled.json("list", "--sort", "title", "--descending")] == [
        2021,
        2019,
    ]
    with pytest.raises(UsageError):
        filled.json("list", "--sort", "colour")
    filled.json("saved", "save", "new ones", "year:2020..")
    assert filled.json("saved") == [{"name": "new ones", "query": "year:2020..", "papers": 1}]
    assert [p["year"] for p in filled.json("list", "--saved", "new ones")] == [2021]
    filled.json("saved", "forget", "new ones")
    with pytest.raises(NotFoundError):
        filled.json("list", "--saved", "new ones")


def test_a_dataset_is_a_set_of_papers_to_search_in(filled: Shell, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(
        json.dumps({"question": "What was heavy?", "answer": "Granite.", "paper": "keller2019grey"})
    )
    where = ["-w", str(filled.workspace)]
    for words in (["create", "mine"], ["add", "mine", "--kind", "qa", "--file", str(pairs)]):
        result = CliRunner().invoke(papertune, ["dataset", *words, *where], standalone_mode=False)
        assert result.exception is None, result.output
    assert [p["id"] for p in filled.json("list", "--query", "in:mine")] == ["keller2019grey"]
    assert [p["id"] for p in filled.json("list", "--query", "-in:mine")] == ["muller2021white"]
    assert "no dataset" in filled.run("list", "--query", "in:other").stderr


def test_problems_say_their_kind_and_what_to_do(filled: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4")
    assert filled.run("add", broken).return_value == 1
    (problem,) = filled.json("problems", "--kind", "failed")
    assert problem["path"] == str(broken)
    assert problem["remedy"]
    assert filled.json("problems", "--kind", "scanned") == []
    with pytest.raises(UsageError):
        filled.json("problems", "--kind", "odd")


@pytest.fixture
def scan(shell: Shell, tmp_path: Path) -> Path:
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    path = tmp_path / "scan.pdf"
    canvas = Canvas(str(path), invariant=True)
    canvas.drawImage(ImageReader(Image.new("L", (200, 300), 200)), 0, 0, 595, 842)
    canvas.showPage()
    canvas.save()
    assert shell.run("add", path).return_value == 1
    (problem,) = shell.json("problems", "--kind", "scanned")
    assert "papertune corpus ocr" in problem["remedy"]
    return path


def program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an `ocrmypdf` first in the path."""
    folder.mkdir()
    path = folder / "ocrmypdf"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_scan_is_read_through_a_copy_with_text(
    shell: Shell, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = scan.read_bytes()
    made = paper(tmp_path / "text.pdf", length=2)
    # The last argument is the copy to write; what stands before it is the scan.
    program(tmp_path / "bin", f'for last in "$@"; do :; done\ncp {made} "$last"', monkeypatch)
    report = shell.json("ocr", "--all")
    assert (report["recognised"], report["failed"], report["papers"]) == (1, 0, 1)
    assert scan.read_bytes() == original
    assert shell.json("problems", "--kind", "scanned") == []
    assert shell.json("add", scan)["skipped"] == 1
    assert {Path(path).name for path in shell.json("list")[0]["files"]} >= {"scan.pdf"}


def test_recognition_that_fails_says_why(
    shell: Shell, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "exit 8", monkeypatch)
    result = shell.run("ocr", scan)
    assert result.return_value == 1
    assert "password needed" in result.stderr
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(MissingError, match="apt install ocrmypdf"):
        shell.json("ocr", scan)
    with pytest.raises(NotFoundError):
        shell.json("ocr", tmp_path / "other.pdf")
    with pytest.raises(UsageError):
        shell.json("ocr")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAPERTUNE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PAPERTUNE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "config.toml"


def test_identifiers_are_fetched_and_told(shell: Shell, configured: Path) -> None:
    with running(
        Services(csl={"title": "The Grey Pebble of a river", "DOI": "10.1234/x"})
    ) as served:
        configured.write_text(f'[sources]\ndoi = "{served.url}"\n')
        told = shell.json("add", "doi:10.1234/x")
    assert told["fetched"]["added"] == told["papers"] == 1
    assert told["fetched"]["records"] == 1
    assert shell.json("list")[0]["doi"] == "10.1234/x"
    with pytest.raises(UsageError):
        shell.json("add", "arxiv:nonsense")


def test_a_zotero_library_is_imported_with_a_key_of_the_environment(
    shell: Shell, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = [item("WORK0001", 5, itemType="book", title="Stones and how to weigh them")]
    with running(Services(items=works)) as served:
        configured.write_text(f'[sources]\nzotero = "{served.url}"\n')
        monkeypatch.delenv("PAPERTUNE_KEY_ZOTERO", raising=False)
        with pytest.raises(MissingError):
            shell.json("import", "--zotero")
        monkeypatch.setenv("PAPERTUNE_KEY_ZOTERO", KEY)
        assert shell.json("import", "--zotero")["added"] == 1
        assert shell.json("import", "--zotero")["entries"] == 0
    with pytest.raises(MissingError, match="cannot be reached"):
        shell.json("import", "--zotero")
    with pytest.raises(UsageError):
        shell.json("import")
