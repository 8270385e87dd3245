"""Bytes and CPU of the list: 100,000 rows at 120×40, cursor keys, paging, and doing nothing.

    python bench/list.py

An app that holds only the list runs in a pseudo-terminal; bytes are what it writes. Exit code 1
when a cursor key costs more than 1,000 bytes on average or an idle second more than none.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import sys
import time

APP = """
from collections.abc import Sequence
from screens.base.shell import ShellApp
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList
class Many:
    def rows(self, offset, limit):
        return [Row(str(n), (f"Paper {n} on the hardening of resins", "Keller et al.", "2024"))
                for n in range(offset, min(offset + limit, 100_000))]
class ListApp(ShellApp):
    def compose(self):
        yield VirtualList((Column("Title", 40, 1), Column("Authors", 20), Column("Year", 4)))
    def on_ready(self):
        many = Many()
        self.query_one(VirtualList).show(many, 100_000, many.rows(0, 100))
ListApp().run(mouse=False)
"""
MOST_BYTES = 1000


def read(terminal: int, quiet: float) -> tuple[int, float]:
    """Bytes until nothing came for `quiet` seconds, and when the last of them came."""
    size, last = 0, time.perf_counter()
    while select.select([terminal], [], [], quiet)[0]:
        size += len(os.read(terminal, 65536))
        last = time.perf_counter()
    return size, last


def press(terminal: int, key: bytes, times: int) -> tuple[float, float, float]:
    """Mean bytes, median bytes and median milliseconds to the last byte of a key."""
    sizes, waits = [], []
    for _ in range(times):
        start = time.perf_counter()
        os.write(terminal, key)
        size, last = read(terminal, 0.15)
        sizes.append(size)
        waits.append(1000 * (last - start))
    return statistics.mean(sizes), statistics.median(sizes), statistics.median(waits)


def main() -> int:
    """Print a line for each kind of key."""
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, [sys.executable, "-c", APP], env)
    read(terminal, 2.0)
    down, median, wait = press(terminal, b"j", 80)
    print(f"down       {down:7,.0f} bytes (median {median:,.0f}) {wait:5.1f} ms")
    page, _, wait = press(terminal, b"\x04", 10)
    print(f"page down  {page:7,.0f} bytes {wait:5.1f} ms")
    last, _, wait = press(terminal, b"G", 1)
    print(f"last row   {last:7,.0f} bytes {wait:5.1f} ms")
    idle, _ = read(terminal, 3.0)
    print(f"idle       {idle / 3:7,.0f} bytes a second")
    os.kill(pid, signal.SIGKILL)
    _, _, usage = os.wait4(pid, 0)
    print(f"whole run  {usage.ru_utime + usage.ru_stime:7.2f} cpu-s, {usage.ru_maxrss // 1024} MB")
    return int(down > MOST_BYTES or idle > 0)


if __name__ == "__main__":
    sys.exit(main())
