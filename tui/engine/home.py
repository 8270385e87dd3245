"""Where the engine keeps things on disk: the layout that server, workers and chat agree on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tui.storage.locations import data_dir


@dataclass(frozen=True, slots=True)
class EngineHome:
    """The engine's folder: uploads, jobs, fine-tuned models, the database and the lock."""

    root: Path

    @staticmethod
    def default() -> EngineHome:
        """The engine's folder in the user's data directory."""
        return EngineHome(data_dir() / "engine")

    @property
    def database(self) -> Path:
        """What the API has been told and has answered."""
        return self.root / "engine.db"

    @property
    def lock(self) -> Path:
        """Names the engine that owns this folder."""
        return self.root / "lock"

    @property
    def token(self) -> Path:
        """The installation's token (0600), kept over restarts."""
        return self.root / "token"

    @property
    def files(self) -> Path:
        """Uploaded files, named by their id only."""
        return self.root / "files"

    @property
    def jobs(self) -> Path:
        """One folder per job."""
        return self.root / "jobs"

    @property
    def models(self) -> Path:
        """One folder per fine-tuned model."""
        return self.root / "models"

    def file(self, file_id: str) -> Path:
        """The content of an upload; `file_id` is an id of ours, never a name from outside."""
        return self.files / file_id

    def job(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.jobs / job_id

    def model(self, model_id: str) -> Path:
        """The folder of a fine-tuned model."""
        return self.models / model_id.replace(":", "_")

    def create(self) -> None:
        """Make the folders; uploads and jobs may hold unpublished papers, so others cannot look."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.files, self.jobs, self.models):
            folder.mkdir(exist_ok=True)
