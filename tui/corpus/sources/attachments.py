"""Files that a library on another machine names, found on this one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tui.domain.errors import UsageError
from tui.text import visible

# `storage/ABCD2345/name.pdf`: Zotero gives every attachment a folder named by its key.
_STORED = re.compile(r"(?:^|[/\\])storage[/\\:]([A-Z0-9]{8})[/\\](.+)$")
_PARTS = re.compile(r"(?<!\\);")
_FIELDS = re.compile(r"(?<!\\):")


def named_files(value: str) -> tuple[str, ...]:
    """The paths in a BibTeX `file` field: `Title:path:type;…`, `:path:type`, or bare paths."""
    found = []
    for part in _PARTS.split(value):
        pieces = _FIELDS.split(part.strip())
        if len(pieces) >= 3:
            path = ":".join(pieces[1:-1])
        elif len(pieces) == 2 and len(pieces[0]) > 1:
            path = pieces[1]
        else:
            path = part.strip()  # a bare path, also `C:\…`
        path = re.sub(r"\\([:;,{}_&%#$ ])", r"\1", path).replace("\\\\", "\\").strip()
        if path:
            found.append(path)
    return tuple(dict.fromkeys(found))


def parse_mapping(text: str) -> tuple[str, str]:
    """`LAPTOP_FOLDER=THIS_MACHINES_FOLDER`. Raises UsageError."""
    old, sign, new = text.partition("=")
    if not sign or not old.strip() or not new.strip():
        raise UsageError(
            f"'{visible(text)}' maps no folder.",
            "Write it as --map /Users/me/Zotero=/data/zotero (the laptop's folder first).",
        )
    return _slashes(old.strip()).rstrip("/"), new.strip()


@dataclass(frozen=True, slots=True)
class FileFinder:
    """Looks paths of another machine up here.

    `storage` is a copy of Zotero's `storage` folder, `mapped` are pairs of folders there and
    here, `base` is where relative names begin: the folder of the file that names them.
    """

    base: Path | None = None
    storage: Path | None = None
    mapped: Sequence[tuple[str, str]] = ()

    def find(self, path: str, key: str = "") -> Path | None:
        """A regular file for a path (or `file:` URL) of elsewhere; `key` is the attachment's."""
        if "\0" in path:
            return None
        for candidate in self._candidates(_local(path), key):
            if found := _spelt(candidate):
                return found
        return None

    def _candidates(self, path: str, key: str) -> Iterator[Path]:
        flat = _slashes(path)
        for old, new in self.mapped:
            if flat == old or flat.startswith(f"{old}/"):
                yield Path(new).expanduser() / flat[len(old) :].lstrip("/")
        match = _STORED.search(flat)
        name = match[2] if match else flat.removeprefix("storage:").rsplit("/", 1)[-1]
        inside = ".." not in Path(name).parts and not name.startswith("/")
        for root in self._storages():
            if match and inside:
                yield root / match[1] / name
            if re.fullmatch(r"[A-Z0-9]{8}", key) and name and inside:
                yield root / key / name
        if flat.startswith("/"):
            yield Path(flat)
        elif self.base and flat and ".." not in Path(flat).parts and ":" not in flat[:9]:
            yield self.base / flat
            yield self.base / "files" / flat

    def _storages(self) -> Iterator[Path]:
        if self.storage:
            yield self.storage
            yield self.storage / "storage"
        elif self.base:
            yield self.base / "storage"


def _local(path: str) -> str:
    if not path.startswith("file:"):
        return path
    flat = unquote(path.removeprefix("file:"))
    flat = "/" + flat.lstrip("/").removeprefix("localhost/")
    return flat[1:] if re.match(r"/[A-Za-z]:/", flat) else flat


def _slashes(path: str) -> str:
    return path.replace("\\", "/") if re.match(r"[A-Za-z]:[\\/]|\\\\", path) else path


def _spelt(path: Path) -> Path | None:
    """The file under this name, or under the same name with its accents composed otherwise:
    laptops and servers do not agree on that."""
    for form in ("NFC", "NFD"):
        try:
            candidate = Path(unicodedata.normalize(form, str(path)))
            if candidate.is_file():
                return candidate.absolute()
        except (OSError, ValueError):
            continue
    return None
