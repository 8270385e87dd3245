"""What the routes share, built once per server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.engine.home import EngineHome
from tui.engine.server.ports import Embedding, Library, Voice
from tui.engine.settings import Quota
from tui.engine.store.database import Database
from tui.engine.store.files import FileStore
from tui.engine.store.jobs import JobStore
from tui.engine.store.models import ModelStore
from tui.engine.supervisor.loop import Supervisor

if TYPE_CHECKING:
    from tui.engine.server.guard import Guard


@dataclass(slots=True)
class Engine:
    """The running engine: where things lie, what is remembered, who trains and who answers."""

    home: EngineHome
    database: Database
    files: FileStore
    jobs: JobStore
    models: ModelStore
    supervisor: Supervisor
    library: Library
    voice: Voice
    embedder: Embedding
    url: str = ""
    quota: Quota = field(default_factory=Quota)
    guard: Guard | None = None
    began: float = field(default_factory=time.monotonic)

    async def close(self) -> None:
        """End what answers and close the database; workers go on."""
        await self.voice.close()
        await self.embedder.close()
        self.database.close()
