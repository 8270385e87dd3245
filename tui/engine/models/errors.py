"""What can go wrong while a model is fetched; each says what to do next."""

from __future__ import annotations

import errno

from tui.domain.errors import PapertuneError


class PullError(PapertuneError):
    """The model could not be fetched; nothing of it was kept."""


class ChecksumError(PullError):
    """What arrived is not the file that the catalogue names."""


def disk_error(error: OSError, what: str) -> PapertuneError:
    """An operating system error while writing a model, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PullError(
            f"The disk is full; {what} was not kept.",
            "Free some space, or move the data folder with PAPERTUNE_DATA_DIR.",
        )
    return PullError(f"{what} could not be written: {error.strerror}.", "Check the data folder.")
