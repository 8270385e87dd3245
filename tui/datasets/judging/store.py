"""What judges said of examples, and what people did."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

from tui.datasets.content import content_sha256, encode_content
from tui.datasets.generation.entailment import Judgement
from tui.domain.example import Example
from tui.storage.workspace import Workspace

JUDGE = "judge "
"""The beginning of the name that a judge's decisions are written in."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A judgement of an example as it was worded then."""

    example: str
    entailed: bool
    verdict: str
    reason: str
    prompt: str
    content_sha256: str


class Judgements:
    """The judgements of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def keep(self, example: Example, model: str, judgement: Judgement) -> None:
        """Write a judgement down; a later one of the same model takes its place."""
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO judgement "
                "(example, model, prompt, content_sha256, entailed, verdict, reason, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    example.id,
                    model,
                    judgement.prompt,
                    words_of(example),
                    int(judgement.entailed),
                    judgement.verdict,
                    judgement.reason,
                    time.time(),
                ),
            )

    def of(self, dataset: str, model: str) -> dict[str, Stored]:
        """What a model said of the dataset's examples, by example."""
        rows = self._workspace.connection().execute(
            "SELECT j.* FROM judgement j JOIN example e ON e.id = j.example "
            "WHERE e.dataset = ? AND j.model = ?",
            (dataset, model),
        )
        return {
            row["example"]: Stored(
                row["example"],
                bool(row["entailed"]),
                row["verdict"],
                row["reason"],
                row["prompt"],
                row["content_sha256"],
            )
            for row in rows
        }

    def models(self, dataset: str) -> list[str]:
        """The models that have judged the dataset."""
        rows = self._workspace.connection().execute(
            "SELECT DISTINCT j.model FROM judgement j JOIN example e ON e.id = j.example "
            "WHERE e.dataset = ? ORDER BY j.model",
            (dataset,),
        )
        return [row["model"] for row in rows]

    def people(self, dataset: str) -> dict[str, dict[str, bool]]:
        """Each person's last standing verdict on each example: whether it was accepted.

        Machines that decide, judges among them, are no people.
        """
        rows = self._workspace.connection().execute(
            "SELECT x.example, d.person, d.action FROM decided x "
            "JOIN decision d ON d.id = x.decision "
            "WHERE d.dataset = ? AND d.action IN ('accept', 'reject', 'draft') "
            "AND d.person NOT LIKE ? AND d.person != 'papertune' "
            "AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id) "
            "ORDER BY d.at, d.person, d.id",
            (dataset, f"{JUDGE}%"),
        )
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for row in rows:
            found[row["person"]][row["example"]] = row["action"]
        return {
            person: {
                example: action == "accept"
                for example, action in verdicts.items()
                if action != "draft"
            }
            for person, verdicts in found.items()
        }


def words_of(example: Example) -> str:
    """What identifies the words that were judged."""
    return content_sha256(example.form, encode_content(example))
