"""Runs: what tuning and retrieval bought, and which questions went wrong."""

from screens.evaluation.screen import EvaluationScreen

__all__ = ["EvaluationScreen"]
