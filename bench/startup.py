"""CPU seconds to the first frame: papertune on a workspace of 1,000 papers, and a minimal app.

    python bench/startup.py [ROUNDS]

Both run in the same pseudo-terminal of 120×40, in turn; the first frame is there when its words
are. Times are the child's own user and system seconds from start to end, both ended by SIGKILL
right after the frame. Exit code 1 when papertune takes more than twice the minimal app.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

MINIMAL = """
from textual.app import App
from textual.widgets import Footer, Header, Input
class Minimal(App):
    TITLE = "minimal frame"
    def compose(self):
        yield Header()
        yield Input()
        yield Footer()
Minimal().run()
"""
LIMIT = 2.0


def frame(command: list[str], words: bytes, env: dict[str, str]) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and bytes until `words` are on the screen."""
    start = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, env)
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], 30)
        if not ready:
            break
        seen += os.read(terminal, 65536)
    wall = time.perf_counter() - start
    os.kill(pid, signal.SIGKILL)
    while True:  # drain, so that the child is not held up by a full terminal
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:
            break
    _, _, usage = os.wait4(pid, 0)
    os.close(terminal)
    if words not in seen:
        sys.exit(f"{command} never drew {words!r}: {seen[-2000:]!r}")
    return usage.ru_utime + usage.ru_stime, wall, len(seen)


def workspace(folder: Path) -> Path:
    """A workspace of 1,000 papers, written straight into the database."""
    from tui.storage.workspace import Workspace

    made = Workspace.open(folder / "bench")
    with made.transaction() as connection:
        connection.executemany(
            "INSERT INTO paper (id, title, title_key, year, added_at) VALUES (?, ?, ?, 2020, 0)",
            [(f"p{n:04}", f"Paper number {n}", f"paper number {n}") for n in range(1000)],
        )
    made.close()
    return folder / "bench"


def main(rounds: int) -> int:
    """Print both medians and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = os.environ | {
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "LINES": "40",
            "PAPERTUNE_CONFIG_DIR": str(folder / "config"),
            "PAPERTUNE_DATA_DIR": str(folder / "data"),
            "PAPERTUNE_STATE_DIR": str(folder / "state"),
            "PAPERTUNE_CACHE_DIR": str(folder / "cache"),
        }
        root = str(workspace(folder))
        labels = ("minimal", "papertune", "with rows")
        runs: dict[str, list[tuple[float, float, int]]] = {label: [] for label in labels}
        for _ in range(rounds):
            runs["minimal"].append(frame([sys.executable, "-c", MINIMAL], b"minimal frame", env))
            command = [sys.executable, "-m", "tui", "-w", root]
            runs["papertune"].append(frame(command, b"Datasets", env))
            runs["with rows"].append(frame(command, b"Paper number", env))
    medians = {}
    for label, taken in runs.items():
        cpu, wall, size = (statistics.median(column) for column in zip(*taken, strict=True))
        medians[label] = cpu
        print(f"{label:<10} {cpu:5.2f} cpu-s {wall:5.2f} s {size:7,.0f} bytes")
    ratio = medians["papertune"] / medians["minimal"]
    print(f"ratio      {ratio:5.2f} (at most {LIMIT})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
