"""`papertune corpus merge|split|undo|facets|problems|ocr|saved`: works, and what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import chosen_workspace, common, emit, finish, plain, say, show
from tui.domain.errors import UsageError
from tui.text import shorten, visible

if TYPE_CHECKING:
    from tui.domain.paper import Paper
    from tui.services import Services


def _services(workspace: Path | None) -> Services:
    from tui.services import Services

    return Services.open(chosen_workspace(workspace), create=False)


def register(group: click.Group) -> None:
    """Add these commands to `corpus`."""
    for command in (merge, split, undo, facets, problems, ocr, saved):
        group.add_command(command)


def _told(paper: Paper) -> dict[str, object]:
    return {
        "id": paper.id, "title": paper.title, "authors": paper.authors, "year": paper.year,
        "doi": paper.doi, "arxiv": paper.arxiv, "tags": paper.tags, "files": paper.files,
    }  # fmt: skip


@click.command()
@click.argument("papers", nargs=-1, required=True)
@common
def merge(papers: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Make one work of several papers; the first one's id stays. `corpus undo` takes it back."""
    corpus = _services(workspace).corpus
    kept = corpus.merge([corpus.resolve(name).id for name in papers])
    if as_json:
        emit(_told(kept))
    else:
        show(f"{kept.id}: {kept.title} ({len(kept.files)} files)")


@click.command()
@click.argument("paper")
@click.argument("files", nargs=-1, required=True)
@common
def split(paper: str, files: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Make a new work of some FILES of a PAPER (paths, or names); they stay apart."""
    from tui.corpus.paths import real

    corpus = _services(workspace).corpus
    found = corpus.resolve(paper)
    known = [Path(real(path)) for path in found.files]
    chosen = []
    for name in files:
        fits = [p for p in known if name in (str(p), p.name) or Path(name).absolute() == p]
        if len(fits) != 1:
            raise UsageError(
                f"'{visible(name)}' names {len(fits) or 'no'} files of {visible(found.id)}.",
                f"See its files with: papertune corpus show {visible(found.id)}",
            )
        chosen += fits
    made = corpus.split(found.id, chosen)
    if as_json:
        emit({"paper": _told(corpus.paper(found.id)), "made": _told(made)})
    else:
        show(f"{made.id}: {made.title} ({len(made.files)} files)")


@click.command()
@common
def undo(workspace: Path | None, as_json: bool) -> None:
    """Take back the last merge or split."""
    corpus = _services(workspace).corpus
    done = corpus.undo()
    if as_json:
        emit({"undone": done or None, "left": len(corpus.steps())})
    else:
        show(f"Taken back: {done}." if done else "There is nothing to take back.")


@click.command()
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True)
@common
def facets(query: tuple[str, ...], limit: int, workspace: Path | None, as_json: bool) -> None:
    """Count papers by year, author, tag, venue and problem."""
    corpus = _services(workspace).corpus
    text = " ".join(query)
    found = corpus.facets(text)
    if note := text and corpus.explain(text):
        say(note)
    if as_json:
        emit(
            {name: [{"value": v, "papers": n} for v, n in values[:limit]]
             for name, values in found.items()}
        )  # fmt: skip
        return
    for name, values in found.items():
        if values:
            show(f"{name}:")
        for value, count in values[:limit]:
            show(f"  {count:6}  {shorten(value, 60)}")


@click.command()
@click.option("--kind", help="Only this kind: failed, scanned, garbled, duplicate, no-title, …")
@common
def problems(kind: str | None, workspace: Path | None, as_json: bool) -> None:
    """List what could not be read or is in doubt, and what to do about it."""
    from tui.corpus import ProblemKind

    kinds = [str(known) for known in ProblemKind]
    if kind is not None and kind not in kinds:
        raise UsageError(f"'{visible(kind)}' is no kind.", f"Kinds are: {', '.join(kinds)}.")
    found = [p for p in _services(workspace).corpus.problems() if kind in (None, p.kind)]
    if as_json:
        emit([plain(problem) for problem in found])
        return
    for problem in found:
        show(f"{problem.kind}: {problem.path or problem.paper}")
        show(f"  {problem.reason}")
        show(f"  {problem.remedy}")
    if not found:
        say("No problem of this kind." if kind else "No problems.")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="All scanned and garbled files.")
@common
def ocr(files: tuple[Path, ...], everything: bool, workspace: Path | None, as_json: bool) -> None:
    """Recognise the text of scanned files with ocrmypdf; the originals stay as they are."""
    if bool(files) == everything:
        raise UsageError("Name files, or use --all.", "See them: papertune corpus problems")
    report = _services(workspace).ocr.run(files, on_step=say)
    if as_json:
        emit(report)
    else:
        show(f"{report.recognised} of {report.files} files recognised.")
    for failure in report.failures[: None if as_json else 20]:
        say(f"  {failure.path}: {failure.reason}")
    finish(ok=not report.failed)


@click.group(invoke_without_command=True)
@common
@click.pass_context
def saved(context: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List saved searches; `saved save` and `saved forget` change them."""
    if context.invoked_subcommand is not None:
        return
    corpus = _services(workspace).corpus
    found = corpus.saved()
    if as_json:
        emit([{"name": s.name, "query": s.query, "papers": corpus.count(s.query)} for s in found])
        return
    for search in found:
        show(f"{search.name}: {search.query}")
    if not found:
        say("No saved searches. Save one: papertune corpus saved save NAME QUERY")


@saved.command("save")
@click.argument("name")
@click.argument("query", nargs=-1, required=True)
@common
def save_search(name: str, query: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Keep a QUERY under a NAME; use it as: corpus list --saved NAME."""
    corpus = _services(workspace).corpus
    kept = corpus.save(name, " ".join(query))
    if note := corpus.explain(kept.query):
        say(note)
    if as_json:
        emit(kept)
    else:
        show(f"{kept.name}: {kept.query}")


@saved.command("forget")
@click.argument("name")
@common
def forget_search(name: str, workspace: Path | None, as_json: bool) -> None:
    """Forget a saved search."""
    _services(workspace).corpus.forget(name)
    if as_json:
        emit({"forgotten": name})
    else:
        show(f"{visible(name)} forgotten.")
