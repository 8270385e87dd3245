"""Curves for other programs: every value comes back as it was."""

from __future__ import annotations

import csv
import json
import math
import struct
from pathlib import Path

import pytest

from tui.domain.errors import UsageError
from tui.domain.job import Job, JobStatus, LossPoint
from tui.jobs.compare import JobResult
from tui.jobs.export import export, format_of
from tui.jobs.tensorboard import crc32c, write_events

POINTS = tuple(
    LossPoint(
        n,
        1000.0 + n,
        3.0 / n,
        1e-4,
        0.5,
        40 * n,
        {"m": 1.0 / n, "t": 2.0} if n % 2 else {},
    )
    for n in range(1, 6)
)
RESULT = JobResult(
    Job("job-1", "m", JobStatus.SUCCESS, 0, 0), "a@v1", POINTS, {"m": "memory", "t": "transfer"}
)


def test_csv_has_a_row_a_point_and_a_column_for_each_loss(tmp_path: Path) -> None:
    [path] = export([RESULT], tmp_path / "curve.csv", "csv")
    rows = list(csv.DictReader(path.open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["memory_loss"] for row in rows][:2] == ["1.0", ""]
    assert rows[4]["seconds"] == "4.0" and rows[0]["transfer_loss"] == "2.0"


def test_json_lines_hold_no_number_that_json_lacks(tmp_path: Path) -> None:
    lost = JobResult(RESULT.job, "", (LossPoint(1, 1.0, math.nan),), {})
    [path] = export([RESULT, lost], tmp_path / "curve.jsonl", "jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 6 and rows[-1]["train_loss"] is None
    assert rows[2]["memory_loss"] == pytest.approx(1 / 3)


def test_an_event_file_is_whole_records_with_true_checksums(tmp_path: Path) -> None:
    [path] = export([RESULT], tmp_path / "board", "tensorboard")
    data = path.read_bytes()
    count = 0
    while data:
        [length] = struct.unpack("<Q", data[:8])
        assert unmasked(data[8:12]) == crc32c(data[:8])
        assert unmasked(data[12 + length : 16 + length]) == crc32c(data[12 : 12 + length])
        data, count = data[16 + length :], count + 1
    assert count == 1 + len(POINTS)
    assert path.name.startswith("events.out.tfevents.") and path.parent.name == "job-1-a-v1"


def unmasked(crc: bytes) -> int:
    value: int = (struct.unpack("<I", crc)[0] - 0xA282EAD8) & 0xFFFFFFFF
    return (value >> 17 | value << 15) & 0xFFFFFFFF


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the catalogue of CRCs
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"") == 0


def test_an_event_says_step_time_and_value(tmp_path: Path) -> None:
    path = write_events(tmp_path, [(12.5, 300, {"loss/train": 0.25})], name="x")
    data = path.read_bytes()
    assert b"brain.Event:2" in data and b"loss/train" in data
    assert struct.pack("<d", 12.5) in data and struct.pack("<f", 0.25) in data
    assert b"\x10\xac\x02" in data  # field 2, varint 300


def test_nothing_measured_is_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export([JobResult(RESULT.job, "", (), {})], tmp_path / "x.csv", "csv")
    assert list(tmp_path.iterdir()) == []


def test_the_ending_names_the_format() -> None:
    assert format_of(Path("a.csv")) == "csv"
    assert format_of(Path("a.jsonl")) == "jsonl"
    assert format_of(Path("board")) == "tensorboard"
    assert format_of(Path("a.xyz"), "csv") == "csv"
    with pytest.raises(UsageError):
        format_of(Path("a.xyz"))
