"""The library: papers found, read, kept and searched."""

from __future__ import annotations

from tui.corpus.bibliography import ImportReport
from tui.corpus.ingest import Progress
from tui.corpus.service import Corpus, Problem, Totals

__all__ = ["Corpus", "ImportReport", "Problem", "Progress", "Totals"]
