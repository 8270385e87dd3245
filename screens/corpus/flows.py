"""What is asked before something is done with the selected papers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from screens.base import ShellApp
from tui.domain.errors import PapertuneError
from tui.domain.example import Kind
from tui.domain.identifiers import dataset_name
from widgets.dialogs import Choose, Confirm, Prompt

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import AddReport, Datasets

_NEW = "\n"  # no dataset can have this name


async def tag(app: ShellApp, corpus: Corpus, ids: list[str]) -> bool:
    """Ask for tags and set them; `-word` takes one away."""
    answer = await app.push_screen_wait(
        Prompt(
            f"Tag {papers(len(ids))}",
            "Words to add; a minus before a word takes it away.",
            placeholder="simulation -draft",
        )
    )
    words = (answer or "").replace(",", " ").split()
    if not words:
        return False
    add = [word for word in words if not word.startswith("-")]
    remove = [word[1:] for word in words if word.startswith("-") and len(word) > 1]
    await asyncio.to_thread(corpus.tag, ids, add=add, remove=remove)
    app.flash(f"Tagged {papers(len(ids))}.")
    return True


async def private(app: ShellApp, corpus: Corpus, ids: list[str]) -> bool:
    """Mark papers private; when all of them are, take the mark away."""
    marked = await asyncio.to_thread(corpus.private, ids)
    wanted = len(marked) < len(ids)
    await asyncio.to_thread(corpus.set_private, ids, wanted)
    what = "private: the text never leaves for an outside endpoint" if wanted else "not private"
    app.flash(f"{papers(len(ids)).capitalize()} {'is' if len(ids) == 1 else 'are'} {what}.")
    return True


async def remove(app: ShellApp, corpus: Corpus, ids: list[str]) -> bool:
    """Ask, then remove papers from the corpus; the files stay where they are."""
    sure = await app.push_screen_wait(
        Confirm(
            f"Remove {papers(len(ids))}",
            "They leave the corpus with their tags. The files stay where they are, and examples "
            "made from them stay in their datasets.",
        )
    )
    if not sure:
        return False
    await asyncio.to_thread(corpus.remove, ids)
    app.flash(f"Removed {papers(len(ids))}.")
    return True


async def to_dataset(app: ShellApp, datasets: Datasets, ids: list[str]) -> bool:
    """Ask what to make of the papers and where to put it, then compose the examples."""
    kind = await app.push_screen_wait(
        Choose(
            f"From {papers(len(ids))}",
            (
                (Kind.SUMMARY, "Summaries", "The abstract, as the answer to “Summarise …”."),
                (Kind.FULL_TEXT, "Full text", "Section by section, sized to the context."),
            ),
        )
    )
    if kind is None:
        return False
    name = await choose_dataset(app, datasets)
    if name is None:
        return False
    report = await asyncio.to_thread(_compose, datasets, name, Kind(kind), ids)
    words = f"{report.added:,} examples added to {name}"
    if report.skipped:
        words += f", {report.skipped:,} were there already"
    if report.failed:
        words += f"; {report.failed:,} papers have nothing of that kind"
    app.flash(words + ".")
    return report.added > 0


def _compose(datasets: Datasets, name: str, kind: Kind, ids: list[str]) -> AddReport:
    return datasets.add_from_corpus(name, kind, papers=ids)


async def choose_dataset(app: ShellApp, datasets: Datasets) -> str | None:
    """A dataset that exists, or a new one by name."""
    known = await asyncio.to_thread(datasets.list)
    answer: str | None = _NEW
    if known:
        choices = [(d.name, d.name, f"{d.examples:,} examples") for d in known]
        answer = await app.push_screen_wait(
            Choose("Into which dataset?", [*choices, (_NEW, "A new one…", "")])
        )
    if answer != _NEW:
        return answer
    name = await app.push_screen_wait(
        Prompt("A new dataset", "Its name:", placeholder="answers", check=name_problem)
    )
    if name is not None:
        await asyncio.to_thread(datasets.create, name)
    return name


def name_problem(name: str) -> str:
    """Why a dataset cannot have this name; nothing when it can."""
    try:
        dataset_name(name)
    except PapertuneError as error:
        return str(error)
    return ""


def papers(count: int) -> str:
    """`this paper` or `12 papers`."""
    return "this paper" if count == 1 else f"{count:,} papers"
