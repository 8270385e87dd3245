"""A slow line in between: a program in a pseudo-terminal, seen through delay and limited bandwidth.

    python bench/relay.py [--delay MS] [--rate BITS] -- COMMAND…

`Relay` runs a command in a pseudo-terminal and stands where an SSH connection would: bytes reach
the other side half a round trip later, and the way to the screen carries so many bits a second. As
a command it connects this terminal through such a line, to feel what people on it feel.

Other benches use `Relay.press`: the time from a key to the first and to the last byte that it
changes on the far screen, and what it cost.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import itertools
import os
import pty
import select
import signal
import struct
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

_CHUNK = 65536


class Line:
    """One direction: bytes come out `delay` seconds after they went in, at most `rate` bits/s.

    A rate of 0 is no limit. What does not fit waits in order, as in a router's queue.
    """

    def __init__(self, deliver: Callable[[bytes], None], delay: float, rate: float) -> None:
        self._deliver = deliver
        self._delay = delay
        self._rate = rate
        self._free_at = 0.0
        self._queue: list[tuple[float, int, bytes]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, data: bytes) -> None:
        """Put bytes onto the line; returns at once."""
        now = time.perf_counter()
        with self._changed:
            # In packets, so that the first of many bytes does not wait for the last.
            for start in range(0, len(data), 1400):
                packet = data[start : start + 1400]
                begins = max(now, self._free_at)
                self._free_at = begins + (len(packet) * 8 / self._rate if self._rate else 0.0)
                heapq.heappush(
                    self._queue, (self._free_at + self._delay, next(self._count), packet)
                )
            self._changed.notify()

    def end(self) -> None:
        """Drop what is still under way."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._ended:
                    wait = self._queue[0][0] - time.perf_counter() if self._queue else None
                    if wait is not None and wait <= 0:
                        break
                    self._changed.wait(wait)
                if self._ended:
                    return
                _, _, packet = heapq.heappop(self._queue)
            self._deliver(packet)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a key did on the far screen: seconds to its first and last byte, and how many."""

    first: float
    last: float
    size: int


class Relay:
    """A command in a pseudo-terminal, `delay` seconds away each way, at `rate` bits/s."""

    def __init__(
        self,
        command: list[str],
        *,
        size: tuple[int, int] = (120, 40),
        delay: float = 0.0,
        rate: float = 0.0,
        env: dict[str, str] | None = None,
    ) -> None:
        columns, lines = size
        environment = os.environ | {"TERM": "xterm-256color"} | (env or {})
        for name in ("COLUMNS", "LINES", "TMUX"):
            environment.pop(name, None)
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.output = bytearray()
        self.arrivals: list[tuple[float, int]] = []
        self._news = threading.Condition()
        self._keys = Line(self._type, delay, 0.0)
        self._screen = Line(self._arrived, delay, rate)
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, keys: bytes) -> None:
        """Type on the far side."""
        self._keys.send(keys)

    def wait_for(self, words: bytes, *, since: int = 0, seconds: float = 60.0) -> float:
        """Wait until `words` arrived behind the first `since` bytes; the time they did."""
        end = time.perf_counter() + seconds
        with self._news:
            while words not in self.output[since:]:
                left = end - time.perf_counter()
                if left <= 0 or (self.ended.is_set() and not self._news.wait(0.5)):
                    tail = bytes(self.output[-2000:])
                    raise TimeoutError(f"no {words!r} in {tail!r}")
                self._news.wait(min(left, 0.5))
        return time.perf_counter()

    def quiet(self, seconds: float, most: float = 30.0) -> None:
        """Wait until nothing has arrived for `seconds`."""
        end = time.perf_counter() + most
        while time.perf_counter() < end:
            before = len(self.output)
            time.sleep(seconds)
            if len(self.output) == before:
                return

    def press(self, keys: bytes, settle: float = 0.15, most: float = 5.0) -> Seen:
        """Type keys and measure what arrives until nothing has for `settle` seconds."""
        start, at = len(self.arrivals), time.perf_counter()
        self.send(keys)
        end = at + most
        last = start
        while time.perf_counter() < end:
            with self._news:
                self._news.wait(0.02)
            if len(self.arrivals) > start:
                last = len(self.arrivals)
                if time.perf_counter() - self.arrivals[-1][0] > settle:
                    break
        mine = self.arrivals[start:last]
        if not mine:
            return Seen(float("inf"), float("inf"), 0)
        return Seen(mine[0][0] - at, mine[-1][0] - at, sum(size for _, size in mine))

    def close(self) -> None:
        """End the command, whatever it does."""
        self._keys.end()
        self._screen.end()
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            self.pid = 0
            os.close(self._terminal)

    def _type(self, data: bytes) -> None:
        try:
            os.write(self._terminal, data)
        except OSError:
            self.ended.set()

    def _arrived(self, data: bytes) -> None:
        with self._news:
            self.output += data
            self.arrivals.append((time.perf_counter(), len(data)))
            self._news.notify_all()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, _CHUNK)
            except OSError:
                data = b""
            if not data:
                self.ended.set()
                with self._news:
                    self._news.notify_all()
                return
            self._screen.send(data)


def _connect(relay: Relay) -> None:
    """This terminal at the far side of the line, until the command ends."""
    held = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    shown = 0
    try:
        while not relay.ended.is_set() or shown < len(relay.output):
            if select.select([sys.stdin], [], [], 0.01)[0]:
                relay.send(os.read(sys.stdin.fileno(), 1024))
            if shown < len(relay.output):
                data = bytes(relay.output[shown:])
                shown += len(data)
                os.write(sys.stdout.fileno(), data)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, held)


def main() -> int:
    """Connect this terminal, or without one show what the line does to `cat`."""
    parser = argparse.ArgumentParser(description="A command behind a slow line.")
    parser.add_argument("--delay", type=float, default=150.0, help="round trip in milliseconds")
    parser.add_argument("--rate", type=float, default=256_000, help="bits a second to the screen")
    parser.add_argument("command", nargs="*")
    given = parser.parse_args()
    delay = given.delay / 2000
    if given.command and sys.stdin.isatty():
        columns, lines = os.get_terminal_size()
        with Relay(given.command, size=(columns, lines), delay=delay, rate=given.rate) as relay:
            _connect(relay)
        return 0
    with Relay(["cat"], delay=delay, rate=given.rate) as relay:
        one = relay.press(b"x")
        print(f"a key's echo after {1000 * one.first:.0f} ms (round trip {given.delay:.0f} ms)")
        start = time.perf_counter()
        relay.send(b"y" * 1000 + b"\n")
        relay.quiet(0.5)
        took = relay.arrivals[-1][0] - start - 2 * delay
        size = sum(n for at, n in relay.arrivals if at > start)
        print(f"{size} bytes at {8 * size / max(took, 1e-9) / 1000:.0f} kbit/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
