"""From words selected in the reader to an example: as they stand, summarised, or asked about."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.corpus.flows import choose_dataset
from tui.domain.example import Example, Kind
from tui.domain.paper import Paper
from tui.text import shorten
from widgets import pair_form
from widgets.dialogs import Choose
from widgets.document import Document
from widgets.writing_form import Values, WritingForm

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import Datasets
    from tui.datasets.selection import Selection

_KINDS = (
    (Kind.QA, "Question and answer", "Typed beside the selection; the quote is checked."),
    (Kind.SUMMARY, "Summary", "Typed beside the selection."),
    (Kind.FULL_TEXT, "Full text", "The selected words as they stand."),
)


async def from_selection(
    app: ShellApp, corpus: Corpus, datasets: Datasets, paper: Paper, span: tuple[int, int]
) -> bool:
    """Ask what to make of the selected stretch and into which dataset it goes, then add it."""
    from tui.datasets.selection import Selection

    kind = await app.push_screen_wait(Choose("From the selection", _KINDS))
    if kind is None:
        return False
    selection = Selection(paper.id, *span)
    example = await _example(app, corpus, selection, Kind(kind), paper)
    if example is None or (name := await choose_dataset(app, datasets)) is None:
        return False
    report = await asyncio.to_thread(datasets.add_examples, name, [example])
    if report.failed:
        app.flash(report.failures[0].reason)
    elif report.skipped:
        app.flash(f"{name} has exactly that example already.")
    else:
        app.flash(f"Added to {name}.")
    return report.added > 0


async def _example(
    app: ShellApp, corpus: Corpus, selection: Selection, kind: Kind, paper: Paper
) -> Example | None:
    from tui.datasets import selection as selecting

    if kind is Kind.FULL_TEXT:
        return await asyncio.to_thread(selecting.full_text, corpus, selection)
    text = await asyncio.to_thread(corpus.text, paper.id)
    words = text[selection.start : selection.end]

    def made(values: Values) -> Example:
        if kind is Kind.SUMMARY:
            return selecting.summary(corpus, selection, values["summary"])
        return selecting.pair(corpus, selection, selecting.Written(**values))

    form = WritingForm(
        shorten(paper.title or paper.id, 60),
        Document(words),
        pair_form.SUMMARY if kind is Kind.SUMMARY else pair_form.PAIR,
        pair_form.wrong(made),
        lambda values: pair_form.quote(words, values),
    )
    values = await app.push_screen_wait(form)
    return await asyncio.to_thread(made, values) if values else None
