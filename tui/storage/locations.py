"""Where papertune keeps things; each place can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APP = "papertune"


def _place(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser()


def config_dir() -> Path:
    """Settings, credentials, keymap and `history/`."""
    return _place("PAPERTUNE_CONFIG_DIR", platformdirs.user_config_dir(_APP))


def data_dir() -> Path:
    """The engine's files, the models' cache and the usage ledger."""
    return _place("PAPERTUNE_DATA_DIR", platformdirs.user_data_dir(_APP))


def state_dir() -> Path:
    """Logs, and the engine's pid, port and token."""
    return _place("PAPERTUNE_STATE_DIR", platformdirs.user_state_dir(_APP))


def cache_dir() -> Path:
    """What can be made again: search indexes of workspaces on network file systems."""
    return _place("PAPERTUNE_CACHE_DIR", platformdirs.user_cache_dir(_APP))


def engine_state_file() -> Path:
    """Where a running engine says its URL, pid and token (0600).

    It is the only thing besides HTTP that the app and the engine share.
    """
    return state_dir() / "engine.json"
