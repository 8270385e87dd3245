"""What is asked on the way: which facet to filter by, which value of it, which model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.datasets.queue import EVERYTHING, Filter
from tui.domain.errors import NotFoundError
from tui.text import shorten
from widgets.dialogs import Choose

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import Datasets

_FACETS = ("status", "kind", "paper", "reason", "author", "role")
_DRAFTS = "drafts"
_EVERYTHING = "everything"
_MOST_VALUES = 300


async def ask_filter(
    app: ShellApp, datasets: Datasets, corpus: Corpus, name: str, now: Filter
) -> Filter | None:
    """Ask what to keep to, first by what and then by which value; None when nothing was chosen."""
    counts = await asyncio.to_thread(datasets.filters, name)
    given = asdict(now)
    choices = [
        (facet, facet.capitalize(), given[facet] or f"{len(counts[facet])} to choose from")
        for facet in _FACETS
        if counts.get(facet)
    ]
    choices += [
        (_DRAFTS, "All drafts", "Nothing but what awaits review."),
        (_EVERYTHING, "Everything", "Decided or not."),
    ]
    facet = await app.push_screen_wait(Choose("Keep to", choices))
    if facet is None:
        return None
    if facet in (_DRAFTS, _EVERYTHING):
        return Filter() if facet == _DRAFTS else EVERYTHING
    values: Sequence[tuple[str, int]] = counts[facet][:_MOST_VALUES]
    listed = await asyncio.to_thread(_labelled, corpus, facet, values)
    value = await app.push_screen_wait(
        Choose(facet.capitalize(), [("", f"any {facet}", ""), *listed], at=given[facet])
    )
    return None if value is None else now.changed(facet, value)


def _labelled(
    corpus: Corpus, facet: str, values: Sequence[tuple[str, int]]
) -> list[tuple[str, str, str]]:
    """Values with words for people: a paper's id says nothing to them."""
    found = []
    for value, count in values:
        label = value
        if facet == "paper":
            try:
                label = corpus.paper(value).title or value
            except NotFoundError:
                label = value
        found.append((value, shorten(label, 70), f"{count:,} examples"))
    return found
