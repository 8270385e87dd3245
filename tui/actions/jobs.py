"""On the job screens: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "jobs": "Jobs",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "jobs": ("list",),
}

ACTIONS = (
    Action("jobs.new", "n", "New", "Fine-tune a model on a frozen dataset", rank=12),
    Action("jobs.open", "o", "Open", "Show the job's curves and events"),
    Action("jobs.cancel", "x", "Stop", "Stop the job; its last checkpoint is kept", rank=20),
    Action("jobs.engine", "e", "Engine", "Start the local engine", rank=40),
    Action("jobs.log", "l", "Log scale", "Losses on a linear or logarithmic scale", rank=50),
    Action("jobs.smooth", "s", "Smooth", "Smooth the train loss: none, some, much", rank=52),
    Action("jobs.copy", "y", "Copy", "Copy the new model's name, or the job's id", rank=55),
    Action("jobs.back", "escape", "Back", "Back to the list", rank=80),
)
