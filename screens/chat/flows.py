"""What is asked before something is done with a conversation or an answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from screens.base import ShellApp
from tui.chat import Scope
from tui.domain.chat import Answer, Conversation, Exchange, Mode
from tui.domain.errors import PapertuneError
from tui.domain.model import ModelCard
from tui.mistral import ConsentNeeded
from tui.text import shorten, visible
from widgets.dialogs import Choose, Confirm, Prompt

if TYPE_CHECKING:
    from tui.chat import Conversations
    from tui.corpus import Corpus

_MOST = 200  # lines offered: an option list measures every line it holds
_MODES = (
    (Mode.ASK.value, "Ask", "an answer to a question"),
    (Mode.SUMMARISE.value, "Summarise", "one paper by its sections, or several as a table"),
    (Mode.BRAINSTORM.value, "Brainstorm", "ideas that connect papers, conjecture marked as such"),
    (Mode.ONBOARD.value, "Onboard", "a reading path for somebody new"),
)
_ALL, _TAG, _PAPER, _QUERY = "all", "tag", "paper", "query"
_CODE = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)

# How answers stand: one, two, or two without saying whose is which.
ONE, TWO, BLIND = "one", "two", "blind"


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


async def beside(app: ShellApp, at: str) -> str:
    """Choose how many answers, and whether their names are hidden."""
    choices = (
        (ONE, "One answer", ""),
        (TWO, "Two beside each other", "the base model beside the tuned one, or no sources"),
        (BLIND, "Two, blind", "who gave which is shown when you have chosen the better"),
    )
    return await app.push_screen_wait(Choose("Answers", choices, at=at)) or at


async def scope(app: ShellApp, corpus: Callable[[], Corpus], at: Scope) -> Scope:
    """Choose which papers are asked: all, a tag's, one, or those that a query lists."""
    tags = await asyncio.to_thread(_tags, corpus)
    choices = [(_ALL, "All papers", "")]
    choices += [(f"{_TAG}:{name}", f"Tag {name}", f"{number} papers") for name, number in tags]
    choices += [
        (_PAPER, "One paper…", "by words of its title"),
        (_QUERY, "What a filter lists…", "e.g. author:keller year:2019.."),
    ]
    chosen = await app.push_screen_wait(Choose("Ask which papers?", choices[:_MOST], at=str(at)))
    if chosen is None:
        return at
    if chosen not in (_PAPER, _QUERY):
        return Scope.parse(chosen)
    what = "Words of the title" if chosen == _PAPER else "A filter, as in the corpus"
    words = await app.push_screen_wait(Prompt("Which papers?", what))
    if not words:
        return at
    if chosen == _QUERY:
        return Scope(_QUERY, words)
    found = await asyncio.to_thread(lambda: corpus().papers(words, limit=_MOST))
    if not found:
        app.flash(f"No paper matches {shorten(words, 40)}.")
        return at
    papers = [(p.id, shorten(p.title or p.id, 90), str(p.year or "")) for p in found]
    paper = await app.push_screen_wait(Choose("Ask which paper?", papers))
    return Scope(_PAPER, paper) if paper else at


def _tags(corpus: Callable[[], Corpus]) -> list[tuple[str, int]]:
    """The library's tags, most used first."""
    counts: dict[str, int] = {}
    for paper in corpus().papers(limit=5000):
        for tag in paper.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


async def conversation(app: ShellApp, conversations: Conversations, query: str = "") -> str | None:
    """Choose an earlier conversation; its id."""
    held = await asyncio.to_thread(conversations.all, query, limit=_MOST)
    if not held:
        words = f"No conversation holds {shorten(query, 40)}." if query else ""
        app.flash(words or "There are no conversations yet.")
        return None
    choices = [(item.id, item.title, _when(item)) for item in held]
    return await app.push_screen_wait(Choose("Conversations", choices))


async def search(app: ShellApp, conversations: Conversations) -> str | None:
    """Choose among the conversations that hold some words; its id."""
    words = await app.push_screen_wait(Prompt("Search conversations", "Words they hold"))
    return await conversation(app, conversations, words) if words else None


async def branch(
    app: ShellApp, conversations: Conversations, name: str, at: str
) -> Conversation | None:
    """Choose a branch of a conversation by the question it ends in."""
    held = await asyncio.to_thread(conversations.branches, name)
    if len(held) < 2:
        app.flash("This conversation has one branch; editing a question begins another.")
        return None
    known = {item.exchanges[-1].id: item for item in held if item.exchanges}
    choices = [
        (key, shorten(item.exchanges[-1].question, 80), f"{len(item.exchanges)} questions")
        for key, item in known.items()
    ]
    chosen = await app.push_screen_wait(Choose("Branches", choices, at=at))
    return known.get(chosen or "")


async def earlier(app: ShellApp, exchanges: Sequence[Exchange]) -> Exchange | None:
    """Choose a question to edit, the newest first."""
    known = {exchange.id: exchange for exchange in reversed(exchanges)}
    choices = [(key, shorten(item.question, 90), "") for key, item in known.items()]
    chosen = await app.push_screen_wait(Choose("Edit which question?", choices[:_MOST]))
    return known.get(chosen or "")


async def title(app: ShellApp, conversations: Conversations, name: str) -> None:
    """Ask for a conversation's title."""
    try:
        held = await asyncio.to_thread(conversations.read, name)
    except PapertuneError:
        return
    given = await app.push_screen_wait(Prompt("Title", value=held.title))
    if given:
        await asyncio.to_thread(conversations.rename, name, given)
        app.flash(f"Titled {shorten(given, 60)}.")


async def copy_part(app: ShellApp, answer: Answer, bibtex: Callable[[Answer], str]) -> None:
    """Choose what of an answer to copy: a block of code, or its sources as BibTeX."""
    blocks = [match[1] for match in _CODE.finditer(answer.text)]
    choices = [("answer", "The answer", shorten(answer.text, 70))]
    choices += [(f"code-{n}", f"Code {n + 1}", shorten(b, 70)) for n, b in enumerate(blocks)]
    if answer.sources:
        choices.append(("bibtex", "The sources' BibTeX", f"{len(answer.sources)} sources"))
    chosen = await app.push_screen_wait(Choose("Copy", choices))
    if chosen is None:
        return
    if chosen == "bibtex":
        await app.copy(await asyncio.to_thread(bibtex, answer), "the sources' BibTeX")
    elif chosen == "answer":
        await app.copy(answer.text, "the answer")
    else:
        await app.copy(blocks[int(chosen.removeprefix("code-"))], "the code")


def _when(item: Conversation) -> str:
    day = time.strftime("%d %b %H:%M", time.localtime(item.started_at))
    return f"{day} · {len(item.exchanges)} questions"
