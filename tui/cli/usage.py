"""`papertune usage`: what every call of a month used, whoever asked for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import chosen_workspace, common, emit, say, show
from tui.domain.errors import UsageError
from tui.domain.usage import LedgerRow, plain_number

if TYPE_CHECKING:
    from tui.mistral.ledger import Ledger

_GROUPS: dict[str, Callable[[LedgerRow], str]] = {
    "purpose": lambda row: row.purpose,
    "model": lambda row: row.model,
    "endpoint": lambda row: row.endpoint,
    "workspace": lambda row: row.workspace,
}


@click.command("usage")
@click.option("--month", help="Which month, like 2026-11; this one unless named.")
@click.option("--all", "everything", is_flag=True, help="All months.")
@click.option(
    "--by",
    type=click.Choice(list(_GROUPS)),
    default="purpose",
    show_default=True,
    help="What the rows are of (--json gives all).",
)
@common
def command(
    month: str | None, everything: bool, by: str, workspace: Path | None, as_json: bool
) -> None:
    """Calls, tokens, money where prices are known, and hours of our own devices.

    Chat, generation, judging, embedding, evaluation and training are all in it. With -w, only
    what was asked for in that workspace. Prices: [prices] in config.toml; budgets: [budget].
    """
    from tui.mistral.ledger import Ledger
    from tui.mistral.prices import Prices, published
    from tui.settings import load_settings

    settings = load_settings()
    chosen = chosen_workspace(workspace)
    root = str(chosen.resolve()) if chosen else None
    ledger = Ledger(prices=Prices(settings.prices))
    when = None if everything else _month(month)
    rows = list(ledger.rows(month=when, workspace=root))
    table = published()
    document: dict[str, Any] = {
        "month": when,
        "workspace": root,
        **_sums(rows),
        **{f"by_{name}": _grouped(rows, key) for name, key in _GROUPS.items()},
        "budget": _budget(ledger, settings.budget.month),
        "prices": {"source": table.source, "date": table.date},
    }
    if as_json:
        emit(document)
        return
    _print(document, by)


def _month(month: str | None) -> str:
    if month is None:
        return time.strftime("%Y-%m")
    try:
        time.strptime(month, "%Y-%m")
    except ValueError:
        raise UsageError("That is no month.", "Write it like 2026-11.") from None
    return month


def _sums(rows: list[LedgerRow]) -> dict[str, Any]:
    costs: dict[str, float] = {}
    for row in rows:
        if row.cost is not None and row.currency:
            unit = row.currency.lower()
            costs[unit] = costs.get(unit, 0.0) + row.cost
    return {
        "calls": len(rows),
        "prompt_tokens": sum(row.prompt_tokens for row in rows),
        "completion_tokens": sum(row.completion_tokens for row in rows),
        "costs": {unit: round(value, 6) for unit, value in sorted(costs.items())},
        "unpriced": sum(row.cost is None and not row.device_seconds for row in rows),
        "device_hours": round(sum(row.device_seconds for row in rows) / 3600, 6),
        "seconds": round(sum(row.seconds for row in rows), 3),
    }


def _grouped(rows: list[LedgerRow], key: Callable[[LedgerRow], str]) -> list[dict[str, Any]]:
    groups: dict[str, list[LedgerRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    found = [{"name": name, **_sums(items)} for name, items in groups.items()]
    return sorted(found, key=lambda item: (-item["calls"], item["name"]))


def _budget(ledger: Ledger, month: Any) -> dict[str, Any] | None:
    from tui.mistral.budget import Allowance, month_start, spent

    if month is None:
        return None
    left = Allowance(ledger, month).left()
    used = spent(ledger, month_start()).amount(month.unit)
    return {"month": str(month), "used": str(used), "left": str(left)}


def _print(document: dict[str, Any], by: str) -> None:
    show(f"{'':24}  {'calls':>7}  {'tokens':>11}  {'hours':>8}  cost")
    for item in [*document[f"by_{by}"], {"name": "all", **document}]:
        tokens = item["prompt_tokens"] + item["completion_tokens"]
        costs = ", ".join(
            f"{plain_number(round(value, 4))} {unit}" for unit, value in item["costs"].items()
        )
        name = item["name"] or "(none)"
        show(f"{name:24}  {item['calls']:7}  {tokens:11}  {item['device_hours']:8.3f}  {costs}")
    if document["unpriced"]:
        say(f"{document['unpriced']} calls went to models without a known price.")
    if budget := document["budget"]:
        used = f"used {budget['used']}, {budget['left']} left"
        say(f"Budget of this month: {budget['month']}; {used}.")
    prices = document["prices"]
    say(f"Prices of {prices['date']}: {prices['source']}.")
