"""What a person set: who they are, which models they ask, where texts may go, and their keys."""

from screens.settings.screen import SettingsScreen

__all__ = ["SettingsScreen"]
