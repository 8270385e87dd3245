"""What becomes of an answer: a rating, a draft for review, a file, a note."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from screens.base import ShellApp
from tui.chat.drafts import NothingToTeachError, send
from tui.chat.export import to_notes
from tui.chat.feedback import BAD, GOOD, REASONS
from tui.domain.chat import Exchange, Feedback
from tui.text import shorten, visible
from widgets.dialogs import Choose, Prompt
from widgets.path_input import PathSuggester, typed_path

if TYPE_CHECKING:
    from tui.chat import Conversations, FeedbackStore
    from tui.corpus import Corpus
    from tui.datasets import Datasets

_CORRECT, _SOURCE = "correct", "source"
_FILE, _NOTES = "file", "notes"
_NOT_NOW, _NEW = "not now", "new dataset"
_OWN = "feedback"


async def rate(
    app: ShellApp,
    feedback: FeedbackStore,
    exchange: Exchange,
    corpus: Callable[[], Corpus],
    datasets: Callable[[], Datasets],
) -> None:
    """Ask what about an answer is good or bad, record it, and offer it to a review queue."""
    choices = [
        (GOOD, "Good", ""),
        *((reason, f"Bad: {reason}", "") for reason in REASONS),
        (_CORRECT, "Correct it", "write the right answer in $EDITOR"),
        (_SOURCE, "Name a better source", "a passage that should have been found"),
    ]
    chosen = await app.push_screen_wait(Choose("What about this answer?", choices))
    if chosen is None:
        return
    correction = source = quote = ""
    if chosen == _CORRECT:
        correction = (app.edit_text(exchange.answer.text) or "").strip()
        if not correction or correction == exchange.answer.text:
            app.flash("Nothing was changed, so nothing is recorded.")
            return
    if chosen == _SOURCE:
        source, quote = await _better_source(app, corpus, exchange)
        if not source:
            return
    rating = GOOD if chosen == GOOD else BAD
    reason = "unsupported" if chosen == _SOURCE else chosen if chosen in REASONS else ""

    def record() -> Feedback:
        return feedback.rate(
            exchange, rating, reason=reason, correction=correction, source=source, quote=quote
        )

    given = await asyncio.to_thread(record)
    app.flash("Recorded. See all with: papertune feedback list")
    if rating == GOOD or correction:
        await _offer(app, feedback, given, exchange, corpus, datasets)


async def _better_source(
    app: ShellApp, corpus: Callable[[], Corpus], exchange: Exchange
) -> tuple[str, str]:
    """Search for the passage that should have been used; its id and what of it was shown."""
    words = await app.push_screen_wait(
        Prompt("A better source", "Words that stand in it", value=exchange.question)
    )
    if not words:
        return "", ""
    hits = await asyncio.to_thread(lambda: corpus().search(words, limit=20))
    known = {hit.passage: hit for hit in hits if hit.passage}
    if not known:
        app.flash(f"No passage matches {shorten(words, 40)}.")
        return "", ""
    choices = [
        (key, shorten(hit.snippet, 90), f"{shorten(hit.title, 60)}, p. {hit.page}")
        for key, hit in known.items()
    ]
    chosen = await app.push_screen_wait(Choose("Which passage?", choices))
    return (chosen, "") if chosen else ("", "")


async def _offer(
    app: ShellApp,
    feedback: FeedbackStore,
    given: Feedback,
    exchange: Exchange,
    corpus: Callable[[], Corpus],
    datasets: Callable[[], Datasets],
) -> None:
    """Ask into which dataset's review queue it goes as a draft."""
    held = await asyncio.to_thread(lambda: datasets().list())
    choices = [(item.name, item.name, f"{item.examples} examples") for item in held]
    if all(item.name != _OWN for item in held):
        choices.append((_NEW, f"New dataset: {_OWN}", "drafts wait there for review"))
    choices.append((_NOT_NOW, "Not now", "papertune feedback draft sends it later"))
    chosen = await app.push_screen_wait(Choose("Send it to a review queue?", choices))
    if chosen in (None, _NOT_NOW):
        return
    name = _OWN if chosen == _NEW else chosen

    def add() -> str:
        store = datasets()
        if chosen == _NEW:
            store.create(_OWN)
        try:
            made = send(given, feedback, store, corpus(), name, exchange)
        except NothingToTeachError as nothing:
            return str(nothing)
        return f"A draft waits for review in {name}." if made else f"{name} has that already."

    app.flash(await asyncio.to_thread(add))


async def export(app: ShellApp, conversations: Conversations, name: str) -> None:
    """Ask where to write a conversation, and write it there."""
    choices = (
        (_FILE, "A Markdown file", "with its sources"),
        (_NOTES, "A folder of notes", "front matter and [[links]], e.g. an Obsidian vault"),
    )
    chosen = await app.push_screen_wait(Choose("Write this conversation to", choices))
    if chosen == _FILE:
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
            app.flash(f"Written to {visible(str(written))}.")
    elif chosen == _NOTES:
        target = await app.push_screen_wait(
            Prompt("Notes", "The folder of notes", check=_folder_problem, suggester=PathSuggester())
        )
        if target is not None:
            held = await asyncio.to_thread(conversations.read, name)
            notes = await asyncio.to_thread(to_notes, held, typed_path(target).absolute())
            kept = f"; {len(notes.kept)} kept as they were" if notes.kept else ""
            app.flash(f"Written to {visible(notes.note.name)}{kept}.")


def _folder_problem(text: str) -> str:
    path = typed_path(text)
    return "" if path.is_dir() else f"There is no folder {visible(str(path))}."


def _target_problem(text: str) -> str:
    path = typed_path(text)
    if not text.strip() or path.is_dir():
        return "A file's name is needed."
    if path.exists():
        return f"{visible(path.name)} exists already; choose another name."
    return "" if _parent(path).is_dir() else f"There is no folder {visible(str(_parent(path)))}."


def _parent(path: Path) -> Path:
    return path.absolute().parent
