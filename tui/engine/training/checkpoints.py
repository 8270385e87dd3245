"""Checkpoints that are trusted only when they are whole, and which of them are kept."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tui.storage import atomic

_PREFIX = "checkpoint-"
_SEAL = "complete.json"
_BEST = "best.json"
# What the Trainer writes last; without it a checkpoint was cut short.
_STATE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class Best:
    """The step with the lowest memory loss, and how many evaluations since were no better."""

    step: int
    loss: float
    since: int = 0


class Checkpoints:
    """The checkpoints of a job, in `checkpoints/checkpoint-<step>/`.

    A checkpoint gets a seal, the sizes of its files, after everything in it has reached the disk.
    One without a seal, or whose files have other sizes, was cut short and counts for nothing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.root / f"{_PREFIX}{step}"

    def seal(self, step: int, tokens: int) -> None:
        """Bring the checkpoint to disk and mark it whole; `tokens` were trained on so far."""
        folder = self.folder(step)
        sizes = {}
        for path in sorted(folder.iterdir()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            sizes[path.name] = path.stat().st_size
        atomic.write_json(folder / _SEAL, {"files": sizes, "tokens": tokens})

    def last(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return max(self.whole(), default=None)

    def tokens(self, step: int) -> int:
        """Tokens that had been trained on when the checkpoint was written."""
        return int((self._seal(step) or {}).get("tokens", 0))

    def best(self) -> Best | None:
        """The best step so far, if its checkpoint is whole."""
        try:
            best = Best(**json.loads((self.root / _BEST).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return best if self._seal(best.step) is not None else None

    def remember(self, best: Best) -> None:
        """Note the best step; called after its checkpoint is sealed."""
        atomic.write_json(self.root / _BEST, asdict(best))

    def whole(self) -> list[int]:
        """The steps of all whole checkpoints."""
        return sorted(step for step in self._steps() if self._seal(step) is not None)

    def prune(self, chosen: int | None = None) -> None:
        """Remove all but the newest whole checkpoint, the best one and the one `chosen`."""
        best = self.best()
        kept = {self.last(), best.step if best else None, chosen}
        for step in self._steps():
            if step not in kept:
                shutil.rmtree(self.folder(step), ignore_errors=True)

    def _steps(self) -> list[int]:
        names = [path.name.removeprefix(_PREFIX) for path in self.root.glob(f"{_PREFIX}*")]
        return [int(name) for name in names if name.isdigit()]

    def _seal(self, step: int) -> dict[str, Any] | None:
        folder = self.folder(step)
        try:
            seal: dict[str, Any] = json.loads((folder / _SEAL).read_bytes())
            sizes = {name: (folder / name).stat().st_size for name in seal["files"]}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return seal if sizes == seal["files"] and _STATE in sizes else None
