"""Fetching a model as a stream of events, wherever it comes from."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from tui.domain.errors import UsageError
from tui.engine.models.catalogue import CATALOGUE, known
from tui.engine.models.foreign import pull_from_hub, pull_from_path
from tui.engine.models.prepare import CARD
from tui.engine.models.pull import OnProgress, PullProgress, pull
from tui.engine.models.wanted import parse_reference
from tui.text import visible

HUB = "hf:"


async def pulled(
    models: Path, model_id: str, source: str | None
) -> AsyncGenerator[dict[str, Any], None]:
    """Fetch a model: `{"event":"progress","step","done","total"}`, then
    `{"event":"done","id","license","path"}`; closing the iterator stops the download.

    `model_id` is a name of the catalogue, a repository of the hub
    (`ORGANISATION/MODEL[@REVISION][:FILE.gguf]`), or, with a `source`, the name the model gets
    here; `source` is `hf:` and a repository, or a path on the engine's machine. Raises what
    `pull`, `pull_from_hub` and `pull_from_path` raise.
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[PullProgress | None] = asyncio.Queue()
    stopped = threading.Event()
    latest = (-1, "")

    def report(progress: PullProgress) -> None:
        nonlocal latest
        mark = (progress.done * 100 // max(1, progress.total), progress.step)
        if mark != latest:
            latest = mark
            loop.call_soon_threadsafe(events.put_nowait, progress)

    def work() -> Path:
        try:
            return _fetched(models, model_id, source, report, stopped)
        finally:
            loop.call_soon_threadsafe(events.put_nowait, None)

    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        while (progress := await events.get()) is not None:
            yield {
                "event": "progress",
                "step": progress.step,
                "done": progress.done,
                "total": progress.total,
            }
        folder = await task
    finally:
        stopped.set()
        if not task.done():
            task.add_done_callback(lambda done: done.exception())
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    yield {
        "event": "done",
        "id": card["id"],
        "license": card.get("license"),
        "source": card.get("source"),
        "path": str(folder),
    }


def _fetched(
    models: Path, model_id: str, source: str | None, report: OnProgress, stopped: threading.Event
) -> Path:
    stop = stopped.is_set
    if model_id in CATALOGUE:
        given = Path(source).expanduser() if source else None
        return pull(known(model_id), models, source=given, on_progress=report, cancelled=stop)
    named = source.removeprefix(HUB) if source and source.startswith(HUB) else ""
    reference = parse_reference(named or ("" if source else model_id.removeprefix(HUB)))
    if named and reference is None:
        raise UsageError(f"'{visible(named)[:100]}' is no repository.", "As in ORGANISATION/MODEL.")
    if reference is not None:
        wanted = model_id if named else reference.id
        return pull_from_hub(wanted, reference, models, on_progress=report, cancelled=stop)
    if source:
        path = Path(source).expanduser()
        return pull_from_path(model_id, path, models, on_progress=report, cancelled=stop)
    return pull(known(model_id), models)  # raises, with what there is
