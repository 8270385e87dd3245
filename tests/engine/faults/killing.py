"""A real training in a real engine, whose server and worker are killed again and again."""

from __future__ import annotations

import contextlib
import json
import random
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.engine.server.conftest import stop_workers, until
from tests.engine.server.engine_process import JOBS, Engine
from tests.engine.training.conftest import WORDINGS, TinyModel, messages_file
from tui.engine.supervisor.folder import JobFolder

SERVER, WORKER, BOTH = "server", "worker", "both"
PATIENCE = 240
OPTIONS = {"batch_size": 4, "lora_rank": 4, "lora_alpha": 8, "word_dropout": 0.3}


@dataclass(frozen=True)
class Outcome:
    """What a training left: the losses of every step, and the adapter's bytes."""

    losses: dict[int, tuple[float, Any]]
    adapter: bytes
    trained_tokens: int


class Training:
    """An engine of its own with the tiny model and both files of a job."""

    def __init__(self, base: Path, tiny: TinyModel, steps: int) -> None:
        self.engine = Engine(base, (sys.executable, "-m", "tui.engine", "serve", "--port", "0"))
        self.steps = steps
        models = base / "data" / "models"
        models.mkdir(parents=True)
        (models / "tiny").symlink_to(tiny.folder, target_is_directory=True)
        self.engine.start()
        train = messages_file(base / "train.jsonl", WORDINGS).read_bytes()
        memory = messages_file(base / "memory.jsonl", ["So, {}?"]).read_bytes()
        self.contents = {self._upload("train.jsonl", train): train}
        self.contents[self._upload("memory.jsonl", memory)] = memory

    def _upload(self, name: str, content: bytes) -> str:
        with self.engine.client() as client:
            answer = client.post("/v1/files", files={"file": (name, content)})
        return str(answer.json()["id"])

    def create(self) -> str:
        """Start the job; every one of an engine is the same."""
        train, memory = self.contents
        body = {
            "model": "tiny",
            "training_files": [{"file_id": train}],
            "validation_files": [memory],
            "hyperparameters": {"training_steps": self.steps, "learning_rate": 5e-3},
        }
        with self.engine.client() as client:
            answer = client.post(
                JOBS, json=body, headers={"X-Papertune-Options": json.dumps(OPTIONS)}
            )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def folder(self, job: str) -> JobFolder:
        return JobFolder(self.engine.home.job(job))

    def step(self, job: str) -> int:
        """The last step that is on disk."""
        return max((point["step"] for point in self.folder(job).points()), default=0)

    def workers(self, job: str) -> list[psutil.Process]:
        """Every living process that works in the job's folder."""
        place, found = str(self.engine.home.job(job)), []
        for process in psutil.process_iter(["cmdline", "status"]):
            known = process.info["status"] != psutil.STATUS_ZOMBIE
            if known and (process.info["cmdline"] or [""])[-1] == place:
                found.append(process)
        return found

    def kill(self, job: str, victim: str, first: str = SERVER) -> None:
        """SIGKILL, to `both` in the order that `first` says; a server is started again."""
        for which in {SERVER: (SERVER,), WORKER: (WORKER,)}.get(
            victim, (SERVER, WORKER) if first == SERVER else (WORKER, SERVER)
        ):
            if which == SERVER:
                self.engine.kill()
                continue
            for worker in self.workers(job):
                with contextlib.suppress(psutil.Error):
                    worker.kill()
        if victim != WORKER:
            self.engine.start()

    def ended(self, job: str) -> bool:
        return (self.folder(job).path / "adapter").is_dir()

    def outcome(self, job: str) -> Outcome:
        """Wait for the end and look at what is left; nothing may be lost and nobody left over."""
        done = until(
            lambda: (
                (now := self.engine.job(job))["status"] in ("SUCCESS", "FAILED", "CANCELLED")
                and now
            ),
            PATIENCE,
        )
        assert done["status"] == "SUCCESS", done["events"]
        until(lambda: not self.workers(job))
        with self.engine.client() as client:
            for file, content in self.contents.items():
                assert client.get(f"/v1/files/{file}/content").content == content
            assert client.get(f"/v1/models/{done['fine_tuned_model']}").status_code == 200
        model = self.engine.home.model(done["fine_tuned_model"])
        assert not list(self.engine.home.models.glob(".*"))
        assert not list(self.folder(job).path.rglob("*.tmp"))
        losses = {
            point["step"]: (point["train_loss"], point.get("validation"))
            for point in self.folder(job).points()
        }
        assert list(losses) == list(range(1, self.steps + 1))
        return Outcome(
            losses, (model / "adapter_model.safetensors").read_bytes(), done["trained_tokens"]
        )

    def close(self) -> None:
        """End what is still there."""
        if self.engine.running is not None:
            self.engine.kill()
        stop_workers(self.engine.home)


@contextlib.contextmanager
def training(base: Path, tiny: TinyModel, steps: int) -> Iterator[Training]:
    """A `Training` that is ended with the block."""
    held = Training(base, tiny, steps)
    try:
        yield held
    finally:
        held.close()


def steps_to_kill_at(seed: int, victims: Collection[str], steps: int) -> list[tuple[int, str]]:
    """A random step for every victim, in the order of the steps; victims are shuffled."""
    chance = random.Random(seed)
    shuffled = chance.sample(sorted(victims), len(victims))
    return list(zip(sorted(chance.sample(range(1, steps), len(victims))), shuffled, strict=True))
