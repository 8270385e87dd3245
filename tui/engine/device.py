"""What this machine computes on, and which of its GPUs nobody uses, without importing torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from tui.text import clean

CPU = "cpu"
_PATIENCE_SECONDS = 10
# A GPU on which somebody computes shows either; drivers and displays alone hold some memory.
_IDLE_UTILISATION = 10
_IDLE_SHARE, _IDLE_MB = 0.05, 600
_FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "utilization.gpu")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the driver tells: memory in MiB, utilisation in percent of the last second."""

    index: int
    uuid: str
    name: str
    total_mb: int
    used_mb: int
    utilisation: int

    @property
    def idle(self) -> bool:
        """Whether nobody computes on it or keeps a model in its memory."""
        limit = max(_IDLE_MB, _IDLE_SHARE * self.total_mb)
        return self.used_mb <= limit and self.utilisation <= _IDLE_UTILISATION


@dataclass(frozen=True, slots=True)
class IdleGpus:
    """The GPUs that may be used now; where there are none, `reason` says who is in the way."""

    idle: tuple[Gpu, ...]
    reason: str = ""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def device() -> str:
    """`cpu`, or the name of the first GPU that may be used, e.g. `NVIDIA A100-SXM4-80GB`."""
    found = gpus()
    return found[0].name if found else CPU


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use: all, or those that CUDA_VISIBLE_DEVICES names."""
    if shutil.which("nvidia-smi") is None or not _some_allowed():
        return ()
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = clean(answer.stdout.decode("utf-8", "replace")).splitlines()
    return _allowed(tuple(gpu for row in rows if (gpu := _parsed(row)) is not None))


def idle_gpus(taken: Collection[str]) -> IdleGpus | None:
    """GPUs, the emptiest first, that neither others use nor jobs of ours; None without any GPU.

    `taken` are the UUIDs of our own jobs' GPUs: a worker that is loading its model shows neither
    memory nor load yet.
    """
    found = gpus()
    if not found:
        return None
    free = sorted(
        (gpu for gpu in found if gpu.idle and gpu.uuid not in taken),
        key=lambda gpu: (gpu.used_mb, gpu.utilisation, gpu.index),
    )
    return IdleGpus(tuple(free), "" if free else _in_the_way(found, taken))


def _in_the_way(found: tuple[Gpu, ...], taken: Collection[str]) -> str:
    words = [
        f"GPU {gpu.index}: "
        + (
            "another job of this engine"
            if gpu.uuid in taken
            else f"{gpu.used_mb / 1024:.1f} of {gpu.total_mb / 1024:.0f} GiB in use, "
            f"{gpu.utilisation} % busy"
        )
        for gpu in found
    ]
    return f"no GPU is idle ({'; '.join(words)})"


def _some_allowed() -> bool:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() not in ("", "-1", "NoDevFiles")


def _allowed(found: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """CUDA's rule: in the order named, up to the first name that is no GPU."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return found
    chosen: list[Gpu] = []
    for name in (part.strip() for part in named.split(",")):
        match = next(
            (gpu for gpu in found if name == str(gpu.index) or _is_uuid(name, gpu.uuid)), None
        )
        if match is None:
            break
        chosen.append(match)
    return tuple(chosen)


def _is_uuid(name: str, uuid: str) -> bool:
    return name.startswith("GPU-") and uuid.startswith(name)


def _parsed(row: str) -> Gpu | None:
    parts = [part.strip() for part in row.split(",")]
    if len(parts) != len(_FIELDS) or not parts[0].isdigit():
        return None
    total, used, busy = (int(part) if part.isdigit() else 0 for part in parts[3:])
    return Gpu(int(parts[0]), parts[1], parts[2], total, used, busy)
