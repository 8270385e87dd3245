"""Workers as processes of this machine, on its idle GPUs or on its processor."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Callable, Collection

from tui.engine.device import CPU, cores, gpus, idle_gpus
from tui.engine.faults import told
from tui.engine.launchers.base import Launch, Room, Seen, Where
from tui.engine.launchers.command import WorkerCommand
from tui.engine.supervisor import process
from tui.engine.supervisor.folder import JobFolder
from tui.engine.supervisor.process import Identity

_TERM_AFTER_SECONDS = 1.0
_KILL_AFTER_SECONDS = 12.0


class ProcessLauncher:
    """One job at a time on the processor, one per `gpus` idle GPUs where there are some.

    Two jobs on the same cores or GPU would each take more than twice as long.
    """

    name = "process"
    queues = False

    def __init__(self, command: WorkerCommand, gpus: int = 1) -> None:
        self.command = command
        self._gpus = gpus
        self._lock = threading.Lock()
        self._children = dict[str, subprocess.Popen[bytes]]()
        self._termed = set[str]()

    @property
    def threads(self) -> int:
        """Threads that a worker may use: all cores of this process."""
        return cores()

    @property
    def devices(self) -> int:
        """GPUs of one job, or 1 for this machine."""
        return max(1, min(self._gpus, len(gpus())))

    def warm_up_command(self) -> tuple[str, ...]:
        """One process measures for all."""
        return self.command.single

    def problem(self) -> str:
        """What the worker's Python lacks, if another one is set."""
        return self.command.problem()

    def room(self, taken: Collection[str]) -> Room:
        """Idle GPUs that no job of ours has, or the processor when there is no GPU at all."""
        found = idle_gpus(taken)
        if found is None:
            busy = CPU in taken
            return Room(None, "another job trains on this machine") if busy else Room((CPU,))
        if not found.idle:
            return Room(None, found.reason)
        return Room(tuple(gpu.uuid for gpu in found.idle[: self._gpus]))

    def launch(self, folder: JobFolder, launch: Launch) -> None:
        """Start a worker in a session of its own."""
        chosen = [device for device in launch.devices if device != CPU]
        try:
            child = process.launch(
                self.command.local(len(chosen)),
                folder.path,
                folder.log,
                max(1, self.threads // max(1, len(chosen))),
                self.command.environment
                | ({"CUDA_VISIBLE_DEVICES": ",".join(chosen)} if chosen else {}),
            )
        except OSError as error:
            raise told(error) from error
        with self._lock:
            self._children[str(folder.path)] = child
        identity = Identity.of(child.pid)
        if identity is not None:
            # On a full disk the worker is found by its command line; it must not be taken for lost.
            with contextlib.suppress(OSError):
                folder.write_worker(identity)

    def look(self, folder: JobFolder) -> Seen:
        """Whether the worker's process lives; how it ended is known of our own children only."""
        child = self._child(folder)
        if child is not None:
            code = child.poll()
            return Seen(Where.RUNNING) if code is None else Seen(Where.GONE, _ending(code))
        worker = folder.worker()
        if worker is None:
            worker = process.find(folder.path)
            if worker is not None:
                with contextlib.suppress(OSError):
                    folder.write_worker(worker)
        if process.alive(worker, folder.path):
            return Seen(Where.RUNNING)
        return Seen(Where.GONE, "died")

    def press(self, folder: JobFolder, waited: float) -> None:
        """SIGTERM after a second, SIGKILL after twelve."""
        worker, key = folder.worker(), str(folder.path)
        if waited > _KILL_AFTER_SECONDS:
            process.send(worker, folder.path, signal.SIGKILL)
        elif waited > _TERM_AFTER_SECONDS and key not in self._termed:
            self._termed.add(key)
            process.send(worker, folder.path, signal.SIGTERM)

    def sweep(self, over: Callable[[str], bool]) -> None:
        """Nothing waits outside: a worker that was asked to end has seen its cancel file."""

    def forget(self, folder: JobFolder) -> None:
        """Wait for a child that has said that it is done, so that it leaves no zombie."""
        self._termed.discard(str(folder.path))
        with self._lock:
            child = self._children.pop(str(folder.path), None)
        if child is not None and child.poll() is None:
            threading.Thread(target=child.wait, daemon=True).start()

    def _child(self, folder: JobFolder) -> subprocess.Popen[bytes] | None:
        with self._lock:
            return self._children.get(str(folder.path))


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed (signal 9; if nobody did it, memory ran out)"
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
