from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tui.storage import atomic

_REWRITER = """
import sys
from pathlib import Path
from tui.storage.atomic import write_text
path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in "ab":
        write_text(path, letter * 200_000)
"""


def test_kill_while_writing_leaves_a_whole_file_and_no_litter_is_ever_read(tmp_path: Path) -> None:
    path = tmp_path / "document.txt"
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", _REWRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        while not path.exists():
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_text()
        assert content in ("a" * 200_000, "b" * 200_000)


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    old = os.umask(0)
    try:
        atomic.write_text(path, "key", atomic.PRIVATE)
        atomic.append_line(tmp_path / "log", {"a": 1}, atomic.PRIVATE)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "document"
    atomic.write_text(path, "old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["document"]


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    atomic.append_line(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "te')
    atomic.append_line(path, {"n": 3})
    assert [row["n"] for row in atomic.read_lines(path)] == [1, 3]


def test_lines_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('[1]\n"x"\n\n{"n": 1}\nnot json\n')
    assert list(atomic.read_lines(path)) == [{"n": 1}]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(atomic.read_lines(tmp_path / "none.jsonl")) == []


def test_json_keeps_what_was_written(tmp_path: Path) -> None:
    value = {"title": "Über die Dinge", "items": [1, None, {"a": True}]}
    atomic.write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == value
