"""The usage ledger: one line for every call and job, whatever workspace made it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from tui.domain.usage import LedgerRow
from tui.mistral.prices import Prices
from tui.storage import atomic
from tui.storage.locations import data_dir


@dataclass(frozen=True, slots=True)
class Totals:
    """What rows add up to; costs apart by currency, calls without a price are in none."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    device_seconds: float
    seconds: float
    costs: dict[str, float]


class Ledger:
    """Appends to and reads `usage.jsonl` in the user's data directory.

    Rows without a workspace get the one this ledger was opened for. `prices` say what calls cost
    when they are written down; what is written stays, whatever prices become.
    """

    def __init__(
        self,
        path: Path | None = None,
        workspace: Path | str = "",
        prices: Prices | None = None,
    ) -> None:
        self._path = path
        self.workspace = str(workspace)
        self.prices = prices or Prices()

    @property
    def path(self) -> Path:
        """Where the ledger lies."""
        return self._path or data_dir() / "usage.jsonl"

    def record(self, row: LedgerRow) -> None:
        """Append a row and fsync it; raises OSError when the disk is full."""
        atomic.append_line(
            self.path, asdict(replace(row, workspace=row.workspace or self.workspace))
        )

    def rows(
        self,
        *,
        month: str | None = None,
        endpoint: str | None = None,
        workspace: Path | str | None = None,
    ) -> Iterator[LedgerRow]:
        """Rows in the order in which they were written; `month` is `2026-11` in local time."""
        for raw in atomic.read_lines(self.path):
            row = _row(raw)
            if row is None:
                continue
            if month is not None and time.strftime("%Y-%m", time.localtime(row.at)) != month:
                continue
            if endpoint is not None and row.endpoint != endpoint:
                continue
            if workspace is not None and row.workspace != str(workspace):
                continue
            yield row

    def totals(
        self,
        *,
        month: str | None = None,
        endpoint: str | None = None,
        workspace: Path | str | None = None,
    ) -> Totals:
        """The sums over the rows that match."""
        calls = prompt = completion = 0
        device = seconds = 0.0
        costs: dict[str, float] = {}
        for row in self.rows(month=month, endpoint=endpoint, workspace=workspace):
            calls += 1
            prompt += row.prompt_tokens
            completion += row.completion_tokens
            device += row.device_seconds
            seconds += row.seconds
            if row.cost is not None and row.currency is not None:
                unit = row.currency.lower()
                costs[unit] = costs.get(unit, 0.0) + row.cost
        return Totals(calls, prompt, completion, device, seconds, costs)


def _row(raw: dict[str, Any]) -> LedgerRow | None:
    """A row of any version: unknown keys are passed over, a row without its basics is none."""
    known = {item.name for item in fields(LedgerRow)}
    try:
        row = LedgerRow(**{key: value for key, value in raw.items() if key in known})
        time.localtime(row.at)
        valid = row.prompt_tokens + row.completion_tokens >= 0 and row.device_seconds >= 0
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return row if valid else None
