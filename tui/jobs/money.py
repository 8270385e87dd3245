"""What jobs take, against what they may take, and what they took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from tui.domain.endpoint import EndpointKind
from tui.domain.job import TERMINAL, Job, JobStatus
from tui.domain.usage import LedgerRow
from tui.jobs.request import Estimate, JobRequest
from tui.mistral.budget import Allowance, OverBudget, Used
from tui.mistral.ledger import Ledger
from tui.settings.money import BudgetSettings

_TRAINING = "training"
_UNITS = ("usd", "eur", "gpuh", "ktok")


def needs(estimate: Estimate, kind: EndpointKind) -> Used:
    """What a job will take, by unit; None where it cannot be told."""
    seconds = estimate.seconds if kind is EndpointKind.LOCAL else 0.0
    return Used(
        usd=_money(estimate, "usd"),
        eur=_money(estimate, "eur"),
        gpuh=None if seconds is None else seconds / 3600,
        ktok=estimate.tokens / 1000,
    )


def as_plain(used: Used) -> dict[str, float]:
    """The known amounts by unit."""
    values = asdict(used)
    return {unit: values[unit] for unit in _UNITS if values[unit]}


def require(
    estimate: Estimate,
    request: JobRequest,
    kind: EndpointKind,
    ledger: Ledger,
    budgets: BudgetSettings,
    under_way: Sequence[dict[str, float]] = (),
) -> None:
    """Raise BudgetError or OverBudget when a job would pass what it, or this month, may take.

    `under_way` is what jobs that have not ended will take: it is not in the ledger yet.
    """
    estimate.require(request.budget)
    needed = needs(estimate, kind)
    if request.budget is None:
        Allowance(ledger, job=budgets.job).require(needed)
    month = request.month_budget or budgets.month
    if month is None:
        return
    known = getattr(needed, month.unit)
    promised = sum(item.get(month.unit, 0.0) for item in under_way)
    whole: dict[str, Any] = {month.unit: None if known is None else known + promised}
    total = replace(needed, **whole)
    try:
        Allowance(ledger, month=month).require(total)
    except OverBudget as error:
        if promised:
            error.message += f" {promised:.3g}{month.unit} of it is for jobs under way."
        raise


def account(ledger: Ledger, job: Job) -> None:
    """Put a job that has ended into the ledger, once however many watch it end.

    A job that failed or was cancelled used the device, too; one that never ran used nothing.
    """
    running = [e.created_at for e in job.events if e.data.get("status") == JobStatus.RUNNING]
    made = job.fine_tuned_model
    if job.status not in TERMINAL or not (made or running):
        return
    model = made or f"{job.model} ({job.id})"
    if any(row.purpose == _TRAINING and row.model == model for row in ledger.rows()):
        return
    cost, currency = job.metadata.get("cost"), job.metadata.get("cost_currency")
    took = job.metadata.get("device_seconds")
    if not isinstance(took, int | float):  # a server that does not tell: from start to end
        took = max(0, job.modified_at - (running or [job.created_at])[0])
    row = LedgerRow(
        at=time.time(),
        endpoint=job.endpoint,
        model=model,
        purpose=_TRAINING,
        workspace="",
        prompt_tokens=job.trained_tokens or 0,
        device_seconds=float(took),
        cost=cost if isinstance(cost, int | float) else None,
        currency=currency if isinstance(currency, str) else None,
    )
    with suppress(OSError):  # a full disk must not hide that the job is done
        ledger.record(row)


def _money(estimate: Estimate, unit: str) -> float | None:
    if estimate.cost is None:
        return None
    same = estimate.cost == 0 or (estimate.currency or "").lower() == unit
    return estimate.cost if same else None
