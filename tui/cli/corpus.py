"""`papertune corpus`: add, list, show, search, tag, remove and export papers."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from tui.cli import corpus_import, corpus_works
from tui.cli.output import chosen_workspace, common, emit, finish, plain, say, show
from tui.domain.errors import NotFoundError, UsageError
from tui.text import shorten, visible

if TYPE_CHECKING:
    from tui.corpus import Corpus, Progress
    from tui.corpus.listing import Sort
    from tui.domain.paper import IngestReport, Paper
    from tui.services import Services


@click.group(help="Add, list, search and export papers.")
def command() -> None:
    """The papers of a workspace."""


def _services(workspace: Path | None, *, create: bool = False) -> Services:
    from tui.services import Services

    return Services.open(chosen_workspace(workspace), create=create)


def _corpus(workspace: Path | None) -> Corpus:
    return _services(workspace).corpus


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH|arxiv:ID|doi:ID…")
@common
def add(paths: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Read papers (PDF, LaTeX, Markdown, text) from files and folders, or fetch them.

    What did not change since the last time costs nothing; interrupt it and run it again as you
    like. arxiv:2401.01234 and doi:10.… are fetched from where they are published.
    """
    from tui.corpus.discover import check
    from tui.corpus.sources.fetch import identifier

    wanted = {path: identifier(path) for path in paths}
    named = [Path(path) for path, known in wanted.items() if known is None]
    identifiers = [known for known in wanted.values() if known is not None]
    check(named)  # before a workspace is made for what is not there
    services = _services(workspace, create=True)
    document: dict[str, Any] = {}
    failed = False
    with _stoppable():
        if identifiers:
            fetched = services.fetcher.add(identifiers, on_step=lambda step: say(f"{step} …"))
            report = fetched.ingest
            failed = bool(fetched.failed)
            document["fetched"] = {k: v for k, v in plain(fetched).items() if k != "ingest"}
            for failure in fetched.failures:
                say(f"  {failure.path}: {failure.reason}")
            if fetched.records:
                say(f"{fetched.records} papers came without a file that anybody may read.")
        if named:
            report = services.corpus.add(named, on_progress=_Narrator())
    if as_json:
        emit({**plain(report), **document})
    else:
        show(_summary(report))
    for failure in report.failures[: None if as_json else 20]:
        say(f"  {failure.path}: {failure.reason}")
    if len(report.failures) > 20 and not as_json:
        say(f"  … and {len(report.failures) - 20} more")
    usable = report.added + report.updated + report.unchanged
    if named and not usable and not report.failures:
        from tui.corpus.classify import KINDS_READ

        what = "There is nothing in it" if not report.files else "No file there holds a paper"
        say(f"{what}: papertune reads {KINDS_READ}.")
    finish(ok=bool(usable or not named) and not report.failed and not failed)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends an import as Ctrl-C does: workers are killed, what was read stays."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say("Interrupted. What was read is kept; run the same command again to go on.")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class _Narrator:
    """Progress on stderr: one line, rewritten in a terminal, one in ten seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._interval = 0.2 if self._terminal else 10.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < self._interval:
            return
        self._last = now
        rate = progress.pages / progress.seconds if progress.seconds else 0.0
        left = (
            "" if progress.seconds_left is None else f", about {progress.seconds_left:.0f} s left"
        )
        text = f"{progress.done}/{progress.total} files, {rate:.0f} pages/s{left}"
        if self._terminal:
            name = shorten(progress.path.rsplit("/", 1)[-1], 30)
            click.echo(f"\r\x1b[K{text}  {name}", err=True, nl=False)
            if progress.done == progress.total:
                click.echo("\r\x1b[K", err=True, nl=False)
        else:
            say(text)


def _summary(report: IngestReport) -> str:
    counts = [(report.added, "added"), (report.updated, "updated"),
              (report.unchanged, "unchanged"), (report.skipped, "skipped"),
              (report.failed, "failed")]  # fmt: skip
    told = ", ".join(f"{count} {name}" for count, name in counts if count) or "nothing to do"
    return (
        f"{report.files} files: {told} in {report.seconds:.1f} s. The corpus has "
        f"{report.papers} papers, {report.pages} pages, {report.passages} passages."
    )


def _listed(paper: Paper) -> dict[str, Any]:
    names = ("id", "title", "authors", "year", "venue", "doi", "arxiv", "tags", "pages", "files")
    return {**{name: getattr(paper, name) for name in names}, "private": paper.private}


@command.command("list")
@click.option("--query", default="", help="Only papers that match, best first.")
@click.option("--saved", default="", help="Only papers of a saved search.")
@click.option("--sort", default="", help="added, title, year, author or venue.")
@click.option("--descending", is_flag=True, help="The other way round.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@common
def list_papers(
    query: str,
    saved: str,
    sort: str,
    descending: bool,
    limit: int | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """List the papers, newest first."""
    corpus = _corpus(workspace)
    if saved:
        known = {search.name: search.query for search in corpus.saved()}
        if saved not in known:
            raise NotFoundError(
                f"There is no saved search '{visible(saved)}'.",
                "See them with: papertune corpus saved",
            )
        query = f"{known[saved]} {query}".strip()
    papers = corpus.papers(query, sort=cast("Sort", sort), descending=descending, limit=limit)
    _explain(corpus, query)
    if as_json:
        emit([_listed(paper) for paper in papers])
        return
    for paper in papers:
        authors = shorten(", ".join(paper.authors), 30)
        show(f"{paper.id:<32} {paper.year or '':<4} {shorten(paper.title, 60)}  {authors}".rstrip())
    if not papers:
        say("No paper matches." if query else "No papers yet. Add some: papertune corpus add PATH")


@command.command("show")
@click.argument("paper")
@common
def show_paper(paper: str, workspace: Path | None, as_json: bool) -> None:
    """Show one paper, by its id, DOI, arXiv identifier, title or file name."""
    found = _corpus(workspace).resolve(paper)
    if as_json:
        sections = [
            {"path": s.path, "page": s.page, "characters": s.end - s.start, "kind": s.kind}
            for s in found.sections
        ]
        emit(
            {**_listed(found), "abstract": found.abstract, "sections": sections,
             "references": found.references, "text_sha256": found.text_sha256}
        )  # fmt: skip
        return
    show(found.title)
    show(", ".join(found.authors))
    told = [
        str(found.year or ""),
        found.venue,
        f"doi:{found.doi}" if found.doi else "",
        f"arXiv:{found.arxiv}" if found.arxiv else "",
        f"{found.pages} pages" if found.pages else "",
        "tags: " + ", ".join(found.tags) if found.tags else "",
        "private" if found.private else "",
    ]
    show(" · ".join(filter(None, [found.id, *told])))
    for path in found.files:
        show(f"  {visible(path)}")
    if found.abstract:
        show(f"\n{found.abstract}\n")
    for section in found.sections:
        page = f"  p. {section.page}" if section.page else ""
        show(f"{'  ' * section.level}{section.title or '(text)'}{page}")
    if found.references:
        show(f"  {len(found.references)} references")


@command.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@common
def search(query: tuple[str, ...], limit: int, workspace: Path | None, as_json: bool) -> None:
    """Find passages by a question or by words.

    Also "phrases", -without, prefix*, author: title: section: venue: tag: and year:2019..2022.
    """
    corpus = _corpus(workspace)
    text = " ".join(query)
    hits = corpus.search(text, limit=limit)
    _explain(corpus, text)
    if as_json:
        names = (
            "paper",
            "title",
            "year",
            "passage",
            "section",
            "page",
            "snippet",
            "score",
            "marks",
        )
        emit([{name: getattr(hit, name) for name in names} for hit in hits])
        return
    colour = sys.stdout.isatty()
    for hit in hits:
        page = f", p. {hit.page}" if hit.page else ""
        show(f"{hit.paper}{page}  {shorten(hit.section.rsplit(' > ', 1)[-1], 40)}".rstrip())
        # The snippet was cleaned at ingest; only our own marks may carry escape sequences.
        click.echo("  " + _marked(hit.snippet, hit.marks, colour))
    if not hits:
        say("Nothing found.")


def _marked(text: str, marks: tuple[tuple[int, int], ...], colour: bool) -> str:
    parts, done = [], 0
    before, after = ("\x1b[1m", "\x1b[22m") if colour else ("*", "*")
    for start, end in marks:
        parts += [visible(text[done:start]), before, visible(text[start:end]), after]
        done = end
    return "".join([*parts, visible(text[done:])])


def _explain(corpus: Corpus, query: str) -> None:
    if query and (note := corpus.explain(query)):
        say(note)


@command.command()
@click.argument("papers", nargs=-1, required=True)
@click.option("--add", "added", multiple=True, help="A tag to add.")
@click.option("--remove", "removed", multiple=True, help="A tag to remove.")
@click.option("--private/--public", default=None, help="Whether its text may leave this machine.")
@common
def tag(
    papers: tuple[str, ...],
    added: tuple[str, ...],
    removed: tuple[str, ...],
    private: bool | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Tag papers, or mark them private."""
    if not added and not removed and private is None:
        raise UsageError("Nothing to do.", "Use --add TAG, --remove TAG, --private or --public.")
    corpus = _corpus(workspace)
    ids = [corpus.resolve(name).id for name in papers]
    if added or removed:
        corpus.tag(ids, added, removed)
    if private is not None:
        corpus.set_private(ids, private)
    changed = [corpus.paper(paper) for paper in ids]
    if as_json:
        emit([_listed(paper) for paper in changed])
        return
    for paper in changed:
        marks = [*paper.tags, *(["(private)"] if paper.private else [])]
        show(f"{paper.id}: {', '.join(marks) or 'no tags'}")


@command.command()
@click.argument("papers", nargs=-1, required=True)
@common
def remove(papers: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Forget papers; their files stay where they are."""
    corpus = _corpus(workspace)
    ids = list(dict.fromkeys(corpus.resolve(name).id for name in papers))
    corpus.remove(ids)
    if as_json:
        emit({"removed": len(ids), "ids": ids, "papers": corpus.totals().papers})
    else:
        show(f"{len(ids)} papers removed.")


@command.command()
@click.argument("papers", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file, else stdout.")
@common
def export(
    papers: tuple[str, ...], output: Path | None, workspace: Path | None, as_json: bool
) -> None:
    """Write BibTeX of some papers, or of all."""
    corpus = _corpus(workspace)
    ids = [corpus.resolve(name).id for name in papers] or None
    text = corpus.export_bibtex(ids)
    count = len(ids) if ids is not None else corpus.totals().papers
    if output is not None:
        from tui.storage.atomic import write_text

        write_text(output, text)
    if as_json:
        emit({"papers": count, "file": output, "bibtex": None if output else text})
    elif output is None:
        click.echo(text)
    else:
        show(f"{count} papers written to {output}.")


corpus_import.register(command)
corpus_works.register(command)
