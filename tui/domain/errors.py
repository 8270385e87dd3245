"""Errors a person can act on: what is wrong, where, and what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line; scripts stand on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    MISSING = 3
    INTERRUPTED = 130


class PapertuneError(Exception):
    """One sentence of what is wrong and one of what to do about it.

    Raised by every service and shown as is by screens and commands, so neither sentence may hold
    a secret or unsanitised foreign text.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class UsageError(PapertuneError):
    """The request itself cannot be right: bad input, unknown name, contradictory options."""

    exit_code = ExitCode.USAGE


class MissingError(PapertuneError):
    """Something has to be fetched, installed or started first; the remedy names the command."""

    exit_code = ExitCode.MISSING


class NotFoundError(UsageError):
    """A paper, dataset, job, model or run of that name does not exist."""


class ConflictError(PapertuneError):
    """Somebody else holds or has changed what was asked for."""
