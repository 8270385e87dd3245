"""Adding papers while everything else stays usable: one line of progress, escape cancels."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from textual import getters, work
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from screens.base import ShellApp
from screens.corpus.services import CorpusServices
from tui.domain.errors import PapertuneError
from tui.domain.paper import IngestReport
from tui.text import visible
from widgets.path_input import missing_path, typed_path

if TYPE_CHECKING:
    from tui.corpus import Progress
    from tui.corpus.sources.fetch import Identifier

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

    def __init__(self, services: CorpusServices) -> None:
        super().__init__()
        self._services = services
        self._cancelled = threading.Event()
        self._paused = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether files are being read."""
        return self.has_class("-on")

    def start(self, answer: str) -> None:
        """Read a file or a folder, or fetch what an identifier names."""
        self._cancelled.clear()
        self._paused.clear()
        self.update(Content("Looking for files…"))
        self.set_class(True, "-on")
        self._add(answer)

    def toggle_pause(self) -> None:
        """Begin no further file until asked again; those being read are finished."""
        if self._paused.is_set():
            self._paused.clear()
            self.update(Content("Going on…"))
        else:
            self._paused.set()
            add, back = self.app.key_for("corpus.add"), self.app.key_for("corpus.back")
            self.update(Content(f"Paused · {add} goes on · {back} stops"))

    def cancel(self) -> None:
        """Stop after the file that is being read; what was read is kept."""
        self._cancelled.set()
        self.update(Content("Stopping…"))

    @work(thread=True, exclusive=True, exit_on_error=False, group="adding")
    def _add(self, answer: str) -> None:
        from tui.corpus.sources.fetch import identifier

        last = 0.0

        def tell(progress: Progress) -> None:
            nonlocal last
            if time.monotonic() - last >= _EVERY:
                last = time.monotonic()
                self.post_message(self.Progressed(self._words(progress)))

        try:
            if (known := identifier(answer.strip())) is not None:
                report = self._fetched(known)
            else:
                report = self._services.corpus().add(
                    [typed_path(answer)],
                    on_progress=tell,
                    cancelled=self._cancelled.is_set,
                    paused=self._paused.is_set,
                )
        except BaseException:
            self.post_message(self.Finished(IngestReport(), cancelled=True))
            raise
        self.post_message(self.Finished(report, self._cancelled.is_set()))

    def _fetched(self, known: Identifier) -> IngestReport:
        def tell(step: str) -> None:
            self.post_message(self.Progressed(f"{step} …"))

        fetched = self._services.fetcher().add([known], on_step=tell)
        if fetched.failures:
            raise PapertuneError(fetched.failures[0].reason)
        if fetched.records:
            return replace(fetched.ingest, added=fetched.ingest.added + fetched.records)
        return fetched.ingest

    def _words(self, progress: Progress) -> str:
        name = visible(Path(progress.path).name) if progress.path else ""
        rate = f"{progress.pages / progress.seconds:,.0f} pages/s" if progress.seconds > 1 else ""
        left = progress.seconds_left
        parts = (
            f"Reading {progress.done:,} of {progress.total:,}",
            rate,
            f"{timedelta(seconds=round(left))} left" if left is not None and left > 1 else "",
            f"{self.app.key_for('corpus.add')} pauses",
            f"{self.app.key_for('corpus.back')} stops",
            name,
        )
        return " · ".join(filter(None, parts))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what went wrong: textual tells it only to whoever started the worker."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.app.report(event.worker.error)

    def on_adding_progressed(self, event: Progressed) -> None:
        """Draw one line."""
        event.stop()
        if self.busy and not (self._cancelled.is_set() or self._paused.is_set()):
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


def nothing_to_add(answer: str) -> str:
    """What is wrong with what was typed: neither an identifier nor a path that is there."""
    from tui.corpus.sources.fetch import identifier

    return "" if identifier(answer.strip()) else missing_path(answer)
