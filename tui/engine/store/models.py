"""What the API lets a person say of a fine-tuned model: name, description, archived, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tui.engine.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A fine-tuned model's entry; its weights lie in the engine's `models/` folder."""

    id: str
    job: str
    root: str
    created_at: int
    name: str | None = None
    description: str | None = None
    archived: bool = False


class ModelStore:
    """Finds and changes the entries of fine-tuned models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[StoredModel]:
        """Every fine-tuned model that was not deleted, oldest first."""
        rows = self._database.rows("SELECT * FROM models WHERE deleted = 0 ORDER BY created_at, id")
        return [_model(dict(row)) for row in rows]

    def get(self, model_id: str) -> StoredModel | None:
        """One entry, or None."""
        row = self._database.row("SELECT * FROM models WHERE id = ? AND deleted = 0", (model_id,))
        return None if row is None else _model(dict(row))

    def add(self, model_id: str, job: str, root: str, created_at: int) -> None:
        """Enter a model that was made of a job's checkpoint; one that is there stays as it is."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO models (id, job, root, created_at) VALUES (?, ?, ?, ?)",
                (model_id, job, root, created_at),
            )

    def describe(self, model_id: str, values: dict[str, str | None]) -> None:
        """Set `name`, `description` or both."""
        with self._database.transaction() as connection:
            for column in ("name", "description"):
                if column in values:
                    connection.execute(
                        f"UPDATE models SET {column} = ? WHERE id = ?", (values[column], model_id)
                    )

    def archive(self, model_id: str, archived: bool) -> None:
        """Hide a model from use, or bring it back."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE models SET archived = ? WHERE id = ?", (int(archived), model_id)
            )

    def delete(self, model_id: str) -> None:
        """Mark a model as deleted; its job still names it, so the row stays."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE models SET deleted = 1 WHERE id = ?", (model_id,))


def _model(row: dict[str, Any]) -> StoredModel:
    del row["deleted"]
    return StoredModel(**{**row, "archived": bool(row["archived"])})
