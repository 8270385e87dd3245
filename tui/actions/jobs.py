"""On the job screens: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "jobs": "Jobs",
    "newjob": "In the form of a job",
    "compare": "Comparing jobs",
    "models": "Models",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "jobs": ("list",),
    "models": ("list",),
}

ACTIONS = (
    Action("jobs.new", "n", "New", "Fine-tune a model on a frozen dataset", rank=12),
    Action("jobs.open", "o", "Open", "Show the job's curves and events"),
    Action("jobs.act", "a", "Act", "Do what the diagnosis advises", rank=14),
    Action("jobs.compare", "c", "Compare", "Lay the selected jobs over one another", rank=16),
    Action("jobs.clone", "C", "Copy job", "Start a copy of the job with changes", rank=18),
    Action("jobs.cancel", "x", "Stop", "Stop the job; its last checkpoint is kept", rank=20),
    Action("jobs.models", "m", "Models", "The models that came of the jobs", rank=22),
    Action("jobs.info", "i", "Below", "Events, checkpoints, settings or the log", rank=45),
    Action("jobs.quantity", "p", "Plot", "Losses, learning rate or gradient norm", rank=46),
    Action("jobs.axis", "t", "Axis", "Curves over steps, tokens or time", rank=47),
    Action("jobs.engine", "e", "Engine", "Start the local engine", rank=40),
    Action("jobs.log", "l", "Log scale", "Losses on a linear or logarithmic scale", rank=50),
    Action("jobs.smooth", "s", "Smooth", "Smooth the train loss: none, some, much", rank=52),
    Action("jobs.left", "left", "Left", "Move the curves' cursor to the left", palette=False),
    Action("jobs.right", "right", "Right", "Move the curves' cursor to the right", palette=False),
    Action("jobs.closer", "+", "Closer", "Show less of the curves, larger", palette=False),
    Action("jobs.wider", "-", "Wider", "Show more of the curves", palette=False),
    Action("jobs.export", "X", "Export", "Write the job's curve to a CSV file"),
    Action("jobs.best", "b", "Keep best", "Make a checkpoint of the job its model"),
    Action("jobs.forget", "D", "Forget", "Take a job that was deleted elsewhere off the list"),
    Action("jobs.copy", "y", "Copy", "Copy the new model's name, or the job's id", rank=55),
    Action("jobs.back", "escape", "Back", "Back to the list", rank=80),
    Action("newjob.small", "ctrl+s", "Small", "Start with a tenth of the data", palette=False),
    Action("compare.what", "p", "What", "Memory, train or transfer losses", rank=12),
    Action("compare.axis", "t", "Axis", "Curves over steps, tokens or time", rank=14),
    Action("compare.log", "l", "Log scale", "Losses on a linear or logarithmic scale", rank=16),
    Action("compare.smooth", "s", "Smooth", "Smooth the curves: none, some, much", rank=18),
    Action("compare.export", "X", "Export", "Write the curves to a CSV file", rank=20),
    Action("compare.left", "left", "Left", "Move the cursor to the left", palette=False),
    Action("compare.right", "right", "Right", "Move the cursor to the right", palette=False),
    Action("compare.closer", "+", "Closer", "Show less of the curves, larger", palette=False),
    Action("compare.wider", "-", "Wider", "Show more of the curves", palette=False),
    Action("compare.back", "escape", "Back", "Back to the jobs", rank=30),
    Action("models.alias", "a", "Name", "Give the model a name of the team's", rank=12),
    Action("models.note", "n", "Note", "Write something on the model", rank=14),
    Action("models.export", "X", "Export", "Write the model for other programs", rank=16),
    Action("models.archive", "r", "Archive", "Take the model out of use, or back", rank=18),
    Action("models.delete", "D", "Delete", "Delete the model for good", rank=20),
    Action("models.copy", "y", "Copy", "Copy the model's id", rank=22),
    Action("models.card", "c", "Card", "Copy the model's card in Markdown", rank=24),
    Action("models.back", "escape", "Back", "Back to the jobs", rank=30),
)
