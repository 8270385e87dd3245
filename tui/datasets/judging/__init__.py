"""Judging answers by their passages, and the judge by people."""

from tui.datasets.judging.agreement import Agreement
from tui.datasets.judging.service import Judge, Judged, JudgingEvent, JudgingFinished

__all__ = ["Agreement", "Judge", "Judged", "JudgingEvent", "JudgingFinished"]
