"""Adding papers while everything else stays usable: one line of progress, escape cancels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import getters, work
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from screens.base import ShellApp
from tui.domain.paper import IngestReport
from tui.text import visible

if TYPE_CHECKING:
    from tui.corpus import Corpus, Progress

_EVERY = 0.5  # seconds between repaints: a monitor costs at most two lines a second


class Adding(Static):
    """Hidden unless files are being read."""

    app = getters.app(ShellApp)

    DEFAULT_CSS = """
    Adding { display: none; height: 1; padding: 0 2; color: $accent; }
    Adding.-on { display: block; }
    """

    @dataclass
    class Progressed(Message):
        """Where the reading stands, in words."""

        words: str

    @dataclass
    class Finished(Message):
        """All files were read, or what was asked for was cancelled."""

        report: IngestReport
        cancelled: bool

    def __init__(self, corpus: Callable[[], Corpus], cancel_key: str) -> None:
        super().__init__()
        self._corpus = corpus
        self._cancel_key = cancel_key
        self._cancelled = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether files are being read."""
        return self.has_class("-on")

    def start(self, paths: list[Path]) -> None:
        """Read files and folders."""
        self._cancelled.clear()
        self.update(Content("Looking for files…"))
        self.set_class(True, "-on")
        self._add(paths)

    def cancel(self) -> None:
        """Stop after the file that is being read; what was read is kept."""
        self._cancelled.set()
        self.update(Content("Stopping…"))

    @work(thread=True, exclusive=True, exit_on_error=False, group="adding")
    def _add(self, paths: list[Path]) -> None:
        last = 0.0

        def tell(progress: Progress) -> None:
            nonlocal last
            if time.monotonic() - last >= _EVERY:
                last = time.monotonic()
                self.post_message(self.Progressed(self._words(progress)))

        try:
            report = self._corpus().add(paths, on_progress=tell, cancelled=self._cancelled.is_set)
        except BaseException:
            self.post_message(self.Finished(IngestReport(), cancelled=True))
            raise
        self.post_message(self.Finished(report, self._cancelled.is_set()))

    def _words(self, progress: Progress) -> str:
        name = visible(Path(progress.path).name) if progress.path else ""
        return (
            f"Reading {progress.done:,} of {progress.total:,} · {self._cancel_key} stops · {name}"
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what went wrong: textual tells it only to whoever started the worker."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.app.report(event.worker.error)

    def on_adding_progressed(self, event: Progressed) -> None:
        """Draw one line."""
        event.stop()
        if self.busy and not self._cancelled.is_set():
            self.update(Content(event.words))

    def on_adding_finished(self) -> None:
        """Hide; the screen says what came of it."""
        self.set_class(False, "-on")


def summary(report: IngestReport, cancelled: bool, problems_key: str) -> str:
    """What an ingest did in one line, and where to look if something failed."""
    counts = (
        ("added", report.added),
        ("updated", report.updated),
        ("unchanged", report.unchanged),
        ("skipped", report.skipped),
        ("failed", report.failed),
    )
    words = ", ".join(f"{count:,} {name}" for name, count in counts if count) or "no files found"
    start = "Stopped: " if cancelled else ""
    more = f" · {problems_key} shows why" if report.failed else ""
    return f"{start}{words}{more}"
