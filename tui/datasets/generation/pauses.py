"""Runs that wait: told to by another thread, another terminal, or before a restart."""

from __future__ import annotations

import asyncio

from tui.storage.workspace import Workspace

# How often a run that waits looks whether another process lets it go on, in seconds.
_LOOK = 0.5


class Pauses:
    """The pause of one dataset's generation; it is on disk, so it outlives every process."""

    def __init__(self, workspace: Workspace, dataset: str) -> None:
        self._workspace = workspace
        self._dataset = dataset

    def pause(self) -> None:
        """Have every run of the dataset, in whichever process, wait after what is under way."""
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO generation_paused (dataset) VALUES (?)", (self._dataset,)
            )

    def resume(self) -> None:
        """Let them go on."""
        with self._workspace.transaction() as connection:
            connection.execute("DELETE FROM generation_paused WHERE dataset = ?", (self._dataset,))

    def paused(self) -> bool:
        """Whether runs of the dataset wait."""
        rows = self._workspace.connection().execute(
            "SELECT 1 FROM generation_paused WHERE dataset = ?", (self._dataset,)
        )
        return rows.fetchone() is not None

    async def over(self) -> None:
        """Return once the pause is over."""
        while self.paused():  # noqa: ASYNC110 - another process ends it, on disk
            await asyncio.sleep(_LOOK)
