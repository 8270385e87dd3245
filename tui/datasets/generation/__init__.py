"""Having a model write examples: planned over the corpus, checked, bounded by a budget."""

from tui.datasets.generation.events import (
    GenerationEvent,
    GenerationFinished,
    Paused,
    Progress,
    Written,
)
from tui.datasets.generation.plan import DEFAULT_MIX, Mix, QuestionType
from tui.datasets.generation.service import DEFAULT_WORDINGS, Generator
from tui.datasets.generation.turns import FailedTurn

__all__ = [
    "DEFAULT_MIX",
    "DEFAULT_WORDINGS",
    "FailedTurn",
    "GenerationEvent",
    "GenerationFinished",
    "Generator",
    "Mix",
    "Paused",
    "Progress",
    "QuestionType",
    "Written",
]
