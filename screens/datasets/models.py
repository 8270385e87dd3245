"""Choosing a model: to write, to judge, to count tokens, to be trained."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.datasets.services import DatasetServices
from tui.domain.errors import PapertuneError
from tui.storage.locations import data_dir
from tui.text import shorten, visible
from widgets.dialogs import Choose, Confirm

if TYPE_CHECKING:
    from tui.formats.tokenizer import ModelTokenizer
    from tui.mistral import ConsentNeeded


async def ask_model(app: ShellApp, services: DatasetServices, title: str) -> str | None:
    """Ask for one of the models that the settings' endpoint serves or this machine holds."""
    wrong: PapertuneError | None = None
    choices: dict[str, str] = {}
    try:
        chat = await asyncio.to_thread(services.chat)
        for card in await chat.models():
            choices[card.id] = shorten(card.description, 70) or card.endpoint
    except PapertuneError as error:
        wrong = error
    for folder in await asyncio.to_thread(_pulled):
        choices.setdefault(folder.name, "on this machine")
    if not choices:
        raise wrong or PapertuneError(
            "There is no model to choose.", "Fetch one with: papertune model pull NAME"
        )
    at = services.settings().model
    listed = [(model, model, note) for model, note in choices.items()]
    return await app.push_screen_wait(Choose(title, listed, at=at))


def _pulled() -> list[Path]:
    root = data_dir() / "models"
    return sorted(found.parent.parent for found in root.glob("*/hf/tokenizer.json"))


def cut_at(model: str) -> int:
    """How many tokens of an example training on this model reads, unless told otherwise."""
    from tui.jobs.suggest import DEFAULT_SEQ_LEN

    try:
        said = json.loads((data_dir() / "models" / model / "papertune.json").read_bytes())
        return int(said["defaults"]["seq_len"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_SEQ_LEN


async def tokenizer_of(services: DatasetServices, model: str) -> ModelTokenizer:
    """The model's own tokenizer: from its folder, else as the running engine has it."""
    from tui.formats.tokenizer import ModelTokenizer

    folder = data_dir() / "models" / model
    if (folder / "hf" / "tokenizer.json").is_file():
        return await asyncio.to_thread(ModelTokenizer.from_folder, folder)
    return await services.endpoints().client("local").local.tokenizer(model)


async def allow(app: ShellApp, services: DatasetServices, needed: ConsentNeeded) -> bool:
    """Ask whether passages may go to an outside endpoint; a yes is kept."""
    question = (
        f"The passages go to {visible(needed.endpoint.url)}, which is not on this machine. This is "
        "asked once."
    )
    title = f"Send texts to {needed.endpoint.name}?"
    if not await app.push_screen_wait(Confirm(title, question)):
        return False
    await asyncio.to_thread(services.gate().consent, needed.endpoint)
    return True
