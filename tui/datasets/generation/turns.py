"""Which units a model was asked about, on disk before the request leaves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tui.domain.example import Kind
from tui.storage.workspace import Workspace

# Longer than any call waits for the local engine, its retries included.
_STALE_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class FailedTurn:
    """A unit whose answer could not be used, or never came (`reason` says which).

    One that is `lost` was under way when its run was killed: it may have been paid for.
    """

    unit: str
    turn: int
    reason: str
    at: float
    kind: Kind
    model: str
    endpoint: str
    lost: bool = False


def failed_turns(workspace: Workspace, dataset: str) -> list[FailedTurn]:
    """Turns of a dataset without a usable answer, whatever was asked for and of whom, latest first.

    Those that a run is waiting for right now look as if they were lost.
    """
    rows = workspace.connection().execute(
        "SELECT * FROM generation WHERE dataset = ? AND status != 'answered' "
        "ORDER BY asked_at DESC, unit",
        (dataset,),
    )
    return [
        FailedTurn(
            row["unit"],
            row["turn"],
            row["reason"] or "it was under way when the run ended",
            row["asked_at"],
            Kind(row["kind"]),
            row["model"],
            row["endpoint"],
            row["status"] == "asked",
        )
        for row in rows
    ]


class Turns:
    """The turns of one dataset, kind and model."""

    def __init__(self, workspace: Workspace, dataset: str, kind: Kind, model: str) -> None:
        self._workspace = workspace
        self._key = (dataset, kind.value, model)

    def asked(self) -> dict[str, int]:
        """How often each unit was asked about."""
        rows = self._workspace.connection().execute(
            "SELECT unit, max(turn) + 1 AS n FROM generation "
            "WHERE dataset = ? AND kind = ? AND model = ? GROUP BY unit",
            self._key,
        )
        return {row["unit"]: row["n"] for row in rows}

    def claim(self, unit: str, turn: int, endpoint: str) -> bool:
        """Take a turn before asking; false when another run has it."""
        with self._workspace.transaction() as connection:
            return bool(
                connection.execute(
                    "INSERT OR IGNORE INTO generation "
                    "(dataset, kind, model, unit, turn, endpoint, asked_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*self._key, unit, turn, endpoint, time.time()),
                ).rowcount
            )

    def release(self, unit: str, turn: int) -> None:
        """Give a turn back: nothing was asked, or nothing will be charged for."""
        with self._workspace.transaction() as connection:
            connection.execute(
                "DELETE FROM generation WHERE dataset = ? AND kind = ? AND model = ? "
                "AND unit = ? AND turn = ? AND status = 'asked'",
                (*self._key, unit, turn),
            )

    def release_stale(self) -> None:
        """Give back turns that a killed run left and that no run can still wait for."""
        with self._workspace.transaction() as connection:
            connection.execute(
                "DELETE FROM generation WHERE dataset = ? AND kind = ? AND model = ? "
                "AND status = 'asked' AND asked_at < ?",
                (*self._key, time.time() - _STALE_SECONDS),
            )

    def answered(self, unit: str, turn: int, *, accepted: int, rejected: int, tokens: int) -> None:
        """The answer is in and its examples are stored."""
        self._close(unit, turn, "answered", "", accepted, rejected, tokens)

    def failed(self, unit: str, turn: int, reason: str, tokens: int) -> None:
        """The answer could not be used."""
        self._close(unit, turn, "failed", reason, 0, 0, tokens)

    def lost(self) -> int:
        """Turns whose answer is not known: the run was killed, or the server fell silent."""
        row = self._workspace.connection().execute(
            "SELECT count(*) AS n FROM generation "
            "WHERE dataset = ? AND kind = ? AND model = ? AND status = 'asked'",
            self._key,
        )
        return int(row.fetchone()["n"])

    def reopen(self, turns: Iterable[FailedTurn]) -> None:
        """Give turns without a usable answer back, so that they can be asked about again."""
        with self._workspace.transaction() as connection:
            connection.executemany(
                "DELETE FROM generation WHERE dataset = ? AND kind = ? AND model = ? "
                "AND unit = ? AND turn = ? AND status != 'answered'",
                [(*self._key, turn.unit, turn.turn) for turn in turns],
            )

    def _close(
        self,
        unit: str,
        turn: int,
        status: str,
        reason: str,
        accepted: int,
        rejected: int,
        tokens: int,
    ) -> None:
        with self._workspace.transaction() as connection:
            connection.execute(
                "UPDATE generation SET status = ?, reason = ?, accepted = ?, rejected = ?, "
                "tokens = ? WHERE dataset = ? AND kind = ? AND model = ? AND unit = ? "
                "AND turn = ?",
                (status, reason, accepted, rejected, tokens, *self._key, unit, turn),
            )
