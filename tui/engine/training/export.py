"""A checkpoint as an adapter that chat can load; imports no torch.

`python -m tui.engine.training.export JOBDIR STEP DESTINATION` does it for any checkpoint that a
job has kept, whatever became of the job.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tui.domain.errors import PapertuneError
from tui.engine.training.checkpoints import Checkpoints
from tui.engine.training.convert import ensure_weights
from tui.engine.training.lora_gguf import AdapterError, write_gguf_adapter
from tui.formats.tokenizer import ModelTokenizer
from tui.storage import atomic

_FILES = ("adapter_config.json", "adapter_model.safetensors")


def export(model_dir: Path, checkpoints: Checkpoints, step: int, destination: Path) -> str:
    """Make the folder `destination` from the checkpoint of a step; a note where GGUF fails.

    What stood there is replaced once the new one is whole.
    """
    card = _read(model_dir / "papertune.json")
    base = ensure_weights(model_dir)
    temporary = destination.with_name(f".{destination.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(checkpoints.folder(step) / name, temporary / name)
    settings = _read(temporary / "adapter_config.json")
    # The path of this machine means nothing elsewhere and tells whose home it is.
    settings["base_model_name_or_path"] = card.get("id", model_dir.name)
    atomic.write_json(temporary / "adapter_config.json", settings)
    note = ""
    try:
        write_gguf_adapter(temporary, _read(base / "config.json"), temporary / "adapter.gguf")
    except AdapterError as error:
        note = error.message
    best = checkpoints.best()
    atomic.write_json(
        temporary / "papertune.json",
        {
            "base": card.get("id", model_dir.name),
            "base_sha256": card.get("sha256", ""),
            "template_sha256": ModelTokenizer.from_folder(model_dir).template.sha256,
            "step": step,
            "memory_loss": best.loss if best and best.step == step else None,
        },
    )
    shutil.rmtree(destination, ignore_errors=True)
    temporary.rename(destination)
    atomic.sync_directory(destination.parent)
    return note


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return value


def main(arguments: list[str]) -> int:
    """Export one checkpoint; what is wrong is one sentence on standard error."""
    job, step, destination = Path(arguments[0]), int(arguments[1]), Path(arguments[2])
    try:
        model_dir = Path(_read(job / "spec.json")["model_dir"])
        checkpoints = Checkpoints(job / "checkpoints")
        if step not in checkpoints.whole():
            raise PapertuneError(f"The checkpoint of step {step} is not kept, or not whole.")
        export(model_dir, checkpoints, step, destination)
    except (PapertuneError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
