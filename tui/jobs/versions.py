"""What jobs need of the datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tui.domain.example import Version


class KnowsVersions(Protocol):
    """The datasets, as far as jobs need them."""

    def version(self, name: str) -> Version:
        """A frozen version by `name` (the newest) or `name@v2`."""

    def file(self, version: Version, key: str) -> Path:
        """Where a file of a version lies."""
