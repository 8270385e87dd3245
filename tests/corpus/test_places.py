"""Libraries in places where not everything can be written, or not by everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.corpus import Corpus
from tui.storage import sqlite
from tui.storage import workspace as workspaces
from tui.storage.workspace import Workspace

NOTE = "---\ntitle: Grey pebbles of the river\n---\n\nGranite was found in the river.\n"


def test_on_a_network_file_system_each_host_has_an_index_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspaces, "is_network", lambda _: True)
    monkeypatch.setattr(sqlite, "is_network", lambda _: True)
    (folder / "a.md").write_text(NOTE)
    found = []
    for host in ("one", "two"):
        monkeypatch.setenv("PAPERTUNE_CACHE_DIR", str(tmp_path / host))
        workspace = Workspace.open(tmp_path / "shared")
        corpus = Corpus(workspace)
        corpus.add([folder])
        found.append([hit.paper for hit in corpus.search("granite")])
        assert workspace.index.is_relative_to(tmp_path / host)
        mode = workspace.connection().execute("PRAGMA journal_mode").fetchone()[0]
        assert mode == "delete"
        workspace.close()
    assert found[0] == found[1] != []
    assert not (tmp_path / "shared" / "index").exists()


def test_a_folder_that_may_not_be_written_is_read_and_left_alone(
    corpus: Corpus, folder: Path
) -> None:
    (folder / "a.md").write_text(NOTE)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir())
    folder.chmod(0o555)
    try:
        assert corpus.add([folder]).added == 1
    finally:
        folder.chmod(0o755)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir()) == before
