"""What this machine computes on, without importing torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

from tui.text import clean

_PATIENCE_SECONDS = 10


@cache
def device() -> str:
    """`cpu`, or the name of the first GPU that may be used, e.g. `NVIDIA A100-SXM4-80GB`."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or shutil.which("nvidia-smi") is None:
        return "cpu"
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return "cpu"
    names = clean(answer.stdout.decode("utf-8", "replace")).split("\n")
    return names[0].strip() or "cpu"
