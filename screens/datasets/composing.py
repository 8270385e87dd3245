"""Adding to a dataset: from files, from the papers, from its own pairs, or typed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.datasets.services import DatasetServices
from tui.domain.example import Example, Kind, Status
from tui.text import shorten
from widgets import pair_form
from widgets.dialogs import Choose, Prompt
from widgets.document import Document
from widgets.path_input import PathSuggester, missing_path, typed_path
from widgets.writing_form import Values, WritingForm

if TYPE_CHECKING:
    from tui.datasets import AddReport
    from tui.domain.paper import Passage

_TYPED, _TYPED_SUMMARY, _IMPORT = "typed", "typed-summary", "import"
_WAYS = (
    (Kind.QA.value, "Question-answer pairs", "From a file of JSON Lines; quotes checked."),
    (_TYPED, "A pair, typed", "Beside a passage that you search for."),
    (_TYPED_SUMMARY, "A summary, typed", "Beside a passage that you search for."),
    (Kind.SUMMARY.value, "Summaries", "The abstracts of the papers."),
    (Kind.FULL_TEXT.value, "Full text", "The papers, section by section."),
    (Kind.RETRIEVAL.value, "Questions with sources", "Made of the accepted pairs in here."),
    (_IMPORT, "A file in another form", "Mistral, OpenAI, Alpaca, ShareGPT, CSV, a version…"),
)
_MOST_PASSAGES = 30
_PIECE_TOKENS = 512
_SOURCES = "100 20 3"


async def add(app: ShellApp, services: DatasetServices, name: str) -> AddReport | None:
    """Ask what to add and add it; None when nothing was chosen."""
    way = await app.push_screen_wait(Choose(f"Add to {name}", _WAYS, at=app.prefill("kind")))
    if way is None:
        return None
    if way == Kind.QA:
        path = await ask_file(
            app,
            "Question-answer pairs",
            "Which file? One JSON object a line, with question and answer.",
            app.prefill("file"),
        )
        if path is None:
            return None
        return await asyncio.to_thread(services.datasets.add_pairs, name, path)
    ways: dict[str, Callable[..., Awaitable[AddReport | None]]] = {
        _TYPED: partial(_typed, kind=Kind.QA),
        _TYPED_SUMMARY: partial(_typed, kind=Kind.SUMMARY),
        _IMPORT: _imported,
        Kind.RETRIEVAL.value: _sourced,
        Kind.SUMMARY.value: partial(_from_papers, kind=Kind.SUMMARY),
        Kind.FULL_TEXT.value: partial(_from_papers, kind=Kind.FULL_TEXT),
    }
    return await ways[way](app, services, name)


async def ask_file(app: ShellApp, title: str, question: str, value: str = "") -> Path | None:
    """Ask for a file that is there."""
    prompt = Prompt(title, question, value=value, check=missing_path, suggester=PathSuggester())
    answer = await app.push_screen_wait(prompt)
    return typed_path(answer) if answer else None


async def _from_papers(
    app: ShellApp, services: DatasetServices, name: str, kind: Kind
) -> AddReport | None:
    query = await app.push_screen_wait(
        Prompt("Which papers?", "A search as in the corpus; empty: all of them.")
    )
    if query is None:
        return None
    context = _PIECE_TOKENS
    if kind is Kind.FULL_TEXT:
        answer = await app.push_screen_wait(
            Prompt(
                "How long?",
                "The longest piece in tokens: what the model is trained with.",
                value=str(_PIECE_TOKENS),
                check=lambda text: "" if _whole(text, 64) else "A number from 64 on.",
            )
        )
        if answer is None:
            return None
        context = int(answer)
    return await asyncio.to_thread(
        services.datasets.add_from_corpus, name, kind, query=query.strip(), context=context
    )


def _whole(text: str, least: int) -> bool:
    digits = text.strip()
    return digits.isascii() and digits.isdigit() and int(digits) >= least


async def _sourced(app: ShellApp, services: DatasetServices, name: str) -> AddReport | None:
    from tui.datasets.retrieval import RetrievalPlan

    answer = await app.push_screen_wait(
        Prompt(
            "Questions with sources",
            "Percent of the pairs, percent of those without their passage, passages beside it:",
            value=_SOURCES,
            note="Where the right passage is left out, the answer says that it cannot be told.",
            check=lambda text: "" if _plan(text) else "Three numbers, e.g. 100 20 3",
        )
    )
    if answer is None or (numbers := _plan(answer)) is None:
        return None
    share, refusals, distractors = numbers
    plan = RetrievalPlan(share / 100, refusals / 100, distractors)
    return await asyncio.to_thread(services.sourcing().add, name, plan)


def _plan(answer: str) -> tuple[int, int, int] | None:
    parts = answer.replace("%", "").split()
    if len(parts) != 3 or not all(_whole(part, 0) for part in parts):
        return None
    share, refusals, distractors = map(int, parts)
    good = share <= 100 and refusals <= 100 and 1 <= distractors <= 20
    return (share, refusals, distractors) if good else None


async def _imported(app: ShellApp, services: DatasetServices, name: str) -> AddReport | None:
    from tui.formats.foreign import FileForm

    path = await ask_file(app, "Import", "Which file, or which folder of a frozen version?")
    if path is None:
        return None
    forms = [("", "Whatever it is", "Every line's form is told by its keys.")]
    forms += [(form.value, form.value, "") for form in FileForm]
    form = await app.push_screen_wait(Choose("In which form is it?", forms))
    if form is None:
        return None
    status = await app.push_screen_wait(
        Choose(
            "How does it come in?",
            (
                (Status.ACCEPTED.value, "Accepted", "It was looked through before."),
                (Status.DRAFT.value, "As drafts", "To be reviewed here."),
            ),
        )
    )
    if status is None:
        return None
    return await asyncio.to_thread(
        services.datasets.import_file,
        name,
        path,
        form=FileForm(form) if form else None,
        status=Status(status),
    )


async def _typed(
    app: ShellApp, services: DatasetServices, name: str, kind: Kind
) -> AddReport | None:
    from tui.datasets import selection as selecting

    passage = await _passage(app, services)
    if passage is None:
        return None
    selection = selecting.Selection(passage.paper, passage.start, passage.end)

    def made(values: Values) -> Example:
        if kind is Kind.SUMMARY:
            return selecting.summary(services.corpus, selection, values["summary"])
        return selecting.pair(services.corpus, selection, selecting.Written(**values))

    paper = await asyncio.to_thread(services.corpus.paper, passage.paper)
    form = WritingForm(
        shorten(paper.title or paper.id, 60),
        Document(passage.text),
        pair_form.SUMMARY if kind is Kind.SUMMARY else pair_form.PAIR,
        pair_form.wrong(made),
        lambda values: pair_form.quote(passage.text, values),
    )
    values = await app.push_screen_wait(form)
    if values is None:
        return None
    example = await asyncio.to_thread(made, values)
    return await asyncio.to_thread(services.datasets.add_examples, name, [example])


async def _passage(app: ShellApp, services: DatasetServices) -> Passage | None:
    """Ask for words and offer the passages that hold them."""
    words = await app.push_screen_wait(
        Prompt("Which passage?", "Words that stand in it; it is written beside your text.")
    )
    if not words or not words.strip():
        return None
    hits = await asyncio.to_thread(services.corpus.search, words, limit=_MOST_PASSAGES)
    if not hits:
        app.flash(f"No passage holds “{shorten(words, 40)}”.")
        return None
    choices = [
        (
            hit.passage,
            shorten(" ".join(hit.snippet.split()), 90),
            shorten(" · ".join(filter(None, (hit.title, hit.section))), 90),
        )
        for hit in hits
    ]
    chosen = await app.push_screen_wait(Choose("Which passage?", choices))
    return None if chosen is None else await asyncio.to_thread(services.corpus.passage, chosen)
