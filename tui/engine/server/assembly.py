"""Putting the engine together from its parts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from tui.engine.chat.voice import LocalVoice
from tui.engine.embeddings.service import Embedder
from tui.engine.home import EngineHome
from tui.engine.launchers.choose import chat_place, launchers
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Embedding, Library, Voice
from tui.engine.server.state import Engine
from tui.engine.settings import EngineSettings, engine_settings
from tui.engine.store.database import Database
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore
from tui.engine.store.models import ModelStore
from tui.engine.supervisor.loop import Supervisor
from tui.storage.locations import config_dir, data_dir, state_dir


def assemble(home: EngineHome, url: str) -> Engine:
    """The engine with this machine's models, llama.cpp and the trainer."""
    settings = engine_settings()
    library = ModelLibrary(
        data_dir() / "models",
        home,
        _aliases(config_dir() / "config.toml"),
        settings.upstream,
    )
    return join(
        home,
        url,
        library,
        LocalVoice(library, state_dir(), place=chat_place(settings, home)),
        settings=settings,
    )


def join(
    home: EngineHome,
    url: str,
    library: Library,
    voice: Voice,
    worker: Sequence[str] = (),
    settings: EngineSettings | None = None,
    embedder: Embedding | None = None,
) -> Engine:
    """An engine on these models and this chat; uploads that a crash cut short are cleared away.

    `worker` is a command to train with in place of ours.
    """
    home.create()
    settings = settings or EngineSettings()
    database = Database(home.database)
    files, jobs = FileStore(database, home), JobStore(database)
    files.sweep()
    embedding = embedder or Embedder(library.encoder, state_dir())

    def jobs_changed(running: int) -> None:
        voice.jobs_changed(running)
        embedding.jobs_changed(running)

    supervisor = Supervisor(
        home,
        jobs,
        files,
        library,
        launchers(settings, home, worker),
        price=settings.price,
        changed=jobs_changed,
    )
    return Engine(
        home,
        database,
        files,
        jobs,
        ModelStore(database),
        supervisor,
        library,
        voice,
        embedding,
        url,
        settings.quota,
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
