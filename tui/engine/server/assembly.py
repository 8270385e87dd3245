"""Putting the engine together from its parts."""

from __future__ import annotations

from collections.abc import Sequence

from tui.engine.home import EngineHome
from tui.engine.server.ports import Library, Voice
from tui.engine.server.state import Engine
from tui.engine.store.database import Database
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore
from tui.engine.store.models import ModelStore
from tui.engine.supervisor import WORKER, Supervisor


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
