"""arXiv: a paper's record, source and PDF, as its API's manual describes them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from urllib.parse import quote

from tui.corpus.document import Metadata
from tui.corpus.identity import find_doi
from tui.corpus.sources.csl import words, year_of
from tui.corpus.sources.web import DAY, Answer, Service, Web
from tui.domain.errors import NotFoundError, PapertuneError
from tui.text import visible

# arXiv asks for no more than one request in three seconds and one connection at a time.
EVERY_SECONDS = 3.0
_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_LARGEST_FILE = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as it came, with the ending that its content has."""

    data: bytes
    suffix: str


class Arxiv:
    """Asks arXiv; `identifier` is as `identity.find_arxiv` gives it, maybe with a version."""

    def __init__(self, web: Web, base: str, every: float = EVERY_SECONDS) -> None:
        self._web = web
        self._service = Service("arXiv", base, every)

    def record(self, identifier: str) -> Metadata:
        """A paper's record. Raises NotFoundError for an identifier that arXiv does not know."""
        url = f"{self._service.base}/api/query?id_list={quote(identifier)}&max_results=1"
        answer = self._web.get(self._service, url, fresh=DAY, accept=(400,))
        return _record(answer, identifier)

    def source(self, identifier: str) -> Fetched | None:
        """The TeX source; None where the paper came as a PDF only."""
        url = f"{self._service.base}/src/{quote(identifier)}"
        try:
            answer = self._web.get(self._service, url, fresh=30 * DAY, limit=_LARGEST_FILE)
        except NotFoundError:
            return None
        return Fetched(answer.body, ".tar.gz") if answer.body[:2] == b"\x1f\x8b" else None

    def pdf(self, identifier: str) -> Fetched | None:
        """The PDF; None where arXiv has none."""
        url = f"{self._service.base}/pdf/{quote(identifier)}"
        try:
            answer = self._web.get(self._service, url, fresh=30 * DAY, limit=_LARGEST_FILE)
        except NotFoundError:
            return None
        return Fetched(answer.body, ".pdf") if b"%PDF-" in answer.body[:1024] else None


def _record(answer: Answer, identifier: str) -> Metadata:
    try:
        if re.search(rb"<!(?:DOCTYPE|ENTITY)", answer.body[:4096]):
            raise ET.ParseError("a document type")
        root = ET.fromstring(answer.body)
    except ET.ParseError as error:
        raise PapertuneError(
            f"arXiv's answer for {visible(identifier)} could not be read.", "Try again later."
        ) from error
    entry = root.find(f"{_ATOM}entry")
    name = words(entry.findtext(f"{_ATOM}id")) if entry is not None else ""
    title = words(entry.findtext(f"{_ATOM}title")) if entry is not None else ""
    if entry is None or "api/errors" in name or not title:
        raise NotFoundError(
            f"arXiv has no paper '{visible(identifier)}'.",
            "Identifiers look like 2401.01234 or hep-th/9901001.",
        )
    authors = tuple(
        told for a in entry.iter(f"{_ATOM}author") if (told := words(a.findtext(f"{_ATOM}name")))
    )
    return Metadata(
        title=title,
        authors=authors,
        year=year_of(entry.findtext(f"{_ATOM}published")),
        venue=words(entry.findtext(f"{_ARXIV}journal_ref")),
        doi=find_doi(words(entry.findtext(f"{_ARXIV}doi"))),
        arxiv=re.sub(r"v\d+$", "", identifier),
        abstract=words(entry.findtext(f"{_ATOM}summary")),
    )
