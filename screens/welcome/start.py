"""What the welcome ends with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: the workspace to open, papers to add there, whether to be guided."""

    workspace: Path
    papers: Path | None = None
    guided: bool = False
