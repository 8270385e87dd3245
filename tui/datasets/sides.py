"""On which side of a dataset each paper stands: trained on, or kept for transfer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tui.domain.example import Role
from tui.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Sides:
    """`transfer` by paper; papers that no split has seen are on neither side yet."""

    transfer: Mapping[str, bool] = field(default_factory=dict)

    def beside(self, paper: str) -> frozenset[str]:
        """The papers whose text may stand in one example with this paper's, itself included.

        A later split may send a paper whose side is not settled either way, so it stays alone.
        """
        if paper not in self.transfer:
            return frozenset({paper})
        side = self.transfer[paper]
        return frozenset(other for other, kept in self.transfer.items() if kept == side)

    def mixed(self, papers: Iterable[str]) -> bool:
        """Whether these papers stand on both sides, or one of several on none."""
        several = set(papers)
        return len(several) > 1 and len({self.transfer.get(paper) for paper in several}) > 1

    def known(self) -> bool:
        """Whether a split has taken place."""
        return bool(self.transfer)


def sides(workspace: Workspace, dataset: str) -> Sides:
    """The sides as the last split left them, and as the roles of examples say.

    A paper with any example kept for transfer is kept for transfer.
    """
    connection = workspace.connection()
    found: dict[str, bool] = {
        row["paper"]: bool(row["transfer"])
        for row in connection.execute(
            "SELECT paper, transfer FROM dataset_paper WHERE dataset = ?", (dataset,)
        )
    }
    rows = connection.execute(
        "SELECT DISTINCT paper, role FROM example "
        "WHERE dataset = ? AND role IS NOT NULL AND paper != '' AND status != 'rejected'",
        (dataset,),
    )
    for row in rows:
        found[row["paper"]] = found.get(row["paper"], False) or Role(row["role"]).is_transfer
    return Sides(found)


def paper_of(passage: str) -> str:
    """The paper that a passage is of, by its id."""
    return passage.rsplit("#", 1)[0]
