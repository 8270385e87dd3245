"""A real pseudo-terminal with a terminal emulator behind it, to look at what a person would see."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pyte


class PtyTerminal:
    """Runs papertune in a pseudo-terminal; `raw` is every byte it wrote."""

    def __init__(
        self,
        arguments: list[str],
        *,
        size: tuple[int, int] = (80, 24),
        env: dict[str, str] | None = None,
    ) -> None:
        columns, lines = size
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
        for name in ("COLUMNS", "LINES", "TMUX"):
            environment.pop(name, None)
        self.process: Any = pexpect.spawn(
            sys.executable,
            ["-m", "tui", *arguments],
            dimensions=(lines, columns),
            env=environment,
            timeout=30,
        )

    def pump(self, seconds: float = 0.05) -> bool:
        """Take in what was written; False when the process has closed its side."""
        try:
            data = self.process.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    @property
    def text(self) -> str:
        """The screen's lines."""
        return "\n".join(self.screen.display)

    def wait_for(self, words: str, *, gone: bool = False, seconds: float = 30) -> str:
        """Wait until `words` are on the screen (or are not) and return the screen."""
        end = time.monotonic() + seconds
        while (words in self.text) is gone:
            assert time.monotonic() < end, f"no {words!r} in:\n{self.text}"
            if not self.pump():
                assert (words in self.text) is not gone, f"ended without {words!r}:\n{self.text}"
        return self.text

    def press(self, keys: str) -> None:
        """Type keys."""
        self.process.send(keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the terminal's size, as a person pulling at the window would."""
        self.screen.resize(lines, columns)
        self.process.setwinsize(lines, columns)

    def wait_end(self) -> int:
        """Wait until the process has ended and return its exit code, 128+n for a signal."""
        while self.pump():
            pass
        self.process.wait()
        code = self.process.exitstatus
        return code if code is not None else 128 + int(self.process.signalstatus or 0)

    def close(self) -> None:
        """End it whatever it does."""
        if self.process.isalive():
            self.process.kill(signal.SIGKILL)
            self.process.wait()
        self.process.close()


def restored(raw: bytes) -> bool:
    """Whether the terminal was given back: main screen, cursor shown, after the last frame."""
    return raw.rfind(b"\x1b[?1049l") > raw.rfind(b"\x1b[?1049h") and b"\x1b[?25h" in raw[-400:]


def write_papers(folder: Path, papers: dict[str, str]) -> Path:
    """Markdown papers by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in papers.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
