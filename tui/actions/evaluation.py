"""On the evaluation screen: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "evaluation": "Evaluation",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "evaluation": ("list", "reader"),
}

ACTIONS = (
    Action("evaluation.run", "n", "Measure", "Measure a fine-tuned model", rank=12),
    Action("evaluation.all", "w", "All/wrong", "Every answer, or the wrong ones", rank=20),
    Action("evaluation.copy", "y", "Copy", "Copy the report", rank=50),
    Action("evaluation.back", "escape", "Back", "Back, or stop measuring", rank=80),
)
