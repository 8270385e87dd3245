"""Files made to hurt: giant lines, bombs, bytes that are no text; rows are clear, memory small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.formats.test_check import GOOD
from tui.formats.check import check_file
from tui.formats.fix import fix_file
from tui.formats.records import read_records

BOMBS = {
    "lists": b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "objects": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "lists that never end": b"[" * 1_000_000,
    "a number of a million digits": b'{"text": ' + b"9" * 1_000_000 + b"}",
    "a million keys": b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}",
    "invalid UTF-8": b"\xff\xfe\xfa" * 1000,
    "a lone continuation": b'{"text": "\x80"}',
    "an overlong slash": b'{"text": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"text": "\xed\xa0\x80"}',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_bad_line_among_good_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(GOOD + b"\n" + BOMBS[name] + b"\n" + GOOD.replace(b"Velmora", b"Fen") + b"\n")
    report = check_file(path, near=True)
    assert (report.lines, report.valid, report.invalid) == (3, 2, 1)
    assert {error.line for error in report.errors} == {2}
    assert fix_file(path, tmp_path / "new.jsonl").left_out == 1
    records = list(read_records(path))
    assert records[1].document is None or name == "a million keys"
    assert [record.line for record in records] == [1, 2, 3]


def test_a_giant_line_is_refused_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "giant.jsonl"
    with path.open("wb") as file:  # sparse: it takes no room on the disk
        file.write(GOOD + b'\n{"text": "')
        file.truncate(200_000_000)
    program = (
        "import resource, sys; from pathlib import Path;"
        "from tui.formats.check import check_file; from tui.formats.records import read_records;"
        "path = Path(sys.argv[1]); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "report = check_file(path); records = list(read_records(path));"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "print(report.valid, report.errors[0].code, records[1].reason, after - before)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[:2] == ["1", "line-too-long"]
    assert int(said[-1]) < 80_000  # kilobytes
