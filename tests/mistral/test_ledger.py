from __future__ import annotations

from pathlib import Path

from tui.domain.usage import LedgerRow
from tui.mistral import Ledger

NOVEMBER, OCTOBER = 1795280000.0, 1792600000.0


def row(at: float = NOVEMBER, endpoint: str = "mistral", **more: object) -> LedgerRow:
    values: dict[str, object] = {"prompt_tokens": 10, "completion_tokens": 5, **more}
    return LedgerRow(at, endpoint, "m", "chat", "", **values)  # type: ignore[arg-type]


def test_rows_are_found_by_month_endpoint_and_workspace(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    one, two = Ledger(path, "/a"), Ledger(path, "/b")
    one.record(row(cost=0.5, currency="USD"))
    one.record(row(OCTOBER, cost=2.0, currency="USD"))
    two.record(row(endpoint="local", device_seconds=3.0))
    assert one.totals().calls == 3
    november = one.totals(month="2026-11")
    assert (november.calls, november.prompt_tokens, november.costs) == (2, 20, {"usd": 0.5})
    assert one.totals(endpoint="local").device_seconds == 3.0
    assert [item.workspace for item in one.rows(workspace="/b")] == ["/b"]


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_text(
        '{"at": "soon"}\n[]\n{"at": 1e300, "endpoint": "e", "model": "m", "purpose": "p",'
        ' "workspace": ""}\n{"at": 1, "endpoint": "e", "model": "m", "purpose": "p",'
        ' "workspace": "", "prompt_tokens": "many"}\n{"at": 17952'
    )
    ledger = Ledger(path)
    ledger.record(row())
    assert ledger.totals().calls == 1
