"""Having this machine's engine files written out as a model that other programs load."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import ExitCode, PapertuneError, UsageError
from tui.text import visible

FORMS = ("peft", "gguf", "merged")
_COMMAND = (sys.executable, "-P", "-m", "tui.engine.models.export")


async def export_model(endpoint: Endpoint, model: str, form: str, target: Path) -> list[Path]:
    """Write a fine-tuned model of the local engine into a folder, in a process of its own.

    Raises UsageError for a model elsewhere, whose files are not here, and PapertuneError with the
    reason why it could not be written.
    """
    if endpoint.kind is not EndpointKind.LOCAL:
        raise UsageError(
            f"{visible(model)} is at '{endpoint.name}', so its files are not here.",
            "Run the same command on the engine's machine.",
        )
    arguments = (model, form, await asyncio.to_thread(os.path.abspath, target))
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    try:
        said = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        raise PapertuneError(f"The export ended with {process.returncode}.") from None
    if "error" in said:
        error = PapertuneError(str(said["error"]), str(said.get("remedy") or ""))
        error.exit_code = ExitCode(int(said.get("exit_code") or 1))
        raise error
    return [Path(path) for path in said["files"]]
