"""What a person set, and the keys of the endpoints they use; the two lie in separate files."""

from __future__ import annotations

from tui.settings.credentials import Credentials, SecretStr
from tui.settings.settings import (
    EndpointSettings,
    Settings,
    load_settings,
    login_name,
    save_settings,
    settings_file,
)

__all__ = [
    "Credentials",
    "EndpointSettings",
    "SecretStr",
    "Settings",
    "load_settings",
    "login_name",
    "save_settings",
    "settings_file",
]
