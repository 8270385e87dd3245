"""How far a judge agrees with people: on the same examples, beyond chance, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

_Z = 1.959964  # two-sided 95 %
_DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Verdicts of a person and a judge on `n` examples that both have looked at.

    `both_right` and `both_wrong` are where they agree; `judge_only` is what the judge alone finds
    right, `person_only` what the person alone does. `agreement` is a share with its 95 % interval
    by Wilson (1927); `kappa` is Cohen's (1960), None where everything has one verdict, with the
    2.5th and 97.5th percentile of draws from the table. All are None where `n` is 0.
    """

    person: str
    n: int
    both_right: int
    both_wrong: int
    judge_only: int
    person_only: int
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None


def agreement(person: str, verdicts: Iterable[tuple[bool, bool]]) -> Agreement:
    """The agreement over pairs of verdicts, the person's and the judge's: is an example right?"""
    found = list(verdicts)
    table = [
        sum(a and b for a, b in found),
        sum(not a and not b for a, b in found),
        sum(b and not a for a, b in found),
        sum(a and not b for a, b in found),
    ]
    n = len(found)
    counted = Agreement(person, n, table[0], table[1], table[2], table[3])
    if not n:
        return counted
    share = (table[0] + table[1]) / n
    low, high = _wilson(table[0] + table[1], n)
    kappa = _kappa(np.array([table], dtype=float))[0]
    bounds = _kappa_bounds(table, n)
    known = not math.isnan(kappa)
    return replace(
        counted,
        agreement=round(share, 4),
        agreement_low=round(low, 4),
        agreement_high=round(high, 4),
        kappa=round(float(kappa), 4) if known else None,
        kappa_low=bounds[0] if known else None,
        kappa_high=bounds[1] if known else None,
    )


def _wilson(agreed: int, n: int) -> tuple[float, float]:
    share = agreed / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    whole = 1 + _Z**2 / n
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _kappa(tables: np.ndarray) -> np.ndarray:
    """Cohen's kappa of tables (rows: both right, both wrong, judge only, person only)."""
    n = tables.sum(axis=1)
    observed = (tables[:, 0] + tables[:, 1]) / n
    person = (tables[:, 0] + tables[:, 3]) / n
    judge = (tables[:, 0] + tables[:, 2]) / n
    chance = person * judge + (1 - person) * (1 - judge)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)


def _kappa_bounds(table: list[int], n: int) -> tuple[float | None, float | None]:
    """Percentiles over tables that might as well have come; those without a kappa do not count."""
    draws = np.random.default_rng(0).multinomial(n, np.array(table) / n, size=_DRAWS)
    drawn = _kappa(draws.astype(float))
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return None, None
    low, high = np.percentile(drawn, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)
