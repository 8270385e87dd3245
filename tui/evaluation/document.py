"""A report as JSON (the contract of `eval` and `quickstart`) and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tui.domain.evaluation import Interval, RunReport, TestReport


def as_document(report: RunReport) -> dict[str, Any]:
    """`{"run", "dataset", "model", …, "tests": {"memory": …, "transfer": …}, "verdict"}`."""
    document = asdict(report)
    document["tests"] = tests_document(report)
    return document


def tests_document(report: RunReport) -> dict[str, Any]:
    """The `tests` part alone, None for a test that was not measured."""
    return {name: asdict(test) if test else None for name, test in report.tests.items()}


def as_lines(report: RunReport) -> Iterator[str]:
    """The report as a table for a terminal of 80 columns."""
    yield f"Run {report.run}: {report.model} on {report.dataset}"
    for name, test in report.tests.items():
        yield ""
        if test is None:
            yield f"{name}: not measured"
            continue
        yield from _test_lines(name, test)
    yield ""
    yield report.verdict


def _test_lines(name: str, test: TestReport) -> Iterator[str]:
    papers = "paper" if test.papers == 1 else "papers"
    yield f"{name}: {test.n} items from {test.papers} {papers} (share in %, 95 % interval)"
    yield f"  {'arm':<14} {'key phrase':>16} {'exact match':>16} {'token F1':>16}"
    for arm, scores in test.arms.items():
        cells = (scores.key_phrase, scores.exact_match, scores.f1)
        yield f"  {arm:<14} " + " ".join(f"{interval(cell):>16}" for cell in cells)
    for metric, value in test.retrieval.items():
        yield f"  right passage retrieved, {metric}: {value * 100:.0f}"
    if test.unusable:
        yield f"  {test.unusable} items left out: an arm failed to answer"


def interval(value: Interval) -> str:
    """`90 (80–95)`, in percent."""
    return f"{value.value * 100:.0f} ({value.low * 100:.0f}–{value.high * 100:.0f})"
