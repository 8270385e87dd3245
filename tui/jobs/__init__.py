"""Fine-tuning jobs: estimate, launch once, follow through anything, say what the curves mean."""

from __future__ import annotations

from tui.jobs.compare import ComparedJob, JobComparison
from tui.jobs.diagnose import Diagnosis, best_step, diagnose
from tui.jobs.request import BudgetError, Estimate, JobRequest
from tui.jobs.service import Jobs
from tui.jobs.watch import Pace, WatchEvent, as_plain

__all__ = [
    "BudgetError",
    "ComparedJob",
    "Diagnosis",
    "Estimate",
    "JobComparison",
    "JobRequest",
    "Jobs",
    "Pace",
    "WatchEvent",
    "as_plain",
    "best_step",
    "diagnose",
]
