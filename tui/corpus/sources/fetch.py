"""Papers by identifier: record, source and PDF fetched when somebody asks, and only then."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tui.corpus.document import Metadata
from tui.corpus.identity import find_arxiv, find_doi
from tui.corpus.service import Corpus
from tui.corpus.sources.arxiv import EVERY_SECONDS, Arxiv
from tui.corpus.sources.doi import Doi
from tui.corpus.sources.intake import Arrival, take
from tui.corpus.sources.settings import SourceSettings
from tui.corpus.sources.web import Web
from tui.domain.errors import MissingError, PapertuneError, UsageError
from tui.domain.paper import Failure, IngestReport
from tui.storage import atomic
from tui.storage.workspace import Workspace
from tui.text import visible

_ARXIV = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identifier:
    """`arxiv:2401.01234v2` or `doi:10.…`."""

    scheme: str
    value: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What came of the identifiers asked for; `records` are works of which no file was found.

    `ingest` tells of the fetched files as `corpus add` tells of any.
    """

    asked: int = 0
    added: int = 0
    updated: int = 0
    failed: int = 0
    records: int = 0
    files: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    ingest: IngestReport = field(default_factory=IngestReport)


def identifier(text: str) -> Identifier | None:
    """What a text names, if it is an identifier: `arxiv:`, `doi:`, or a URL of either."""
    flat = text.strip()
    lower = flat.lower()
    if lower.startswith(("arxiv:", "https://arxiv.org/", "http://arxiv.org/")):
        match = re.search(
            rf"(?:arxiv:|/(?:abs|pdf|src)/)\s*({_ARXIV.pattern})(?:\.pdf)?$", flat, re.I
        )
        if match is None:
            raise UsageError(
                f"'{visible(text)}' is no arXiv identifier.",
                "They look like arxiv:2401.01234 or arxiv:hep-th/9901001.",
            )
        return Identifier("arxiv", match[1])
    if lower.startswith(("doi:", "https://doi.org/", "http://doi.org/", "https://dx.doi.org/")):
        doi = find_doi(flat)
        if not doi:
            raise UsageError(
                f"'{visible(text)}' is no DOI.", "They look like doi:10.1038/nature12373."
            )
        # arXiv registers DOIs of its own; arXiv itself has the source, too.
        own = re.fullmatch(r"10\.48550/arxiv\.(.+)", doi)
        return Identifier("arxiv", own[1]) if own else Identifier("doi", doi)
    return None


class Fetcher:
    """Fetches papers into a workspace; files lie in its `files` folder."""

    def __init__(
        self,
        workspace: Workspace,
        corpus: Corpus,
        settings: SourceSettings,
        *,
        web: Web | None = None,
        arxiv_every: float = EVERY_SECONDS,
    ) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._web = web or Web(settings.contact)
        self._arxiv = Arxiv(self._web, settings.arxiv, arxiv_every)
        self._doi = Doi(self._web, settings.doi, settings.unpaywall, settings.contact)

    def add(
        self,
        identifiers: Sequence[Identifier],
        *,
        on_step: Callable[[str], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> FetchReport:
        """Fetch and read papers. One that cannot be had costs only itself.

        Raises MissingError when there is no network at all.
        """
        done: list[tuple[str, bool, list[Path]]] = []
        failures: list[Failure] = []
        try:
            for wanted in dict.fromkeys(identifiers):
                if cancelled():
                    break
                on_step(str(wanted))
                try:
                    done.append(self._one(wanted))
                except MissingError:
                    raise
                except PapertuneError as error:
                    failures.append(Failure(visible(str(wanted)), str(error)))
        finally:
            self._web.close()
        files = [path for _, _, paths in done for path in paths]
        ingest = self._corpus.add(files)
        return FetchReport(
            asked=len(dict.fromkeys(identifiers)),
            added=sum(made for _, made, _ in done),
            updated=sum(not made for _, made, _ in done),
            failed=len(failures),
            records=sum(not paths for _, _, paths in done),
            files=tuple(str(path) for path in files),
            papers=tuple(dict.fromkeys(paper for paper, _, _ in done)),
            failures=tuple(failures),
            ingest=ingest,
        )

    def _one(self, wanted: Identifier) -> tuple[str, bool, list[Path]]:
        if wanted.scheme == "arxiv":
            record, files = self._from_arxiv(wanted.value)
        else:
            record, files = self._from_doi(wanted.value)
        with self._workspace.transaction() as db:
            paper, made = take(db, Arrival(str(wanted), record, tuple(files)))
        return paper, made, files

    def _from_arxiv(self, name: str) -> tuple[Metadata, list[Path]]:
        record = self._arxiv.record(name)
        folder = self._workspace.root / "files" / "arxiv"
        files = []
        for fetched in (self._arxiv.source(name), self._arxiv.pdf(name)):
            if fetched is not None:
                path = folder / f"{name.replace('/', '_')}{fetched.suffix}"
                files.append(_write(path, fetched.data))
        return record, files

    def _from_doi(self, doi: str) -> tuple[Metadata, list[Path]]:
        record, told = self._doi.record(doi)
        data = self._doi.pdf(doi, told)
        if data is None:
            # The preprint is the same work, and free to read.
            if name := record.arxiv or find_arxiv(doi):
                _, files = self._from_arxiv(name)
                return record, files
            return record, []
        name = re.sub(r"[^A-Za-z0-9._()-]+", "_", doi)[:120]
        return record, [_write(self._workspace.root / "files" / "doi" / f"{name}.pdf", data)]


def _write(path: Path, data: bytes) -> Path:
    if not (path.is_file() and path.read_bytes() == data):
        atomic.write_bytes(path, data)
    return path
