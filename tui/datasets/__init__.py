"""Training sets: composing, reviewing, checking, splitting, freezing."""

from tui.datasets.diff import Change, DatasetDiff
from tui.datasets.exporting import ExportReport
from tui.datasets.pairs import AddFailure, AddReport
from tui.datasets.review import Decision, Disagreement
from tui.datasets.service import Datasets, MoveReport
from tui.datasets.split import RoleCount, SplitReport

__all__ = [
    "AddFailure",
    "AddReport",
    "Change",
    "DatasetDiff",
    "Datasets",
    "Decision",
    "Disagreement",
    "ExportReport",
    "MoveReport",
    "RoleCount",
    "SplitReport",
]
