"""The team's models: what each was made of, what it reached, what it is called."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from tui.jobs.card import card
from tui.jobs.registry import Entry, Registry
from tui.keymap import bindings
from tui.mistral.export_model import export_model
from tui.text import visible
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.path_input import typed_path
from widgets.rows import Column, Held, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.jobs import Jobs

_COLUMNS = (
    Column("Model", 24, share=3),
    Column("Called", 12, share=1),
    Column("Dataset", 12, share=1, rank=1),
    Column("Memory", 6, rank=2, right=True),
    Column("Transfer", 8, rank=3, right=True),
)
_EMPTY = "No fine-tuned model yet. It comes of a job: escape, then start one."
_FORMS = (
    ("peft", "peft folder", "the adapter, as peft and transformers load it"),
    ("gguf", "GGUF", "the adapter, as llama.cpp applies it to the base model (--lora)"),
    ("merged", "Merged", "a whole model in Hugging Face's layout"),
)


class ModelsScreen(BaseScreen[None]):
    """Fine-tuned models of every endpoint that answers."""

    NAME = "Jobs"
    ABOUT = "Models with what they were made of, what they reached and what the team calls them."
    BINDINGS = bindings("models")
    AUTO_FOCUS = "VirtualList"
    DEFAULT_CSS = """
    ModelsScreen #list { width: 1fr; }
    ModelsScreen #about { width: 1fr; border-left: solid $line; padding: 0 1; }
    ModelsScreen.-narrow #about { display: none; }
    """

    @dataclass
    class Listed(Message):
        """The models came."""

        entries: Sequence[Entry]

    @dataclass
    class Told(Message):
        """All that is known of one model came."""

        entry: Entry
        text: str

    def __init__(self, registry: Registry, jobs: Jobs) -> None:
        super().__init__()
        self._registry, self._jobs = registry, jobs
        self._entries: dict[str, Entry] = {}
        self._card = ""

    def compose_body(self) -> ComposeResult:
        """The list; a model's card beside it."""
        with Horizontal():
            yield VirtualList(_COLUMNS, selectable=False, id="list")
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="card")

    def on_mount(self) -> None:
        """Ask every endpoint."""
        self.say("Asking for the models…")
        self._list()

    @work(exclusive=True, exit_on_error=False, group="list")
    async def _list(self) -> None:
        self.post_message(self.Listed(await self._registry.models()))

    def on_models_screen_listed(self, event: Listed) -> None:
        """Show them, the cursor staying on its model."""
        here = self._list_widget.current
        self._entries = {entry.card.id: entry for entry in event.entries}
        rows = [_row(entry) for entry in event.entries]
        keys = [row.key for row in rows]
        at = keys.index(here.key) if here is not None and here.key in keys else 0
        self._list_widget.show(Held(rows), len(rows), rows, at)
        if rows:
            self.say("1 model" if len(rows) == 1 else f"{len(rows)} models")
        else:
            self.say(_EMPTY)
            self.query_one("#card", Static).update(Content(_EMPTY))
        self.refresh_bindings()

    @property
    def _list_widget(self) -> VirtualList:
        return self.query_one("#list", VirtualList)

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        if event.row is not None:
            self._tell(event.row.key)

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self._tell(event.row.key)

    @work(exclusive=True, exit_on_error=False, group="tell")
    async def _tell(self, model: str) -> None:
        listed = self._entries.get(model)
        entry = await self._registry.show(model, listed.card.endpoint if listed else None)
        self.post_message(self.Told(entry, card(entry)))

    def on_models_screen_told(self, event: Told) -> None:
        """Show the card."""
        self._card = event.text
        self.query_one("#card", Static).update(Content(event.text))

    # Doing

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_alias(self) -> None:
        """Give the model a name of the team's."""
        entry = self._here()
        if entry is None:
            return
        name = await self.app.push_screen_wait(
            Prompt(
                "The team's name for it",
                "It then works wherever a model is named, e.g. --model team/current.",
                value=entry.aliases[0] if entry.aliases else "team/current",
            )
        )
        if name is not None:
            before = await asyncio.to_thread(self._registry.alias, name.strip(), entry.card.id)
            was = f"; it was {before}" if before else ""
            self.app.flash(f"{name.strip()} is {entry.card.id}{was}.")
            self._list()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_note(self) -> None:
        """Write something on the model."""
        entry = self._here()
        if entry is None:
            return
        told = [f"{_day(note.at)} {note.person}: {note.text}" for note in entry.notes[-3:]]
        text = await self.app.push_screen_wait(
            Prompt("A note on the model", visible(" · ".join(told)), placeholder="what to know")
        )
        if text is not None and text.strip():
            await asyncio.to_thread(self._registry.note, entry.card.id, text)
            self._list()
            self._tell(entry.card.id)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write the model for other programs, its card beside it."""
        entry = self._here()
        if entry is None:
            return
        form = await self.app.push_screen_wait(Choose("Export the model", _FORMS))
        if form is None:
            return
        name = entry.card.id.replace(":", "_")
        answer = await self.app.push_screen_wait(
            Prompt("Export the model", "The folder to write:", value=f"{name}-{form}")
        )
        if answer is None or not answer.strip():
            return
        folder: Path = typed_path(answer)
        self.say("Writing the model…")
        where = self._registry.endpoint(entry.card)
        await export_model(where, entry.card.id, form, folder)
        await asyncio.to_thread(_write_card, folder, self._card or card(entry))
        self.say("")
        self.app.flash(f"Written: {folder}")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_archive(self) -> None:
        """Take the model out of use, or back; say what stands on it."""
        entry = self._here()
        if entry is None:
            return
        model, back = entry.card.id, entry.card.archived
        stands = await asyncio.to_thread(self._registry.depends, model)
        question = f"{model} goes {'back into' if back else 'out of'} use.{_stands(stands)}"
        if await self.app.push_screen_wait(Confirm("Archive", visible(question))):
            await self._registry.archive(model, not back, entry.card.endpoint)
            self._list()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_delete(self) -> None:
        """Delete the model for good, after a yes that knows what stands on it."""
        entry = self._here()
        if entry is None:
            return
        model = entry.card.id
        stands = await asyncio.to_thread(self._registry.depends, model)
        question = f"{model} is deleted for good; its job and dataset stay.{_stands(stands)}"
        if await self.app.push_screen_wait(Confirm("Delete the model", visible(question))):
            await self._registry.delete(model, entry.card.endpoint)
            self.app.flash(f"{model} is deleted.")
            self._list()

    async def action_copy(self) -> None:
        """Copy the model's id."""
        entry = self._here()
        if entry is not None:
            await self.app.copy(entry.card.id, "the model's id")

    async def action_card(self) -> None:
        """Copy the model's card."""
        if self._card:
            await self.app.copy(self._card, "the model's card")

    def action_back(self) -> None:
        """Back to the jobs."""
        self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Without a model there is only the way back."""
        needs = ("alias", "note", "export", "archive", "delete", "copy", "card")
        return action not in needs or (self.is_mounted and self._here() is not None)

    def _here(self) -> Entry | None:
        row = self._list_widget.current
        return self._entries.get(row.key) if row is not None else None


def _row(entry: Entry) -> Row:
    reached: dict[str, str] = {}
    for result in entry.results:
        reached.setdefault(result.test, f"{result.key_phrase:.0%}")
    return Row(
        entry.card.id,
        (
            entry.card.id,
            ", ".join(entry.aliases),
            entry.dataset or "elsewhere",
            reached.get("memory", ""),
            reached.get("transfer", ""),
        ),
        "dim" if entry.card.archived else "",
    )


def _stands(stands: Sequence[str]) -> str:
    return f" On it stand: {', '.join(stands)}." if stands else " Nothing stands on it."


def _day(at: float) -> str:
    return time.strftime("%d %b", time.localtime(at))


def _write_card(folder: Path, text: str) -> None:
    from tui.storage.atomic import write_text

    write_text(folder / "README.md", text)
