"""A workspace: the directory that holds one team's corpus, datasets and evaluations."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

from tui.domain.errors import MissingError, UsageError
from tui.storage import sqlite
from tui.storage.filesystem import is_network
from tui.storage.locations import cache_dir

DATABASE = "workspace.db"


class Workspace:
    """Opens the database once per thread and knows where everything else lies.

    Services share one Workspace; each thread gets a connection of its own, so workers never wait
    for the interface.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []

    @staticmethod
    def exists(root: Path) -> bool:
        """Whether `root` is a workspace already."""
        return (root.expanduser() / DATABASE).is_file()

    @classmethod
    def open(cls, root: Path, *, create: bool = True) -> Workspace:
        """Open the workspace at `root`.

        Raises MissingError when it is not there and `create` is false, UsageError when `root` is a
        file, PapertuneError when it is of a newer version or damaged.
        """
        if root.expanduser().is_file():
            raise UsageError(f"{root} is a file, not a folder.", "Name a folder for the workspace.")
        if not create and not cls.exists(root):
            raise MissingError(
                f"There is no workspace at {root}.", "Start one with: papertune corpus add PATH"
            )
        workspace = cls(root)
        workspace.connection()
        return workspace

    @property
    def datasets(self) -> Path:
        """Frozen versions: `<name>/v<N>/`."""
        return self.root / "datasets"

    @property
    def reviews(self) -> Path:
        """Review decisions, one append-only file per person."""
        return self.root / "reviews"

    @property
    def feedback(self) -> Path:
        """Ratings and corrections, one append-only file per person."""
        return self.root / "feedback"

    @property
    def evaluations(self) -> Path:
        """Evaluation runs: `<run>/`."""
        return self.root / "evaluations"

    @property
    def guide(self) -> Path:
        """Marks a workspace in which the quickstart leads; absent in all others."""
        return self.root / "quickstart.json"

    @property
    def index(self) -> Path:
        """The search index, rebuildable; in the user's cache where it cannot lie here."""
        if is_network(self.root) or (self.root.exists() and not os.access(self.root, os.W_OK)):
            key = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
            return cache_dir() / "index" / key
        return self.root / "index"

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite.connect(self.root / DATABASE, migrations())
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One short write transaction on this thread's connection."""
        return sqlite.transaction(self.connection())

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()


def migrations() -> list[str]:
    """The numbered scripts in `migrations/`, in order."""
    folder = resources.files("tui.storage") / "migrations"
    scripts = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name
    )
    return [script.read_text(encoding="utf-8") for script in scripts]
