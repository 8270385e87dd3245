"""Zotero libraries: the web API, the API of a running Zotero, and what both have in common."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from tui.corpus.service import Corpus
from tui.corpus.sources.attachments import FileFinder
from tui.corpus.sources.csl import words
from tui.corpus.sources.intake import Arrival, ImportReport, take
from tui.corpus.sources.settings import SourceSettings
from tui.corpus.sources.web import Answer, Service, Web
from tui.corpus.sources.zotero_items import Attachment, Item, items
from tui.domain.errors import MissingError, NotFoundError, PapertuneError, UsageError
from tui.domain.paper import Failure
from tui.settings import SecretStr
from tui.storage import atomic
from tui.storage.workspace import Workspace
from tui.text import visible

_PAGE = 100
_MOST_PAGES = 5000
_RESTARTS = 3
_LARGEST_FILE = 500 * 1024 * 1024
KEY_NAME = "zotero"


@dataclass(slots=True)
class _Library:
    """Where a library is asked for: `prefix` is `users/1` or `groups/2`."""

    service: Service
    prefix: str
    headers: dict[str, str] = field(default_factory=dict)
    local: bool = False

    @property
    def source(self) -> str:
        return f"zotero:{'local' if self.local else 'web'}:{self.prefix}"


class Zotero:
    """Reads libraries into a workspace; the second time asks for what is new only."""

    def __init__(
        self,
        workspace: Workspace,
        corpus: Corpus,
        settings: SourceSettings,
        key: Callable[[], SecretStr | None],
        *,
        web: Web | None = None,
    ) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._settings = settings
        self._key = key
        self._web = web or Web(settings.contact)

    def read(
        self,
        *,
        group: str = "",
        local: bool = False,
        finder: FileFinder | None = None,
        everything: bool = False,
        on_step: Callable[[str], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ImportReport:
        """Read a person's library, or that of a `group` (its number).

        `local` asks the Zotero that runs on this machine or at the other end of an SSH tunnel;
        its files are looked for by `finder`. `everything` starts over. Raises MissingError
        without a key or a network.
        """
        if group and not group.isdigit():
            raise UsageError(f"'{visible(group)}' is no group's number.", "Its URL names it.")
        try:
            library = self._local(group) if local else self._remote(group)
            since = 0 if everything else self._since(library)
            version, found = self._changed(library, since, on_step)
            report = self._take(library, found, finder or FileFinder(), on_step, cancelled)
            # What failed to come is asked for again next time.
            if not cancelled() and not report.failed:
                self._remember(library, version)
            return report
        finally:
            self._web.close()

    def _remote(self, group: str) -> _Library:
        key = self._key()
        if key is None:
            raise MissingError(
                "There is no key for Zotero.",
                "Make one that may read at zotero.org/settings/keys, then: "
                "export PAPERTUNE_KEY_ZOTERO=KEY, or store it in credentials.toml as zotero",
            )
        service = Service("Zotero", self._settings.zotero, 0.2)
        headers = {"Zotero-API-Version": "3", "Authorization": f"Bearer {key.reveal()}"}
        if group:
            return _Library(service, f"groups/{group}", headers)
        told = _object(self._web.get(service, f"{service.base}/keys/current", headers=headers))
        user = words(told.get("userID"))
        if not user.isdigit():
            raise PapertuneError(
                "Zotero did not say whose key this is.", "Make a new one that may read the library."
            )
        return _Library(service, f"users/{user}", headers)

    def _local(self, group: str) -> _Library:
        service = Service("The Zotero on this machine", self._settings.zotero_local, 0.0)
        prefix = f"groups/{group}" if group else "users/0"
        return _Library(service, prefix, {"Zotero-API-Version": "3"}, local=True)

    def _changed(
        self, library: _Library, since: int, on_step: Callable[[str], None]
    ) -> tuple[int, list[Item]]:
        """The library's version and what changed since; begun anew when it changes meanwhile."""
        for _ in range(_RESTARTS):
            names = _collections(self._pages(library, "collections", 0, on_step))
            versions: set[int] = set()
            documents: list[Any] = []
            for version, page in self._pages(library, "items", since, on_step):
                versions.add(version)
                documents += page
            if len(versions) <= 1:
                break
        return min(versions, default=since), items(documents, names)

    def _pages(
        self, library: _Library, what: str, since: int, on_step: Callable[[str], None]
    ) -> Iterator[tuple[int, list[Any]]]:
        base = f"{library.service.base}/{library.prefix}/{what}"
        url = f"{base}?format=json&limit={_PAGE}" + (f"&since={since}" if since else "")
        headers = dict(library.headers)
        if since:
            headers["If-Modified-Since-Version"] = str(since)
        done = 0
        for _ in range(_MOST_PAGES):
            answer = self._get(library, url, headers)
            if answer.status == 304:
                return
            page = _list(answer)
            done += len(page)
            total = answer.headers.get("total-results", "")
            on_step(f"{what}: {done}" + (f" of {total}" if total.isdigit() else ""))
            version = answer.headers.get("last-modified-version", "")
            yield int(version) if version.isdigit() else 0, page
            following = _next(answer.headers.get("link", ""), url)
            if not following or not page:
                return
            url = following
            # Only the first page may be answered by "nothing is new".
            headers.pop("If-Modified-Since-Version", None)

    def _get(self, library: _Library, url: str, headers: Mapping[str, str]) -> Answer:
        try:
            return self._web.get(library.service, url, headers=headers, accept=(304,))
        except MissingError as error:
            if not library.local:
                raise
            raise MissingError(
                f"No Zotero answers at {library.service.base}.",
                "Start Zotero and allow other applications to talk to it (Settings, Advanced); "
                "for one on your laptop: ssh -R 23119:localhost:23119 THIS_MACHINE",
            ) from error

    def _take(
        self,
        library: _Library,
        found: list[Item],
        finder: FileFinder,
        on_step: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> ImportReport:
        added = updated = 0
        failures: list[Failure] = []
        missing: list[Failure] = []
        paths: list[Path] = []
        for number, item in enumerate(found, 1):
            if cancelled():
                break
            if item.entry.problem and not item.attachments:
                failures.append(Failure(visible(item.key), item.entry.problem))
                continue
            on_step(f"{number} of {len(found)}: {visible(item.entry.metadata.title)[:60]}")
            files, lost, broken = self._files(library, item, finder)
            missing += lost
            if broken:
                failures += broken
                continue
            metadata = item.entry.metadata
            tags = tuple(dict.fromkeys([*metadata.tags, *item.collections]))
            arrival = Arrival(
                f"{library.source}:{item.key}", replace(metadata, tags=tags), tuple(files)
            )
            if not metadata.title and not files and not self._knows(arrival.source):
                updated += 1  # only files that are not here changed
                continue
            with self._workspace.transaction() as db:
                _, made = take(db, arrival)
            added += made
            updated += not made
            paths += files
        unread = self._corpus.add(paths).failures if paths else ()
        done = added + updated + len(failures)
        return ImportReport(
            done, added, updated, len(failures), self._corpus.totals().papers, tuple(failures),
            len(paths) - len(unread), tuple(missing), unread,
        )  # fmt: skip

    def _knows(self, source: str) -> bool:
        query = "SELECT 1 FROM said WHERE source = ?"
        return self._workspace.connection().execute(query, (source,)).fetchone() is not None

    def _files(
        self, library: _Library, item: Item, finder: FileFinder
    ) -> tuple[list[Path], list[Failure], list[Failure]]:
        """An item's files: found here or fetched; those that are nowhere; those that failed."""
        files: list[Path] = []
        missing: list[Failure] = []
        broken: list[Failure] = []
        for attached in item.attachments:
            path = finder.find(attached.path or attached.name, attached.key)
            if path is None and not library.local:
                try:
                    path = self._download(library, attached)
                except MissingError:
                    raise
                except NotFoundError:
                    path = None  # kept on the laptop only
                except PapertuneError as error:
                    broken.append(Failure(visible(attached.name), str(error)))
                    continue
            if path is None:
                reason = "not on this machine; name a copy of Zotero's storage with --storage"
                missing.append(Failure(visible(attached.path or attached.name), reason))
            else:
                files.append(path)
        return files, missing, broken

    def _download(self, library: _Library, attached: Attachment) -> Path:
        folder = self._workspace.root / "files" / "zotero" / library.prefix.replace("/", "-")
        name = re.sub(r"[^\w.() -]+", "_", attached.name).strip(". ")[-120:] or "file"
        path = folder / re.sub(r"[^A-Z0-9]", "", attached.key)[:8] / name
        if path.is_file() and attached.md5 and _md5(path.read_bytes()) == attached.md5:
            return path
        url = f"{library.service.base}/{library.prefix}/items/{quote(attached.key)}/file"
        answer = self._web.get(library.service, url, headers=library.headers, limit=_LARGEST_FILE)
        if attached.md5 and _md5(answer.body) != attached.md5:
            raise PapertuneError(
                f"{visible(attached.name)} came damaged from Zotero.", "Run the same command again."
            )
        atomic.write_bytes(path, answer.body)
        return path

    def _since(self, library: _Library) -> int:
        row = (
            self._workspace.connection()
            .execute("SELECT version FROM library_state WHERE source = ?", (library.source,))
            .fetchone()
        )
        return int(row[0]) if row else 0

    def _remember(self, library: _Library, version: int) -> None:
        with self._workspace.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO library_state VALUES (?,?,?)",
                (library.source, version, time.time()),
            )


def _collections(pages: Iterator[tuple[int, list[Any]]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for _, page in pages:
        for document in page:
            data = document.get("data", document) if isinstance(document, Mapping) else {}
            if isinstance(data, Mapping) and words(data.get("name")):
                names[words(data.get("key"))] = words(data.get("name"))
    return names


def _next(link: str, url: str) -> str:
    """The following page; a link to another host would be sent our key."""
    match = re.search(r'<([^<>]+)>\s*;\s*rel="?next"?', link)
    following = urljoin(url, match[1]) if match else ""
    return following if urlsplit(following)[:2] == urlsplit(url)[:2] else ""


def _list(answer: Answer) -> list[Any]:
    found = _decoded(answer)
    if not isinstance(found, list):
        raise PapertuneError("Zotero's answer is no list.", "Try again later.")
    return found


def _object(answer: Answer) -> Mapping[str, Any]:
    found = _decoded(answer)
    if not isinstance(found, Mapping):
        raise PapertuneError("Zotero's answer makes no sense.", "Try again later.")
    return found


def _decoded(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PapertuneError("Zotero's answer is no JSON.", "Try again later.") from error


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
