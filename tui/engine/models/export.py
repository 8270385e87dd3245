"""`python -m tui.engine.models.export MODEL FORM TARGET`: a fine-tuned model for other programs.

It reads the engine's folders, so it runs where they lie; whoever calls it need not know them. The
last line of stdout is JSON: `{"files": […]}`, or `{"error", "remedy"}`.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tui.domain.errors import MissingError, PapertuneError, UsageError
from tui.engine.home import EngineHome
from tui.engine.models.merge import merge
from tui.storage import atomic
from tui.storage.locations import data_dir
from tui.text import visible

FORMS = ("peft", "gguf", "merged")
_PEFT = ("adapter_config.json", "adapter_model.safetensors")
_HF = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")


def export(model: str, form: str, target: Path) -> list[Path]:
    """Write a fine-tuned model into the folder `target`; the files that were written.

    `peft` is the adapter as peft loads it, `gguf` the adapter as llama.cpp applies it (`--lora`),
    `merged` a whole model in Hugging Face's layout. `papertune.json` beside them says what it was
    made of. Raises MissingError when the model or what is needed of its base is not here.
    """
    folder = EngineHome.default().model(model)
    card = _card(folder, model)
    base = data_dir() / "models" / str(card["base"])
    target.mkdir(parents=True, exist_ok=True)
    if form == "peft":
        written = [_copied(folder / name, target) for name in _PEFT]
    elif form == "gguf":
        written = [_copied(folder / "adapter.gguf", target)]
    elif form == "merged":
        weights = base / "hf" / "model.safetensors"
        if not weights.is_file():
            raise MissingError(
                f"The weights of {visible(str(card['base']))} are not here in full.",
                f"Fetch them: papertune model pull {card['base']}",
            )
        written = [target / "model.safetensors"]
        merge(weights, folder, written[0])
        written += [_copied(base / "hf" / n, target) for n in _HF if (base / "hf" / n).is_file()]
    else:
        raise UsageError(f"'{visible(form)}' is no form.", f"Known are: {', '.join(FORMS)}.")
    atomic.write_json(target / "papertune.json", card)
    return [*written, target / "papertune.json"]


def main(arguments: list[str]) -> int:
    """Export and say so in one line of JSON."""
    try:
        model, form, target = arguments
        said: dict[str, Any] = {"files": [str(path) for path in export(model, form, Path(target))]}
    except ValueError:
        said = {"error": "usage: MODEL FORM TARGET", "remedy": "", "exit_code": 2}
    except PapertuneError as error:
        code = int(error.exit_code)
        said = {"error": error.message, "remedy": error.remedy, "exit_code": code}
    except OSError as error:
        said = {"error": f"It cannot be written: {error.strerror}.", "remedy": "", "exit_code": 1}
    sys.stdout.write(json.dumps(said) + "\n")
    return int(said.get("exit_code", 0))


def _card(folder: Path, model: str) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((folder / "papertune.json").read_bytes())
        if card["id"] == model and card["base"]:
            return card
    except (OSError, ValueError, KeyError):
        pass
    raise MissingError(
        f"{visible(model)} is not a fine-tuned model of this machine's engine.",
        "See what there is: papertune model list --endpoint local",
    )


def _copied(source: Path, target: Path) -> Path:
    if not source.is_file():
        raise MissingError(
            f"The model has no {source.name}.", "Choose another form: --form peft or merged"
        )
    path = target / source.name
    temporary = target / f".{source.name}.tmp"
    shutil.copyfile(source, temporary)
    temporary.replace(path)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
