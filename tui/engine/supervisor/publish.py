"""A finished job's adapter becomes a model: copied whole, named by the contract."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from tui.domain.errors import PapertuneError
from tui.domain.identifiers import slug
from tui.engine.faults import told
from tui.engine.store.jobs import StoredJob
from tui.storage import atomic


def model_id(job: StoredJob, step: int | None = None) -> str:
    """`ft:<base>:<8 hex>:<YYYYMMDD>[:<suffix>]:<first 8 of the job's id>`.

    A model of the checkpoint of a `step`, made after the job, has a mark of its own.
    """
    of = job.id if step is None else f"{job.id}:{step}"
    mark = hashlib.sha256(of.encode()).hexdigest()[:8]
    day = time.strftime("%Y%m%d", time.gmtime(job.created_at))
    suffix = [slug(job.suffix, "model")] if job.suffix else []
    return ":".join(["ft", job.model, mark, day, *suffix, job.id[:8]])


def publish(job: StoredJob, adapter: Path, destination: Path, step: int | None = None) -> None:
    """Copy the adapter to `destination` with its lineage; a copy cut short leaves nothing there.

    Done again after a crash it changes nothing. Raises PapertuneError when the disk is full.
    """
    if destination.is_dir():
        return
    temporary = destination.with_name(f".{destination.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(adapter, temporary)
        card = temporary / "papertune.json"
        known: dict[str, Any] = json.loads(card.read_text()) if card.is_file() else {}
        lineage = job.options.get("lineage") or {}
        known |= {
            "id": model_id(job, step),
            "job": job.id,
            "base": job.model,
            "created_at": int(time.time()),
            "lineage": {**lineage, "job": job.id},
        }
        atomic.write_json(card, known)
        temporary.rename(destination)
    except (OSError, ValueError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise PapertuneError(
            f"The trained model could not be published. {told(error)}",
            f"Its checkpoints are kept; make a model of one: papertune job keep {job.id} STEP",
        ) from error
    atomic.sync_directory(destination.parent)
