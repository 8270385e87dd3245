"""On the settings screen: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "settings": "Settings",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "settings": ("list",),
}

ACTIONS = (
    Action("settings.test", "t", "Test", "Test the endpoint with one harmless call", rank=12),
    Action("settings.default", "d", "Default", "Send chat and jobs to this endpoint", rank=14),
    Action("settings.forget", "f", "Forget key", "Forget the endpoint's key", rank=16),
    Action(
        "settings.trust", "p", "Trust", "Let private papers go to the endpoint, or not", rank=18
    ),
    Action("settings.consent", "c", "Consent", "Let texts go to the endpoint, or not", rank=20),
    Action("settings.remove", "x", "Remove", "Remove the endpoint and its key", rank=22),
    Action("settings.start", "e", "Start", "Start the local engine", rank=24),
    Action("settings.stop", "E", "Stop", "Stop the local engine; jobs go on training", rank=26),
    Action("settings.add", "a", "Add", "Add an endpoint by its URL", rank=40),
    Action("settings.copy", "y", "Copy", "Copy the value", rank=50),
)
