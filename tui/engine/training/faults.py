"""What went wrong in a training job, as a sentence that a person can act on."""

from __future__ import annotations

import errno

from tui.domain.errors import PapertuneError
from tui.text import shorten

_DISK = ("no space left on device", "os error 28", "disk quota exceeded", "failed writing file")
_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc")
_GPU = ("cuda error", "cuda driver", "no cuda gpus are available", "nvml", "device-side assert")
_DISK_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


class NotFiniteError(PapertuneError):
    """The loss or its gradient stopped being a number."""


def not_finite(what: str, step: int, learning_rate: float) -> NotFiniteError:
    """`what` became NaN or infinite in `step`."""
    return NotFiniteError(
        f"The {what} was no longer a number at step {step}: the training diverged.",
        f"Create the job again with a lower learning rate (it was {learning_rate:g}).",
    )


def sentence(error: BaseException) -> str:
    """What went wrong and what to do, whatever library raised it."""
    if isinstance(error, PapertuneError):
        return str(error)
    kind = _kind(error)
    if kind == "disk":
        return (
            "The disk is full or the quota is used up, so a checkpoint could not be written."
            " Free some space (papertune engine status shows where the engine keeps its files),"
            " then start the job again: it goes on from its last checkpoint."
        )
    if kind == "memory":
        return (
            "There was not enough memory for a training step."
            " Create the job again with a smaller batch size or seq_len, or end other programs."
        )
    if kind == "gpu":
        return (
            "The GPU stopped answering or is gone."
            " Check it with nvidia-smi, then start the job again: it goes on from its last"
            " checkpoint."
        )
    if isinstance(error, ModuleNotFoundError):
        return (
            f"The trainer is not installed ({error.name} is missing)."
            " Install it: pip install 'papertune[train]'."
        )
    return (
        f"The training failed: {type(error).__name__}: {shorten(str(error), 300)}."
        " The job's log has the details."
    )


def _kind(error: BaseException) -> str:
    """Which of the usual faults it is, looking at what caused it too."""
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        if isinstance(seen, OSError) and seen.errno in _DISK_NUMBERS:
            return "disk"
        if any(part in text for part in _DISK):
            return "disk"
        if isinstance(seen, MemoryError) or any(part in text for part in _MEMORY):
            return "memory"
        if isinstance(seen, OSError) and seen.errno == errno.ENOMEM:
            return "memory"
        if any(part in text for part in _GPU):
            return "gpu"
        seen = seen.__cause__ or seen.__context__
    return ""
