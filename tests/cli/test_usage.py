from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tui.cli import papertune
from tui.domain.usage import LedgerRow
from tui.mistral.ledger import Ledger

NOVEMBER, OCTOBER = 1795280000.0, 1792600000.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for place in ("CONFIG", "DATA"):
        monkeypatch.setenv(f"PAPERTUNE_{place}_DIR", str(tmp_path / place))
    ledger = Ledger(workspace="/team")
    ledger.record(
        LedgerRow(NOVEMBER, "mistral", "m", "judging", "", 1000, 500, cost=0.5, currency="usd")
    )
    ledger.record(LedgerRow(NOVEMBER, "local", "b", "training", "", 4000, device_seconds=1800.0))
    ledger.record(LedgerRow(OCTOBER, "mistral", "m", "chat", "/other", 1, 1))
    return tmp_path


def said(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(papertune, ["usage", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_a_month_is_told_by_purpose_model_and_endpoint(home: Path) -> None:
    document = said("--month", "2026-11")
    assert document["calls"] == 2
    assert document["costs"] == {"usd": 0.5}
    assert document["device_hours"] == 0.5
    names = {
        key: [item["name"] for item in document[key]]  # type: ignore[attr-defined]
        for key in ("by_purpose", "by_model", "by_endpoint")
    }
    assert names == {
        "by_purpose": ["judging", "training"],
        "by_model": ["b", "m"],
        "by_endpoint": ["local", "mistral"],
    }
    assert said("--all")["calls"] == 3
    assert said("--all", "-w", "/other")["unpriced"] == 1


def test_without_a_ledger_nothing_was_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERTUNE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PAPERTUNE_DATA_DIR", str(tmp_path))
    assert said()["calls"] == 0
    (tmp_path / "config.toml").write_text('[budget]\nmonth = "20usd"\n')
    assert said()["budget"] == {"month": "20usd", "used": "0usd", "left": "20usd"}


def test_a_month_that_is_none_is_refused(home: Path) -> None:
    result = CliRunner().invoke(papertune, ["usage", "--month", "november"])
    assert "month" in str(result.exception)
