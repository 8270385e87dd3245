"""An engine without weights behind a real socket, and the control that starts and stops it."""

from __future__ import annotations

from typing import Any

from tests.mistral.faults import (
    Answer,
    FaultServer,
    Handler,
    Request,
    answer,
    chunk,
    job_document,
    sse,
)
from tui.mistral import EngineStatus
from tui.settings import SecretStr

BASE, TUNED = "tiny-base", "tiny-tuned"
JOB = "c7a2f9d4-6f1b"
_JOBS = "/v1/fine_tuning/jobs"


class EngineDouble:
    """Two models, no jobs, and whatever a test scripts; `on` says whether it runs."""

    def __init__(self, server: FaultServer, *, on: bool = True) -> None:
        self.server = server
        self.on = on
        self.points: list[dict[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        cards = [_card(BASE), {**_card(TUNED), "type": "fine-tuned", "root": BASE, "created": 2}]
        server.on("GET", "/v1/models", answer({"object": "list", "data": cards}))
        for card in cards:
            server.on("GET", f"/v1/models/{card['id']}", answer(card))
            server.on("GET", f"/local/models/{card['id']}/tokenizer", answer(_tokenizer()))
        status = {"version": "0.1.0", "pid": 4711, "device": "cuda", "jobs": {}, "models": 2}
        server.on("GET", "/local/status", answer(status))
        server.on("GET", "/local/catalogue", answer({"models": [{"id": BASE, "pulled": True}]}))
        server.on("GET", _JOBS, self._listed)

    # As the control

    def address(self) -> tuple[str, SecretStr] | None:
        return (self.server.url, SecretStr("token-of-the-engine")) if self.on else None

    async def status(self) -> EngineStatus:
        if not self.on:
            return EngineStatus(False)
        return EngineStatus(True, self.server.url, pid=4711, device="cuda", version="0.1.0")

    async def ensure(self) -> EngineStatus:
        self.on = True
        return await self.status()

    async def stop(self) -> bool:
        self.on = False
        return True

    # As the server

    def answers(self, *replies: Answer | Handler) -> None:
        self.server.on("POST", "/v1/chat/completions", *replies)

    def says(self, *words: str, hang: bool = False) -> None:
        """Stream words, and come to an end unless it hangs."""
        last = [] if hang else [chunk("", "stop", (12, len(words)))]
        self.answers(sse(*map(chunk, words), *last, done=not hang, hang=hang))

    @property
    def asked(self) -> list[Any]:
        return [request.json() for request in self.server.asked("POST", "/v1/chat/completions")]

    def has_job(self, status: str = "RUNNING", **more: Any) -> None:
        """A job in some status, with `points` as its curve."""
        self.jobs[JOB] = job_document(JOB, status, **more)
        self.server.on("GET", f"{_JOBS}/{JOB}", lambda _: answer(self.jobs[JOB]))
        self.server.on("POST", f"{_JOBS}/{JOB}/cancel", self._cancelled)
        self.server.on("GET", f"/local/jobs/{JOB}", self._local)

    def takes_jobs(self) -> None:
        """Uploads and launches work."""
        self.server.on("POST", "/v1/files", lambda upload: answer(_file(upload)))
        self.server.on("POST", _JOBS, self._created)

    def _created(self, _: Request) -> Answer:
        self.has_job("QUEUED", events=[])
        return answer(self.jobs[JOB])

    def _cancelled(self, _: Request) -> Answer:
        self.jobs[JOB]["status"] = "CANCELLED"
        return answer(self.jobs[JOB])

    def _listed(self, _: Request) -> Answer:
        data = list(self.jobs.values())
        return answer({"object": "list", "data": data, "total": len(data)})

    def _local(self, request: Request) -> Answer:
        after = int(request.query.partition("after=")[2].partition("&")[0] or -1)
        points = [point for point in self.points if point["step"] > after]
        progress = {"step": self.points[-1]["step"] if self.points else 0, "steps": 120}
        files = {"transfer": "a-v1.validation-transfer.jsonl"}
        return answer({"points": points, "progress": progress, "device": "cuda", "files": files})


def point(step: int, loss: float, **validation: float) -> dict[str, Any]:
    return {"step": step, "at": 1_795_280_100.0, "train_loss": loss, "validation": validation}


def _card(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "type": "base",
        "created": 1,
        "capabilities": {"completion_chat": True},
    }


def _file(upload: Request) -> dict[str, Any]:
    boundary = upload.body.partition(b"\r\n")[0]
    head, _, rest = upload.body.partition(b'filename="')[2].partition(b"\r\n\r\n")
    return {
        "id": "0b4ce1d8-6f1b-4a11-9d7e-000000000001",
        "object": "file",
        "bytes": len(rest.partition(b"\r\n" + boundary)[0]),
        "created_at": 1,
        "filename": head.partition(b'"')[0].decode(),
        "purpose": "fine-tune",
        "sample_type": "instruct",
        "source": "upload",
    }


def _tokenizer() -> dict[str, Any]:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    template = "{% for m in messages %}{{ m['content'] }}{{ eos_token }}{% endfor %}"
    return {"tokenizer": tokenizer.to_str(), "chat_template": template, "eos_token": "</s>"}
