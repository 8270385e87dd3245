"""The Hugging Face hub over plain HTTP: what a repository holds, and its files.

Routes: `GET /api/models/{repo}/revision/{revision}?blobs=true` lists the files with their sizes
and checksums, `GET /{repo}/resolve/{commit}/{file}` gives one, with byte ranges. `HF_ENDPOINT`
names another hub (a mirror), `HF_TOKEN` opens what needs an account; the token never follows a
redirect to another host.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tui.domain.errors import MissingError, NotFoundError, PapertuneError
from tui.engine.models.errors import ChecksumError, PullError
from tui.engine.models.wanted import Reference
from tui.engine.models.wheel import StoppedError
from tui.text import clean, shorten, visible

DEFAULT_ENDPOINT = "https://huggingface.co"
_ATTEMPTS = 4
_TIMEOUT = httpx.Timeout(60, connect=20)


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository; large files have a `sha256`, all a git `blob` id."""

    name: str
    size: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True)
class Repository:
    """What a repository holds at one commit."""

    repo: str
    commit: str
    license: str
    files: tuple[HubFile, ...]

    def file(self, name: str) -> HubFile:
        """One file by its name."""
        return next(file for file in self.files if file.name == name)


class Hub:
    """A connection to the hub; use it as a context."""

    def __init__(self, endpoint: str | None = None) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        token = os.environ.get("HF_TOKEN", "").strip()
        self._client = httpx.Client(
            base_url=self.endpoint,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT,
            follow_redirects=True,
        )

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def repository(self, reference: Reference) -> Repository:
        """The files of a repository; raises PullError, NotFoundError or MissingError (a token)."""
        path = f"/api/models/{reference.repo}/revision/{reference.revision}"
        try:
            answer = self._client.get(path, params={"blobs": "true"})
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.status_code != 200:
            raise self._refusal(answer, reference)
        try:
            return _repository(reference.repo, answer.json())
        except (ValueError, KeyError, TypeError) as error:
            raise PullError(
                f"{self.endpoint} does not answer as the hub does.", "Look at HF_ENDPOINT."
            ) from error

    def fetch(
        self,
        repository: Repository,
        file: HubFile,
        target: Path,
        on_bytes: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Bring one file to `target`, checked; a part that an earlier attempt left is continued.

        Raises ChecksumError, PullError without a network, StoppedError when `cancelled` says so.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        for attempt in range(_ATTEMPTS):
            have = partial.stat().st_size if partial.is_file() else 0
            if have == file.size and (have or attempt):
                break
            try:
                self._receive(repository, file, partial, have, on_bytes, cancelled)
            except httpx.HTTPError as error:
                if attempt == _ATTEMPTS - 1:
                    raise self._unreachable(error) from error
        if not _is_whole(partial, file):
            partial.unlink(missing_ok=True)
            raise ChecksumError(
                f"{visible(file.name)} is not the file that the hub names; it was not kept.",
                "Pull again; if it stays so, the mirror or the connection changes it.",
            )
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(target)

    def _receive(
        self,
        repository: Repository,
        file: HubFile,
        partial: Path,
        have: int,
        on_bytes: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        if have > file.size:
            have = 0
        headers = {"range": f"bytes={have}-"} if have else {}
        # What is counted is what lies in the file, so nothing may be packed on the way.
        headers["accept-encoding"] = "identity"
        url = f"/{repository.repo}/resolve/{repository.commit}/{file.name}"
        with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code not in (200, 206):
                answer.read()
                raise self._refusal(answer, Reference(repository.repo))
            resumed = answer.status_code == 206
            done = have if resumed else 0
            with partial.open("ab" if resumed else "wb") as out:
                for chunk in answer.iter_bytes():
                    if cancelled():
                        raise StoppedError
                    done += len(chunk)
                    if done > file.size:
                        raise ChecksumError(
                            f"{visible(file.name)} is longer than the hub says.", "Pull again."
                        )
                    out.write(chunk)
                    on_bytes(done)

    def _refusal(self, answer: httpx.Response, reference: Reference) -> PapertuneError:
        name = f"{reference.repo}@{reference.revision}"
        kind = answer.headers.get("x-error-code", "")
        if kind == "GatedRepo" or answer.status_code == 403:
            return MissingError(
                f"{reference.repo} is open only to those who accepted its terms.",
                f"Accept them at {self.endpoint}/{reference.repo}, then set HF_TOKEN.",
            )
        if answer.status_code in (401, 404):
            return NotFoundError(
                f"The hub has no {name}, or it is private.",
                "Check the name; for a private one set HF_TOKEN.",
            )
        if answer.status_code == 429:
            return PullError("The hub asks for patience (429).", "Pull again later: it goes on.")
        said = shorten(clean(answer.text), 120) if answer.is_closed else ""
        return PullError(f"The hub answered {answer.status_code} for {name}. {said}".strip())

    def _unreachable(self, error: Exception) -> PullError:
        return PullError(
            f"{self.endpoint} cannot be reached: {shorten(visible(str(error)), 120)}.",
            "Check the network, or name a mirror with HF_ENDPOINT. Pulling again goes on.",
        )


def _repository(repo: str, document: dict[str, Any]) -> Repository:
    files = []
    for entry in document["siblings"]:
        lfs = entry.get("lfs") or {}
        size = int(lfs.get("size", entry.get("size") or 0))
        name = str(entry["rfilename"])
        files.append(HubFile(name, size, str(lfs.get("sha256") or ""), str(entry.get("blobId"))))
    found = (document.get("cardData") or {}).get("license") or ""
    return Repository(repo, _commit(str(document["sha"])), _license(found), tuple(files))


def _commit(sha: str) -> str:
    if len(sha) != 40 or not all(digit in "0123456789abcdef" for digit in sha):
        raise ValueError(sha)
    return sha


def _license(found: Any) -> str:
    names = found if isinstance(found, list) else [found]
    return shorten(visible(", ".join(str(name) for name in names)), 100)


def _is_whole(path: Path, file: HubFile) -> bool:
    """Whether a file is what the hub names: by SHA-256, small ones by the id that git gives them.

    Git's id is the SHA-1 of `blob <size>\\0` and the content.
    """
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as content:
        if file.sha256:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
        digest = hashlib.sha1(b"blob %d\0" % file.size + content.read(), usedforsecurity=False)
        return digest.hexdigest() == file.blob
