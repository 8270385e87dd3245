"""The planted-fault set: each fault is found, named and comes with a fix; clean files are clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.planted import CLEAN_FILES, CONSEQUENCES, FILES, LINES
from tui.datasets.check import check_training_file
from tui.domain.example import CheckReport
from tui.formats.advice import ADVICE, MENDED, code_of

PLANTED = {**LINES, **FILES}


def checked(tmp_path: Path, data: bytes) -> CheckReport:
    path = tmp_path / "file.jsonl"
    path.write_bytes(data)
    return check_training_file(path, seq_len=500)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_with_its_fix(name: str, tmp_path: Path) -> None:
    code, data = PLANTED[name]
    report = checked(tmp_path, data)
    errors = {error.code for error in report.errors}
    found = errors | {code_of(warning) for warning in report.warnings}
    assert code in found
    assert found <= {code, "hosted", *CONSEQUENCES.get(name, ())}
    assert set(report.fixes) == found
    assert report.verdict.startswith("Not fit" if errors else "Fit to train on;")


@pytest.mark.parametrize("name", CLEAN_FILES)
def test_a_clean_file_raises_no_alarm(name: str, tmp_path: Path) -> None:
    report = checked(tmp_path, CLEAN_FILES[name])
    assert (report.errors, report.warnings, report.invalid) == ((), (), 0)
    assert report.verdict == "Fit to train on."
    assert report.fixes == {}


def test_the_set_has_more_than_fifty_kinds() -> None:
    assert len({code for code, _ in PLANTED.values()}) >= 50
    assert len(PLANTED) >= 100
    assert set(ADVICE) >= {code for code, _ in PLANTED.values()} | MENDED


def test_what_a_cut_takes_is_told(tmp_path: Path) -> None:
    _, data = FILES["a question that leaves no room to answer"]
    report = checked(tmp_path, data)
    assert report.over_length == 1
    assert report.cut == report.tokens - 500
    assert "lose their whole answer" in report.warnings[0]
