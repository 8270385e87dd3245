"""Runs: four arms measured on two kinds of held-out data, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % confidence interval; all three are shares between 0 and 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ArmScores:
    """What one arm reached on one test."""

    key_phrase: Interval
    exact_match: Interval
    f1: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """Arm `a` minus arm `b` on the same items, paired; `p` is two-sided."""

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One answered test item; the error browser shows these."""

    example: str
    question: str
    expected: str
    key_phrase: str
    paper: str
    arm: str
    answer: str
    scores: dict[str, float]
    retrieved: bool | None = None


@dataclass(frozen=True, slots=True)
class TestReport:
    """One test (memory or transfer): all arms answered the same `n` items."""

    __test__ = False

    n: int
    papers: int
    arms: dict[str, ArmScores]
    comparisons: tuple[Comparison, ...] = ()
    retrieval: dict[str, float] = field(default_factory=dict)
    unusable: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """One evaluation; `tests` has `memory` and `transfer`, None where there are no items."""

    run: str
    dataset: str
    model: str
    base_model: str
    created_at: float
    tests: dict[str, TestReport | None]
    verdict: str
