"""On the dataset screens: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "datasets": "Datasets",
    "report": "Report",
    "review": "Review",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "datasets": ("list",),
    "report": ("reader",),
    "review": ("reader",),
}

ACTIONS = (
    Action("datasets.new", "n", "New", "Start a dataset", rank=12),
    Action("datasets.add", "a", "Add", "Add examples: pairs, summaries, full text", rank=14),
    Action("datasets.review", "r", "Review", "Review drafts, one key each", rank=16),
    Action("datasets.split", "s", "Split", "Give every example its role", rank=18),
    Action("datasets.check", "c", "Check", "Check the dataset against every rule", rank=20),
    Action("datasets.freeze", "z", "Freeze", "Freeze a version to train on", rank=22),
    Action("datasets.remove", "x", "Remove", "Remove the dataset"),
    Action("report.copy", "y", "Copy", "Copy the report", rank=10),
    Action("report.back", "escape", "Back", "Back to the datasets", rank=20),
    Action("review.accept", "a", "Accept", "Accept the example", rank=1),
    Action("review.reject", "r", "Reject", "Reject the example", rank=2),
    Action("review.edit", "e", "Edit", "Edit the example in $EDITOR", rank=3),
    Action("review.skip", "s", "Skip", "Leave it for later", rank=4),
    Action("review.undo", "u", "Undo", "Take back the last decision", rank=5),
    Action("review.copy", "y", "Copy", "Copy question and answer"),
    Action("review.back", "escape", "Back", "Back; the place is kept", rank=6),
)
