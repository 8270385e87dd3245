from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.domain.endpoint import EndpointKind
from tui.domain.usage import Amount, LedgerRow
from tui.mistral.budget import Allowance, OverBudget, Used, month_start, needs, spent
from tui.mistral.ledger import Ledger
from tui.mistral.prices import Prices, published
from tui.settings.money import ModelPrice, PriceSettings

SMALL = "mistral-small-latest"


def row(model: str = SMALL, endpoint: str = "mistral", **more: object) -> LedgerRow:
    values: dict[str, object] = {"at": time.time(), "purpose": "chat", "workspace": "", **more}
    return LedgerRow(endpoint=endpoint, model=model, **values)  # type: ignore[arg-type]


def test_the_table_says_where_its_prices_stand_and_of_which_day_they_are() -> None:
    table = published()
    assert "docs.mistral.ai" in table.source
    assert table.date >= "2026-08-21"
    assert all(item.input > 0 for item in table.models.values())


def test_a_call_costs_its_tokens_in_either_currency_and_nothing_is_guessed() -> None:
    prices = Prices()
    whole = prices.cost(SMALL, 2_000_000, 1_000_000)
    assert whole is not None
    assert (round(whole.value, 9), whole.unit) == (0.9, "usd")
    assert prices.cost(SMALL, 2_000_000, 0, currency="eur") == Amount(0.24, "eur")
    assert prices.cost("some-new-model", 1, 1) is None
    assert prices.cost(SMALL, 1, 1, kind=EndpointKind.URL) is None, "a colleague's has its own"


def test_the_settings_prices_win_at_every_endpoint() -> None:
    own = PriceSettings(gpuh=3.0, models={SMALL: ModelPrice(1.0, 2.0, "eur")})
    prices = Prices(own)
    for kind in EndpointKind:
        assert prices.cost(SMALL, 10**6, 10**6, kind=kind) == Amount(3.0, "eur")
    half = prices.cost("base", 5, 5, kind=EndpointKind.LOCAL, device_seconds=1800)
    assert half == Amount(1.5, "usd")


def test_what_was_used_is_summed_over_every_kind_of_work(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "usage.jsonl")
    ledger.record(row(purpose="generation", prompt_tokens=1000, cost=0.25, currency="usd"))
    ledger.record(row(purpose="judging", prompt_tokens=500, cost=0.25, currency="USD"))
    ledger.record(row("base", "local", purpose="training", device_seconds=7200.0))
    ledger.record(row("strange", "colleague", prompt_tokens=500))
    ledger.record(row(at=month_start() - 5, cost=9.0, currency="usd"))
    used = spent(ledger, month_start())
    assert (used.usd, used.gpuh, used.ktok, used.unpriced) == (0.5, 2.0, 2.0, 1)
    assert spent(ledger, purposes=frozenset({"judging"})).usd == 0.25


def test_what_was_paid_in_one_currency_counts_in_a_budget_of_the_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "usage.jsonl")
    ledger.record(row(prompt_tokens=1_000_000, cost=0.15, currency="usd"))
    assert spent(ledger).eur == pytest.approx(0.12)


def test_work_beyond_a_budget_is_refused_by_what_raises_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "usage.jsonl")
    ledger.record(row(cost=18.0, currency="usd"))
    month = Allowance(ledger, month=Amount(20.0, "usd"))
    month.require(Used(usd=1.5))
    with pytest.raises(OverBudget) as error:
        month.require(Used(usd=2.5))
    assert "2.5usd" in error.value.message
    assert "2usd is left" in error.value.message
    assert "--month-budget" in error.value.remedy
    assert "[budget] month" in error.value.remedy
    with pytest.raises(OverBudget) as error:
        Allowance(ledger, job=Amount(1.0, "gpuh")).require(Used(gpuh=1.1))
    assert "--budget" in error.value.remedy


def test_a_budget_that_cannot_be_kept_is_no_budget(tmp_path: Path) -> None:
    allowance = Allowance(Ledger(tmp_path / "usage.jsonl"), month=Amount(20.0, "usd"))
    unknown = needs(Prices(), "some-new-model", prompt_tokens=1000)
    with pytest.raises(OverBudget, match="cannot be told in usd"):
        allowance.require(unknown)
    allowance.require(needs(Prices(), "base", prompt_tokens=10**9, kind=EndpointKind.LOCAL))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(0, 5), max_size=8),
    st.floats(0, 30),
)
def test_nothing_that_passes_brings_the_month_over_its_budget(
    tmp_path_factory: pytest.TempPathFactory, asked: list[float], budget: float
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "usage.jsonl")
    allowance = Allowance(ledger, month=Amount(budget, "usd"))
    for amount in asked:
        try:
            allowance.require(Used(usd=amount))
        except OverBudget:
            continue
        ledger.record(row(cost=amount, currency="usd"))
    assert (spent(ledger).usd or 0.0) <= budget + 1e-5
