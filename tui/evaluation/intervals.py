"""How sure a measured share is: intervals and paired tests over items.

Shares use Wilson's interval, which stays honest at 0/60 and 60/60 where a bootstrap has no width;
means of graded scores and differences between arms use a percentile bootstrap over the items, with
a fixed seed so that a report is reproducible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tui.domain.evaluation import Interval

_Z95 = 1.959963984540054
_RESAMPLES = 4000
_SEED = 20260101


def share(scores: Sequence[float]) -> Interval:
    """The mean of 0/1 scores with Wilson's 95 % interval (Wilson, 1927)."""
    n = len(scores)
    if not n:
        return Interval(0.0, 0.0, 1.0)
    p = sum(scores) / n
    spread = _Z95 * _Z95 / n
    centre = (p + spread / 2) / (1 + spread)
    half = _Z95 / (1 + spread) * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    # At 0/n and n/n the bound is exactly 0 or 1; floating point would miss it by a hair.
    low = 0.0 if p == 0 else max(0.0, centre - half)
    high = 1.0 if p == 1 else min(1.0, centre + half)
    return Interval(p, low, high)


def mean(scores: Sequence[float]) -> Interval:
    """The mean of graded scores with a percentile bootstrap over the items."""
    if not scores:
        return Interval(0.0, 0.0, 1.0)
    values = np.asarray(scores, dtype=float)
    low, high = _bootstrap(values)
    return Interval(
        float(values.mean()), min(low, float(values.mean())), max(high, float(values.mean()))
    )


def paired_difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float, float]:
    """Mean of a − b over the same items: (difference, low, high, p).

    The interval is a percentile bootstrap over items; `p` is two-sided, from the exact sign test on
    items where the arms differ (for 0/1 scores this is McNemar's exact test).
    """
    if len(a) != len(b):
        raise ValueError("paired scores need the same items")
    if not a:
        return 0.0, -1.0, 1.0, 1.0
    differences = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    low, high = _bootstrap(differences)
    up, down = int((differences > 0).sum()), int((differences < 0).sum())
    return float(differences.mean()), low, high, _sign_test(up, down)


def _bootstrap(values: np.ndarray) -> tuple[float, float]:
    generator = np.random.default_rng(_SEED)
    picks = generator.integers(0, len(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _sign_test(up: int, down: int) -> float:
    """Two-sided probability of a split at least this uneven if both ways were equally likely."""
    n = up + down
    if not n:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(up, down) + 1))
    return min(1.0, 2 * tail / float(2**n))
