"""DOIs: the record from whoever registered them, and a PDF where one is free to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from tui.corpus.document import Metadata
from tui.corpus.sources import csl
from tui.corpus.sources.web import DAY, Service, Web
from tui.domain.errors import NotFoundError, PapertuneError
from tui.text import visible

_CSL = "application/vnd.citationstyles.csl+json"
_LARGEST_FILE = 200 * 1024 * 1024
_MOST_TRIED = 3


class Doi:
    """Asks the DOI system (content negotiation: CSL JSON) and, given a contact, Unpaywall."""

    def __init__(self, web: Web, base: str, unpaywall: str, contact: str) -> None:
        self._web = web
        self._service = Service("The DOI system", base)
        self._unpaywall = Service("Unpaywall", unpaywall)
        self._contact = contact

    def record(self, doi: str) -> tuple[Metadata, Any]:
        """A work's record, and all that was told. Raises NotFoundError for an unknown DOI."""
        url = f"{self._service.base}/{quote(doi, safe='/()')}"
        told = _json(self._web.get(self._service, url, headers={"Accept": _CSL}, fresh=DAY).body)
        entries = csl.entries(told)
        if not entries or entries[0].problem:
            raise NotFoundError(f"No record of doi:{visible(doi)} was found.", "Check the DOI.")
        return entries[0].metadata, told

    def pdf(self, doi: str, told: Any) -> bytes | None:
        """A PDF that anybody may read; None where none is known or none of them is one."""
        for url in list(dict.fromkeys(self._places(doi, told)))[:_MOST_TRIED]:
            host = urlsplit(url).hostname or ""
            service = Service(host, url)
            try:
                answer = self._web.get(service, url, fresh=30 * DAY, limit=_LARGEST_FILE)
            except PapertuneError:
                continue  # a publisher's wall: the record is kept, the next place is tried
            if b"%PDF-" in answer.body[:1024]:
                return answer.body
        return None

    def _places(self, doi: str, told: Any) -> Iterator[str]:
        if self._contact:
            url = f"{self._unpaywall.base}/v2/{quote(doi, safe='/()')}?email={quote(self._contact)}"
            try:
                answer = self._web.get(self._unpaywall, url, fresh=7 * DAY)
                best = _json(answer.body).get("best_oa_location") or {}
                yield from _urls(best.get("url_for_pdf"))
            except (PapertuneError, AttributeError):
                pass  # the record stands without it
        links = told.get("link") if isinstance(told, dict) else None
        for link in links if isinstance(links, list) else ():
            if isinstance(link, dict) and link.get("content-type") == "application/pdf":
                yield from _urls(link.get("URL"))


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str) and urlsplit(value).scheme in ("http", "https"):
        yield value


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PapertuneError("The answer was no JSON.", "Try again later.") from error
