"""Models from outside the catalogue: from the hub, a folder or a file; files first, card last.

As with the catalogue's, everything happens in a folder beside the final one, which is renamed into
place when it is whole. What lies there after a kill is gone on with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tui.domain.errors import ConflictError, NotFoundError, PapertuneError
from tui.engine.models.errors import PullError, disk_error
from tui.engine.models.hf_folder import describe
from tui.engine.models.hub import Hub
from tui.engine.models.prepare import CARD, HF, prepare_gguf
from tui.engine.models.pull import GGUF, OnProgress, PullProgress, held, require_room
from tui.engine.models.wanted import Reference, check_id, choose, refuse_code
from tui.engine.models.wheel import StoppedError
from tui.storage.atomic import write_json
from tui.text import visible

Stop = Callable[[], bool]
_CHUNK = 1 << 20
_STATE = "pull.json"


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a model comes from, for its card."""

    source: str
    license: str


def pull_from_hub(
    model_id: str,
    reference: Reference,
    models: Path,
    *,
    on_progress: OnProgress | None = None,
    cancelled: Stop | None = None,
    hub: Hub | None = None,
) -> Path:
    """Bring a repository's model to `models/<model_id>/` and return that folder.

    Raises PullError (no network, no safe weights, disk full), ChecksumError, NotFoundError,
    MissingError (a token is needed), ConflictError when another model has the name.
    """
    report, stop = on_progress or (lambda _: None), cancelled or (lambda: False)
    with _staged(model_id, reference.url, models) as staging:
        if staging is None:
            return models / model_id
        with hub or Hub() as connection:
            report(PullProgress("look"))
            repository = connection.repository(reference)
            names = choose([file.name for file in repository.files], reference)
            files = [repository.file(name) for name in names]
            total, done = sum(file.size for file in files), 0
            _continued(staging, f"{reference.url}@{repository.commit}")
            require_room(models, model_id, total - _size(staging), copies=2 if _gguf(names) else 1)
            for file in files:
                target = staging / (GGUF if file.name.endswith(".gguf") else f"{HF}/{file.name}")
                if not target.is_file():
                    before = done
                    connection.fetch(
                        repository,
                        file,
                        target,
                        lambda n, before=before: report(  # type: ignore[misc]
                            PullProgress("download", before + n, total)
                        ),
                        stop,
                    )
                done += file.size
                report(PullProgress("download", done, total))
                if file.name == "config.json":
                    refuse_code(json.loads(target.read_text(encoding="utf-8")))
        origin = _Origin(f"{reference.url}@{repository.commit[:12]}", repository.license)
        return _finished(model_id, staging, models, origin, report)


def pull_from_path(
    model_id: str,
    source: Path,
    models: Path,
    *,
    on_progress: OnProgress | None = None,
    cancelled: Stop | None = None,
) -> Path:
    """Copy a model from a folder or a GGUF file to `models/<model_id>/`; raises as above."""
    report, stop = on_progress or (lambda _: None), cancelled or (lambda: False)
    with _staged(model_id, str(source), models) as staging:
        if staging is None:
            return models / model_id
        pairs = _local_files(source)
        total, done = sum(path.stat().st_size for path, _ in pairs), 0
        require_room(models, model_id, total, copies=2 if source.suffix == ".gguf" else 1)
        for path, name in pairs:
            if name == f"{HF}/config.json":
                refuse_code(json.loads(path.read_text(encoding="utf-8")))
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as file, target.open("wb") as out:
                while chunk := file.read(_CHUNK):
                    if stop():
                        raise StoppedError
                    out.write(chunk)
                    done += len(chunk)
                    report(PullProgress("copy", done, total))
        return _finished(model_id, staging, models, _Origin(str(source), ""), report)


@contextmanager
def _staged(model_id: str, source: str, models: Path) -> Iterator[Path | None]:
    """A folder to build the model in, or None when this very model is there already."""
    check_id(model_id)
    target, staging = models / model_id, models / f".{model_id}.partial"
    try:
        with held(models, model_id, 1.0):
            if (target / CARD).is_file():
                found = json.loads((target / CARD).read_text(encoding="utf-8"))
                if str(found.get("source", "")).partition("@")[0] != source.partition("@")[0]:
                    raise ConflictError(
                        f"Another model is called {model_id} here (from {found.get('source')}).",
                        f"Choose a name: papertune model pull NAME --from hf:{visible(source)}",
                    )
                yield None
                return
            staging.mkdir(exist_ok=True)
            yield staging
    except StoppedError:
        raise PullError(
            f"Fetching {model_id} was stopped.", "Pull again: it goes on where it was."
        ) from None
    except OSError as error:
        raise disk_error(error, model_id) from error


def _finished(
    model_id: str, staging: Path, models: Path, origin: _Origin, report: OnProgress
) -> Path:
    report(PullProgress("prepare"))
    try:
        gguf = staging / GGUF
        if gguf.is_file():
            card = prepare_gguf(staging)
            card["sha256"] = _sha256(gguf)
        else:
            card = describe(staging / HF)
    except (PapertuneError, ValueError, KeyError, TypeError) as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, PapertuneError):
            raise
        raise PullError(f"The files of {model_id} are damaged: {visible(str(error))}.") from error
    card |= {
        "id": model_id,
        "source": origin.source,
        "license": card.get("license") or origin.license or "not stated; see where it comes from",
    }
    (staging / _STATE).unlink(missing_ok=True)
    write_json(staging / CARD, card)
    target = models / model_id
    if target.exists():  # left without a card by a crash
        shutil.rmtree(target)
    staging.rename(target)
    report(PullProgress("done"))
    return target


def _continued(staging: Path, what: str) -> None:
    """Keep what an earlier attempt left only if it is of the same commit."""
    state = staging / _STATE
    with contextlib.suppress(OSError, ValueError):
        if json.loads(state.read_text()) == {"what": what}:
            return
    shutil.rmtree(staging)
    staging.mkdir()
    write_json(state, {"what": what})


def _local_files(source: Path) -> list[tuple[Path, str]]:
    """The files to copy and where they go; links are followed, as the hub's own cache has them."""
    if source.is_file() and source.suffix == ".gguf":
        return [(source, GGUF)]
    if not source.is_dir():
        raise NotFoundError(
            f"There is no model at {visible(str(source))}.", "Name a folder or a .gguf file."
        )
    names = [path.relative_to(source).as_posix() for path in source.glob("*") if path.is_file()]
    names += ["1_Pooling/config.json"] if (source / "1_Pooling/config.json").is_file() else []
    found = [name for name in names if name.endswith(".gguf")]
    if len(found) == 1 and not (source / "config.json").is_file():
        return [(source / found[0], GGUF)]
    chosen = choose(names, Reference(visible(str(source))))
    return [(source / name, f"{HF}/{name}") for name in chosen]


def _gguf(names: list[str]) -> bool:
    return any(name.endswith(".gguf") for name in names)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
