"""Measuring whether it helped: arms, metrics, intervals, runs and reports."""

from tui.evaluation.service import ALL_ARMS, TESTS, Evaluator, ItemDone, RunStarted

__all__ = ["ALL_ARMS", "TESTS", "Evaluator", "ItemDone", "RunStarted"]
