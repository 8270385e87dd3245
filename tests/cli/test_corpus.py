"""`papertune corpus`: the JSON that scripts stand on, exit codes, and what a person reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tui.cli import papertune
from tui.domain.errors import MissingError, PapertuneError, UsageError

NOTE = """---
title: {title}
authors: [Anna Keller]
year: 2019
---

## Abstract

A note on pebbles.

## Results

The {thing} was heavier than it looked.

## References

1. A cited work.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    (made / "a.md").write_text(NOTE.format(title="Grey pebbles of the river", thing="granite"))
    (made / "b.md").write_text(NOTE.format(title="White sand of the shore", thing="quartz"))
    (made / "data.bin").write_bytes(b"\0\1")
    return made


class Shell:
    """Runs commands on one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def run(self, *arguments: str | Path) -> Result:
        words = ["corpus", *map(str, arguments), "-w", str(self.workspace)]
        return CliRunner().invoke(papertune, words, standalone_mode=False)

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "workspace")


def test_add_counts_every_file_and_tells_the_totals(shell: Shell, folder: Path) -> None:
    first = shell.json("add", folder)
    five = ("added", "updated", "unchanged", "skipped", "failed")
    assert [first[name] for name in five] == [2, 0, 0, 1, 0]
    assert first["files"] == 3
    assert (first["papers"], first["failures"]) == (2, [])
    assert first["passages"] >= 4
    again = shell.json("add", folder)
    assert [again[name] for name in five] == [0, 0, 2, 1, 0]


def test_a_failure_has_its_reason_and_exit_code_1(shell: Shell, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"")
    result = shell.run("add", folder, "--json")
    assert result.return_value == 1 or result.exit_code == 1
    (failure,) = json.loads(result.stdout)["failures"]
    assert failure == {"path": str(folder / "bad.pdf"), "reason": "empty file"}
    assert "bad.pdf: empty file" in result.stderr


def test_list_show_and_search_give_the_promised_keys(shell: Shell, folder: Path) -> None:
    shell.run("add", folder)
    listed = shell.json("list", "--query", "granite")
    keys = {"id", "title", "authors", "year", "venue", "doi", "arxiv", "tags", "pages", "files"}
    assert [row["id"] for row in listed] == ["keller2019grey"]
    assert keys <= listed[0].keys()
    assert len(shell.json("list", "--limit", "1")) == 1
    shown = shell.json("show", "keller2019grey")
    assert keys | {"abstract", "sections", "references"} <= shown.keys()
    assert {"path", "page", "characters"} <= shown["sections"][0].keys()
    assert shown["references"] == ["1. A cited work."]
    (hit,) = shell.json("search", "granite", "heavier", "--limit", "1")
    assert {
        "paper",
        "title",
        "year",
        "passage",
        "section",
        "page",
        "snippet",
        "score",
    } <= hit.keys()
    human = shell.run("search", "granite").stdout
    assert "The *granite* was heavier" in human


def test_tag_export_import_and_remove(shell: Shell, folder: Path, tmp_path: Path) -> None:
    shell.run("add", folder)
    tagged = shell.json("tag", "keller2019grey", "--add", "stone", "--private")
    assert tagged[0]["tags"] == ["stone"]
    assert tagged[0]["private"] is True
    out = tmp_path / "all.bib"
    shell.run("export", "-o", out)
    assert out.read_text().count("@misc{") == 2
    assert shell.run("export", "keller2019grey").stdout.startswith("@misc{keller2019grey,")
    assert shell.json("remove", "keller2019grey")["papers"] == 1
    report = shell.json("import", out)
    assert (report["added"], report["updated"], report["failed"]) == (1, 1, 0)


def test_a_bad_query_is_explained_not_refused(shell: Shell, folder: Path) -> None:
    shell.run("add", folder)
    result = shell.run("search", 'colour:red "never')
    assert result.exception is None
    assert "no field" in result.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["add", "nowhere"], UsageError),
        (["show", "nobody2000"], UsageError),
        (["tag", "nobody2000", "--add", "x"], UsageError),
        (["import", "nowhere.bib"], UsageError),
        (["import", "--zotero"], MissingError),
    ],
)
def test_what_cannot_be_done_says_so(
    shell: Shell, folder: Path, words: list[str], error: type[PapertuneError]
) -> None:
    shell.run("add", folder)
    failure = shell.run(*words).exception
    assert isinstance(failure, error)
    assert failure.remedy


@pytest.mark.parametrize("words", [["add", "nowhere"], ["list"], ["show", "nobody2000"]])
def test_what_fails_makes_no_workspace(shell: Shell, tmp_path: Path, words: list[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    failure = shell.run(*words).exception
    assert isinstance(failure, PapertuneError)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_papers_says_what_is_read(shell: Shell, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = shell.run("add", empty, "--json")
    assert json.loads(result.stdout)["files"] == 0
    assert "papertune reads PDF" in result.stderr
    assert result.return_value == 1 or result.exit_code == 1


def test_interrupted_it_ends_with_130_and_keeps_what_it_has(shell: Shell, folder: Path) -> None:
    for number in range(200):
        text = NOTE.format(title=f"Pebble number {number} of many", thing="granite")
        (folder / f"{number}.md").write_text(text)
    words = ["-m", "tui", "corpus", "add", str(folder), "-w", str(shell.workspace)]
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL, env=os.environ)
    limit = time.monotonic() + 60
    database = shell.workspace / "workspace.db"
    while time.monotonic() < limit and not (database.exists() and shell.json("list")):
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) in {130, 0}
    report = shell.json("add", folder)
    assert report["added"] + report["unchanged"] == 202
    assert report["papers"] == 202


def test_help_imports_no_heavy_library() -> None:
    program = (
        "import sys\nfrom tui.cli import papertune\n"
        "papertune.main(['corpus', '--help'], standalone_mode=False)\n"
        "heavy = {'textual', 'torch', 'pypdfium2', 'tantivy', 'mistralai'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
