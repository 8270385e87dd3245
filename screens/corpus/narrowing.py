"""What is asked to find a few papers among many: orders, facets, saved searches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from screens.base import ShellApp
from widgets.dialogs import Choose, Prompt

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.corpus.listing import Sort

_ORDERS: tuple[tuple[Sort, str, str], ...] = (
    ("", "Best match", "The newest first where no words are looked for."),
    ("added", "Added", "When it came into the library."),
    ("title", "Title", ""),
    ("year", "Year", ""),
    ("author", "First author", "By family name."),
    ("venue", "Venue", "Journal or conference."),
)
_FACETS = {
    "year": "Year",
    "author": "Author",
    "tag": "Tag",
    "venue": "Venue",
    "problem": "Problem",
}
_SAVE, _FORGET = "\n+", "\n-"  # no saved search can have these names


@dataclass(frozen=True, slots=True)
class Order:
    """How the list runs; without a `sort` the best match or the newest comes first."""

    sort: Sort = ""
    descending: bool = False

    @property
    def words(self) -> str:
        """`by year ↓`, as the filter bar says it."""
        return f"by {self.sort} {'↓' if self.descending else '↑'}" if self.sort else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list was asked for."""

    query: str = ""
    passages: bool = False
    order: Order = Order()

    @property
    def as_passages(self) -> bool:
        """Whether passages are listed: there are too many to list without a query."""
        return self.passages and bool(self.query)


async def order(app: ShellApp, now: Order) -> Order | None:
    """Ask for an order; the one in force is turned round."""
    choices = [(sort, label, note) for sort, label, note in _ORDERS]
    answer = await app.push_screen_wait(
        Choose("Order", choices, question="The order in force, again, runs the other way.",
               at=now.sort)
    )  # fmt: skip
    if answer is None:
        return None
    if answer and answer == now.sort:
        return replace(now, descending=not now.descending)
    sort = next(sort for sort, _, _ in _ORDERS if sort == answer)
    # Years and days are looked for from the newest, names from A.
    return Order(sort, descending=sort in {"added", "year"})


async def narrow(app: ShellApp, corpus: Corpus, query: str) -> str | None:
    """Ask for a value of a facet among what matches; the query that keeps to it."""
    facets = await asyncio.to_thread(corpus.facets, query)
    known = [name for name in _FACETS if facets.get(name)]
    if not known:
        app.flash("There is nothing to narrow by: no years, authors, tags or venues are known.")
        return None
    choices = [(name, _FACETS[name], _sample(facets[name])) for name in known]
    facet = await app.push_screen_wait(Choose("Narrow by", choices))
    if facet is None:
        return None
    values = [(value, f"{value}  {count:,}", "") for value, count in facets[facet]]
    value = await app.push_screen_wait(Choose(_FACETS[facet], values))
    if value is None:
        return None
    quoted = f'"{value}"' if " " in value else value
    return f"{query} {facet}:{quoted}".strip()


def _sample(values: list[tuple[str, int]]) -> str:
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return ", ".join(f"{value} ({count:,})" for value, count in values[:3]) + more


async def saved(app: ShellApp, corpus: Corpus, query: str) -> str | None:
    """Ask which saved search to take; or save the one in the filter, or forget one."""
    known = await asyncio.to_thread(corpus.saved)
    choices = [(search.name, search.name, search.query) for search in known]
    if query:
        choices.append((_SAVE, "Save this search…", query))
    if known:
        choices.append((_FORGET, "Forget one…", ""))
    if not choices:
        app.flash(f"No search is saved. Filter with {app.key_for('corpus.filter')}, then save it.")
        return None
    answer = await app.push_screen_wait(Choose("Saved searches", choices))
    if answer == _SAVE:
        await _save(app, corpus, query)
    elif answer == _FORGET:
        await _forget(app, corpus)
    else:
        return next((search.query for search in known if search.name == answer), None)
    return None


async def _save(app: ShellApp, corpus: Corpus, query: str) -> None:
    name = await app.push_screen_wait(
        Prompt("Save this search", query, placeholder="a name for it", check=_unnamed)
    )
    if name:
        kept = await asyncio.to_thread(corpus.save, name, query)
        app.flash(f"Saved as “{kept.name}”.")


def _unnamed(name: str) -> str:
    return "" if name.strip() else "A saved search needs a name."


async def _forget(app: ShellApp, corpus: Corpus) -> None:
    known = await asyncio.to_thread(corpus.saved)
    choices = [(search.name, search.name, search.query) for search in known]
    if name := await app.push_screen_wait(Choose("Forget which search?", choices)):
        await asyncio.to_thread(corpus.forget, name)
        app.flash(f"Forgot “{name}”.")
