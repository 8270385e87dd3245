"""Writing to a terminal that may go away at any moment."""

from __future__ import annotations

from typing import Any, TextIO, cast

from textual.drivers.linux_driver import LinuxDriver


class LastingFile:
    """A terminal's file whose writes never fail: what a terminal that is gone would show is lost.

    Textual's writing thread would end with the first error; whoever then writes, the app that
    wants to leave among them, waits for ever for room in the thread's full queue.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, or do nothing where nobody can see it any more."""
        try:
            return self._file.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush, or do nothing."""
        try:
            self._file.flush()
        except OSError:
            return

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is, or was, a terminal."""
        return self._file.isatty()


class LastingDriver(LinuxDriver):
    """Textual's driver on such a file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = cast(Any, LastingFile(cast(TextIO, self._file)))
