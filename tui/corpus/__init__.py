"""The library: papers found, read, kept and searched.

The names are loaded when they are asked for: a worker process that reads one file must not pay
for the search library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.corpus.ingest import Progress
    from tui.corpus.problems import Problem, ProblemKind
    from tui.corpus.saved import SavedSearch
    from tui.corpus.service import Corpus, Totals
    from tui.corpus.sources.intake import ImportReport

__all__ = [
    "Corpus",
    "ImportReport",
    "Problem",
    "ProblemKind",
    "Progress",
    "SavedSearch",
    "Totals",
]

_HOMES = {
    "Corpus": "tui.corpus.service",
    "ImportReport": "tui.corpus.sources.intake",
    "Problem": "tui.corpus.problems",
    "ProblemKind": "tui.corpus.problems",
    "SavedSearch": "tui.corpus.saved",
    "Progress": "tui.corpus.ingest",
    "Totals": "tui.corpus.service",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
