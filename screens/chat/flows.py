"""What is asked before something is done with a conversation or an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from screens.base import ShellApp
from tui.chat.feedback import BAD, GOOD, REASONS
from tui.domain.chat import Exchange, Mode
from tui.domain.model import ModelCard
from tui.mistral import ConsentNeeded
from tui.text import visible
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.path_input import PathSuggester, typed_path

if TYPE_CHECKING:
    from tui.chat import Conversations, FeedbackStore

_MOST = 200  # conversations offered: an option list measures every line it holds
_MODES = (
    (Mode.ASK.value, "Ask", "an answer to a question"),
    (Mode.SUMMARISE.value, "Summarise", "what the papers say about a topic"),
    (Mode.BRAINSTORM.value, "Brainstorm", "ideas that connect papers, conjecture marked as such"),
    (Mode.ONBOARD.value, "Onboard", "a reading path for somebody new"),
)
_CORRECT = "correct"


async def allow(app: ShellApp, needed: ConsentNeeded) -> bool:
    """Ask whether texts may go to an outside endpoint."""
    name, url = needed.endpoint.name, visible(needed.endpoint.url)
    question = (
        f"The question and the passages that go with it are sent to {url}, which is not on this "
        "machine. This is asked once."
    )
    yes = await app.push_screen_wait(Confirm(f"Send texts to {name}?", question))
    return yes is True


async def model(app: ShellApp, cards: Sequence[ModelCard], at: str) -> ModelCard | None:
    """Choose whom to ask."""
    known = {card.id: card for card in cards}
    choices = [
        (card.id, card.id, "fine-tuned" if card.tuned else "base") for card in known.values()
    ]
    chosen = await app.push_screen_wait(Choose("Ask which model?", choices, at=at))
    return known.get(chosen or "")


async def mode(app: ShellApp, at: Mode) -> Mode:
    """Choose what a question asks for."""
    chosen = await app.push_screen_wait(Choose("What for?", _MODES, at=at.value))
    return Mode(chosen) if chosen else at


async def conversation(app: ShellApp, conversations: Conversations) -> str | None:
    """Choose an earlier conversation; its id."""
    held = await asyncio.to_thread(conversations.all)
    if not held:
        app.flash("There are no conversations yet.")
        return None
    choices = [
        (item.id, item.title, time.strftime("%d %b %H:%M", time.localtime(item.started_at)))
        for item in held[:_MOST]
    ]
    return await app.push_screen_wait(Choose("Conversations", choices))


async def export(app: ShellApp, conversations: Conversations, name: str) -> None:
    """Ask where to write a conversation, and write it there."""
    target = await app.push_screen_wait(
        Prompt(
            "Export",
            "Write this conversation as Markdown to",
            value=f"{name}.md",
            check=_target_problem,
            suggester=PathSuggester(),
        )
    )
    if target is not None:
        path = typed_path(target).absolute()
        written = await asyncio.to_thread(conversations.export, name, path)
        app.flash(f"Written to {written}.")


async def rate(app: ShellApp, feedback: FeedbackStore, exchange: Exchange) -> None:
    """Ask what about an answer is good or bad, and record it."""
    choices = [
        (GOOD, "Good", ""),
        *((reason, f"Bad: {reason}", "") for reason in REASONS),
        (_CORRECT, "Correct it", "write the right answer in $EDITOR"),
    ]
    chosen = await app.push_screen_wait(Choose("What about this answer?", choices))
    if chosen is None:
        return
    correction = ""
    if chosen == _CORRECT:
        correction = (app.edit_text(exchange.answer.text) or "").strip()
        if not correction or correction == exchange.answer.text:
            app.flash("Nothing was changed, so nothing is recorded.")
            return
    rating = GOOD if chosen == GOOD else BAD
    reason = chosen if chosen in REASONS else ""
    await asyncio.to_thread(feedback.rate, exchange, rating, reason=reason, correction=correction)
    app.flash("Recorded. See all with: papertune feedback list")


def _target_problem(text: str) -> str:
    path = typed_path(text)
    if not text.strip() or path.is_dir():
        return "A file's name is needed."
    if path.exists():
        return f"{visible(path.name)} exists already; choose another name."
    return "" if _parent(path).is_dir() else f"There is no folder {visible(str(_parent(path)))}."


def _parent(path: Path) -> Path:
    return path.absolute().parent
