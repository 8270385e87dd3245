"""Copying over SSH and tmux, and saying which way it went."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable


async def copy(text: str, osc52: Callable[[str], None]) -> str:
    """Copy `text` and return where it is now, for the notice.

    tmux drops OSC 52 in its default configuration but takes a buffer (`-w` also hands it to the
    outer terminal where that is allowed); outside tmux the terminal is asked through OSC 52.
    """
    if os.environ.get("TMUX") and await _tmux(text):
        return "tmux's buffer (prefix ])"
    osc52(text)
    return "the terminal's clipboard (OSC 52)"


async def _tmux(text: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux",
            "load-buffer",
            "-w",
            "-",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(process.communicate(text.encode()), timeout=2)
    except (OSError, TimeoutError):
        return False
    return process.returncode == 0
