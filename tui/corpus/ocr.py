"""Recognising the text of scanned PDFs with ocrmypdf, where it is installed."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui.corpus.paths import real, stored
from tui.corpus.problems import ProblemKind, kind_of
from tui.corpus.service import Corpus
from tui.domain.errors import MissingError, NotFoundError
from tui.domain.paper import Failure, FileStatus
from tui.storage.workspace import Workspace
from tui.text import visible

SECONDS_PER_FILE = 1800.0
_MEMORY_BYTES = 8 * 1024**3
_LARGEST_OUTPUT = 4 * 1024**3
_PROGRAM = "ocrmypdf"
# What its exit codes mean, of its manual.
_REASONS = {
    2: "not a PDF that it can read", 4: "it could not write a valid PDF",
    5: "it may not read or write there", 6: "its pages hold text already",
    8: "password needed", 9: "a wrong setting of ocrmypdf", 15: "ocrmypdf failed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OcrReport:
    """What became of the scans; `recognised` and `failed` add up to `files`."""

    files: int = 0
    recognised: int = 0
    failed: int = 0
    papers: int = 0
    failures: tuple[Failure, ...] = ()


class Ocr:
    """Makes copies with text of scanned files and reads those; the originals stay untouched."""

    def __init__(
        self, workspace: Workspace, corpus: Corpus, *, seconds: float = SECONDS_PER_FILE
    ) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._seconds = seconds

    def waiting(self) -> list[Path]:
        """The files that are scanned, or whose text layer is garbled."""
        rows = self._workspace.connection().execute(
            "SELECT path, reason FROM file WHERE status = ? ORDER BY path", (FileStatus.FAILED,)
        )
        wanted = (ProblemKind.SCANNED, ProblemKind.GARBLED)
        return [Path(real(r[0])) for r in rows if kind_of(FileStatus.FAILED, r[1]) in wanted]

    def run(
        self,
        paths: Sequence[Path],
        *,
        on_step: Callable[[str], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> OcrReport:
        """Recognise files that `waiting` names, all of them without `paths`.

        Raises MissingError without ocrmypdf, NotFoundError for a file that does not wait for it.
        """
        waiting = {stored(path): path for path in self.waiting()}
        chosen = [stored(path.expanduser().absolute()) for path in paths] or list(waiting)
        for path in chosen:
            if path not in waiting:
                raise NotFoundError(
                    f"{visible(real(path))} is no file whose text has to be recognised.",
                    "See which are: papertune corpus problems --kind scanned",
                )
        program = shutil.which(_PROGRAM)
        if program is None:
            raise MissingError(
                "ocrmypdf is not installed.",
                "On Debian and Ubuntu: apt install ocrmypdf · elsewhere: pipx install ocrmypdf "
                "(it needs tesseract and ghostscript)",
            )
        failures: list[Failure] = []
        recognised = 0
        for path in chosen:
            if cancelled():
                break
            on_step(visible(real(path)))
            reason = self._one(program, path)
            if reason:
                failures.append(Failure(visible(real(path)), reason))
            else:
                recognised += 1
        return OcrReport(
            recognised + len(failures), recognised, len(failures), self._corpus.totals().papers,
            tuple(failures),
        )  # fmt: skip

    def _one(self, program: str, path: str) -> str:
        """Recognise one file and read the copy; returns why not, or ""."""
        row = (
            self._workspace.connection()
            .execute("SELECT sha256, reason FROM file WHERE path = ?", (path,))
            .fetchone()
        )
        digest = row[0] or hashlib.sha256(path.encode()).hexdigest()
        name = Path(real(path)).stem.encode("ascii", "replace").decode().replace("?", "_")[:80]
        made = self._workspace.root / "files" / "ocr" / f"{name}-{digest[:12]}.pdf"
        if not made.is_file():
            # A text layer that is garbled has to give way; a scan's few words may stay.
            how = "--force-ocr" if row[1].startswith("garbled") else "--skip-text"
            if reason := self._recognise(program, Path(real(path)), made, how):
                return reason
        report = self._corpus.add([made])
        if report.failures:
            made.unlink(missing_ok=True)
            return f"after recognition: {report.failures[0].reason}"
        with self._workspace.transaction() as db:
            # The copy speaks for the original, which is asked for again only when it changes.
            db.execute(
                "UPDATE file SET status = ?, reason = ?, "
                "paper = (SELECT paper FROM file WHERE path = ?) WHERE path = ?",
                (FileStatus.SKIPPED, "a scan: read through its copy with text", stored(made), path),
            )
        return ""

    def _recognise(self, program: str, source: Path, made: Path, how: str) -> str:
        made.parent.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_name(f".{made.name}.{os.getpid()}.tmp")
        words = [program, how, "--quiet", "--output-type", "pdf", str(source), str(unfinished)]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            _limit(process.pid)
            try:
                code = process.wait(self._seconds)
            except subprocess.TimeoutExpired:
                return f"took longer than {self._seconds:.0f} seconds to recognise"
            finally:
                # Its helpers, too: they outlive it when it is killed.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if code != 0:
                return _REASONS.get(code, f"ocrmypdf failed ({code})")
            if not unfinished.is_file():
                return "ocrmypdf wrote nothing"
            unfinished.replace(made)
        except OSError as error:
            return f"cannot be recognised: {error.strerror or error}"
        finally:
            unfinished.unlink(missing_ok=True)
        return ""


def _limit(pid: int) -> None:
    """Bound its memory and output from outside: our threads forbid code between fork and exec."""
    if not hasattr(resource, "prlimit"):
        return
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _LARGEST_OUTPUT),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):
            resource.prlimit(pid, what, (most, most))
