"""Models and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a model was made of: job ← dataset version ← papers."""

    job: str = ""
    dataset: str = ""
    papers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as an endpoint lists it; `raw` is the API's own document, untouched."""

    id: str
    endpoint: str
    type: str = "base"
    name: str = ""
    description: str = ""
    root: str = ""
    job: str = ""
    archived: bool = False
    context: int = 32768
    lineage: Lineage = Lineage()
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def tuned(self) -> bool:
        """Whether this is a fine-tuned model rather than a base model."""
        return self.type == "fine-tuned"
