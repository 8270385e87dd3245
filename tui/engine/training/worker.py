"""`python -m tui.engine.training.worker JOBDIR`: trains one job, whoever started it.

The worker needs nothing but the job's folder: no server, no terminal, no network. It can be killed
at any moment and started again; it then goes on from its last whole checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from tui.domain.job import JobStatus
from tui.engine.training.checkpoints import Checkpoints
from tui.engine.training.faults import sentence
from tui.engine.training.ranks import Ranks
from tui.engine.training.report import Report
from tui.engine.training.spec import JobSpec

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 128 + signal.SIGTERM
_LOOK_SECONDS = 0.2
# After SIGTERM a step may end and be saved; Slurm kills after 30 s, so there is time to spare.
_GRACE_SECONDS = 10.0
# On a machine that people share with the job, their keys and answers come before its next step.
_NICE = 5
_ENVIRONMENT = {
    # Threads that wait by spinning are faster on quiet cores and ruinous on shared ones. Tokens a
    # second of two threads on two cores, quiet and beside a busy process (SmolLM2-135M): never
    # spinning 111 and 92, this short spin 126 and 83, ten times as long 137 and 37.
    "GOMP_SPINCOUNT": "1000",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def main(arguments: list[str]) -> int:
    """Train the job in the folder named; the exit code says how it ended."""
    if len(arguments) != 1 or not Path(arguments[0], "spec.json").is_file():
        sys.stderr.write("usage: python -m tui.engine.training.worker JOBDIR (with a spec.json)\n")
        return USAGE
    folder = Path(arguments[0]).resolve()
    ranks = Ranks.of_environment()
    with (folder / "worker.lock").open("ab") as lock:
        if ranks.first and not _alone(lock):
            sys.stderr.write("Another worker has this job.\n")
            return DONE
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if "SLURM_JOB_ID" not in os.environ:
            os.nice(_NICE)
        code = _work(folder, ranks)
        if ranks.size > 1:
            # What connects the processes can wait for ever for one that has gone before.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        return code


def _alone(lock: BinaryIO) -> bool:
    """Whether no other worker has the job; where locks are not supported, believe so."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _work(folder: Path, ranks: Ranks) -> int:
    report = Report(folder, ranks)
    watch = _Watch(report)
    try:
        report.announce()
        watch.start()
        report.say("Starting.")
        spec = JobSpec.read(folder)
        if spec.threads and ranks.size == 1:
            os.environ["OMP_NUM_THREADS"] = str(spec.threads)
        from tui.engine.training.run import train

        message = train(spec, report, watch.interrupted.is_set, ranks)
        if message is None:
            report.close_with(None, "Interrupted; it goes on from its last checkpoint.")
            return INTERRUPTED
        report.close_with(JobStatus.SUCCESS, message, seconds_left=0)
        return DONE
    except BaseException as error:
        traceback.print_exc()
        _fail(report, error)
        return FAILED
    finally:
        watch.stop()


def _fail(report: Report, error: BaseException) -> None:
    """Say why the job failed; checkpoints that were cut short make room for the words first."""
    if report.first:
        Checkpoints(report.folder / "checkpoints").prune(report.chosen)
    with contextlib.suppress(OSError):
        report.close_with(JobStatus.FAILED, sentence(error))


class _Watch:
    """Ends the process when somebody cancels, however long a training step takes.

    What is on disk is always a whole checkpoint, so nothing has to be finished first.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stop = threading.Event()
        self.interrupted = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def start(self) -> None:
        """Look for the cancel file, and take SIGTERM as the wish to stop at the next step."""
        signal.signal(signal.SIGTERM, self._terminate)
        self._thread.start()

    def stop(self) -> None:
        """The job has ended by itself."""
        self._stop.set()

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self.interrupted.set()

    def _look(self) -> None:
        grace = _GRACE_SECONDS
        while not self._stop.wait(_LOOK_SECONDS):
            if self._report.asked_to_stop:
                self._leave(JobStatus.CANCELLED, "Cancelled; the last checkpoint is kept.", DONE)
            if self.interrupted.is_set():
                grace -= _LOOK_SECONDS
            if grace <= 0:
                message = "Interrupted; it goes on from its last checkpoint."
                self._leave(None, message, INTERRUPTED)

    def _leave(self, status: JobStatus | None, message: str, code: int) -> None:
        try:
            ended = not self._report.close_with(status, message)
        except OSError:
            ended = False
        if not ended:
            sys.stderr.flush()
            os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
