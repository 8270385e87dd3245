from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from tui.domain.errors import ConflictError, MissingError, PapertuneError, UsageError
from tui.storage import sqlite
from tui.storage.filesystem import file_system
from tui.storage.workspace import DATABASE, Workspace, migrations


def test_a_new_workspace_has_every_migration(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "team")
    version = workspace.connection().execute("PRAGMA user_version").fetchone()[0]
    assert version == len(migrations()) > 0


def test_opening_again_keeps_what_was_stored(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "team")
    with workspace.transaction() as connection:
        connection.execute("INSERT INTO dataset (name, created_at) VALUES ('a', 1.0)")
    workspace.close()
    again = Workspace.open(tmp_path / "team")
    assert again.connection().execute("SELECT name FROM dataset").fetchone()["name"] == "a"


def test_a_workspace_of_a_newer_version_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    path = tmp_path / DATABASE
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    with pytest.raises(PapertuneError, match="newer papertune"):
        Workspace.open(tmp_path)
    assert path.read_bytes() == before


def test_a_damaged_database_is_named_not_replaced(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"this is no database at all" * 400)
    with pytest.raises(PapertuneError, match="damaged or no database"):
        Workspace.open(tmp_path)
    assert (tmp_path / DATABASE).read_bytes().startswith(b"this is no database")


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        Workspace.open(tmp_path / "paper.pdf")


def test_a_missing_workspace_names_the_command_that_starts_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="papertune corpus add"):
        Workspace.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    with pytest.raises(RuntimeError), workspace.transaction() as connection:
        connection.execute("INSERT INTO dataset (name, created_at) VALUES ('a', 1.0)")
        raise RuntimeError
    assert workspace.connection().execute("SELECT count(*) FROM dataset").fetchone()[0] == 0


def test_a_second_writer_is_told_who_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    first, second = Workspace.open(tmp_path), Workspace.open(tmp_path)
    with first.transaction():
        with pytest.raises(ConflictError, match="holds the database"), second.transaction():
            pass
        assert second.connection().execute("SELECT count(*) FROM dataset").fetchone()[0] == 0


def test_each_thread_has_a_connection_of_its_own(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(workspace.connection()))
    thread.start()
    thread.join()
    assert seen[0] is not workspace.connection()


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    good = "CREATE TABLE a (x INTEGER) STRICT;"
    bad = "CREATE TABLE b (x INTEGER) STRICT; SELECT nothing;"
    with pytest.raises(PapertuneError):
        sqlite.connect(tmp_path / "x.db", [good, bad])
    connection = sqlite.connect(tmp_path / "x.db", [good])
    names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert names == {"a"}


def test_the_file_system_is_read_from_the_innermost_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    inner = tmp_path / "home"
    inner.mkdir()
    mounts.write_text(
        "1 0 0:1 / / rw - ext4 /dev/a rw\n"
        f"2 1 0:2 / {inner} rw shared:1 - nfs4 server:/home rw\n"
        "garbage\n"
    )
    assert file_system(inner / "user", mounts) == "nfs4"
    assert file_system(tmp_path, mounts) == "ext4"
