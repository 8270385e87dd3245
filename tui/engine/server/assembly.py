"""Putting the engine together from its parts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from tui.engine.chat.voice import LocalVoice
from tui.engine.home import EngineHome
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Library, Voice
from tui.engine.server.state import Engine
from tui.engine.store.database import Database
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore
from tui.engine.store.models import ModelStore
from tui.engine.supervisor import WORKER, Supervisor
from tui.storage.locations import config_dir, data_dir, state_dir


def assemble(home: EngineHome, url: str) -> Engine:
    """The engine with this machine's models, llama.cpp and the trainer."""
    library = ModelLibrary(data_dir() / "models", home, _aliases(config_dir() / "config.toml"))
    return join(home, url, library, LocalVoice(library, state_dir()))


def join(
    home: EngineHome, url: str, library: Library, voice: Voice, worker: Sequence[str] = WORKER
) -> Engine:
    """An engine on these models and this chat; uploads that a crash cut short are cleared away."""
    home.create()
    database = Database(home.database)
    files, jobs = FileStore(database, home), JobStore(database)
    files.sweep()
    supervisor = Supervisor(home, jobs, files, library, worker=worker, changed=voice.jobs_changed)
    return Engine(
        home, database, files, jobs, ModelStore(database), supervisor, library, voice, url
    )


def _aliases(settings: Path) -> dict[str, str]:
    """The names that the user chose for models; the app reports a file that is wrong."""
    try:
        aliases = tomllib.loads(settings.read_text(encoding="utf-8")).get("aliases", {})
    except (OSError, ValueError):
        return {}
    if not isinstance(aliases, dict):
        return {}
    return {name: model for name, model in aliases.items() if isinstance(model, str)}
