"""A few worker processes, each killed with its whole group when it is slow or gone wrong."""

from __future__ import annotations

import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from tui.corpus.worker import Reply, Request

Key = TypeVar("Key")

SECONDS_PER_FILE = 60.0
# A worker that passed its own limit gets this long to hand over what it has.
_GRACE = 15.0
# The largest answer we hold in memory: a text of 20 million characters with its sections.
_LARGEST_REPLY = 400 * 1024 * 1024
_LENGTH = struct.Struct("<Q")


@dataclass(slots=True)
class _Worker(Generic[Key]):
    process: subprocess.Popen[bytes]
    key: Key | None = None
    deadline: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)


class Pool(Generic[Key]):
    """Reads files in up to `size` processes; a crash or a hang costs the one file.

    Use as a context manager: leaving it kills what is still running.
    """

    def __init__(self, size: int = 2, seconds: float = SECONDS_PER_FILE) -> None:
        self._size = size
        self._seconds = seconds
        self._workers: list[_Worker[Key]] = []
        self._selector = selectors.DefaultSelector()
        self._decoder = msgspec.msgpack.Decoder(Reply)
        self._encoder = msgspec.msgpack.Encoder()

    def __enter__(self) -> Pool[Key]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self._workers):
            self._end(worker)
        self._selector.close()

    @property
    def free(self) -> bool:
        """Whether a file can be handed over now."""
        return len(self._workers) < self._size or any(w.key is None for w in self._workers)

    @property
    def busy(self) -> bool:
        """Whether any file is being read."""
        return any(worker.key is not None for worker in self._workers)

    def submit(self, key: Key, request: Request) -> None:
        """Hand a file over; only when `free`."""
        worker = next((w for w in self._workers if w.key is None), None) or self._start()
        body = self._encoder.encode(request)
        worker.key = key
        worker.deadline = time.monotonic() + request.seconds + _GRACE
        try:
            assert worker.process.stdin is not None
            worker.process.stdin.write(_LENGTH.pack(len(body)) + body)
            worker.process.stdin.flush()
        except BrokenPipeError:
            worker.deadline = time.monotonic()

    def results(self, wait: float = 0.5) -> Iterator[tuple[Key, Reply]]:
        """What is ready within `wait` seconds; late files are refused here."""
        now = time.monotonic()
        for chosen, _ in self._selector.select(
            max(0.0, min([wait, *(w.deadline - now for w in self._workers if w.key is not None)]))
        ):
            reply = self._receive(chosen.data)
            if reply is not None:
                yield reply
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.key is not None and worker.deadline <= now:
                key = worker.key
                crashed = worker.process.poll() is not None
                self._end(worker)
                limit = self._seconds + _GRACE
                yield (
                    key,
                    Reply(
                        reason="damaged: the reader crashed on it"
                        if crashed
                        else f"took longer than {limit:.0f} seconds to read"
                    ),
                )

    def _start(self) -> _Worker[Key]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tui.corpus.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        worker: _Worker[Key] = _Worker(process)
        self._workers.append(worker)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _receive(self, worker: _Worker[Key]) -> tuple[Key, Reply] | None:  # noqa: PLR0911
        assert worker.process.stdout is not None
        try:
            chunk = os.read(worker.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return None
        key = worker.key
        if not chunk or len(worker.buffer) > _LARGEST_REPLY:
            self._end(worker)
            return (
                (key, Reply(reason="damaged: the reader crashed on it"))
                if key is not None
                else None
            )
        worker.buffer += chunk
        if len(worker.buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(worker.buffer)
        if len(worker.buffer) < _LENGTH.size + length:
            return None
        body = bytes(worker.buffer[_LENGTH.size : _LENGTH.size + length])
        worker.buffer.clear()
        worker.key = None
        if key is None:
            return None
        try:
            return key, self._decoder.decode(body)
        except msgspec.DecodeError:
            self._end(worker)
            return key, Reply(reason="damaged: the reader's answer made no sense")

    def _end(self, worker: _Worker[Key]) -> None:
        self._workers.remove(worker)
        assert worker.process.stdout is not None
        self._selector.unregister(worker.process.stdout)
        with suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        for stream in (worker.process.stdin, worker.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def read_one(request: Request) -> Reply:
    """Read a single file in a guarded process."""
    with Pool[str](1) as pool:
        pool.submit("only", request)
        while True:
            for _, reply in pool.results():
                return reply
