"""The source of a LaTeX paper as one string, from its folder or bundle and never from elsewhere."""

from __future__ import annotations

import gzip
import io
import os
import posixpath
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tui.corpus.document import Unreadable
from tui.corpus.extract import read_bytes
from tui.corpus.extract.latex_macros import group
from tui.corpus.paths import stored

LARGEST_FILE = 8 * 1024 * 1024
_LARGEST_SOURCE = 20 * 1024 * 1024
_MOST_FILES = 500
_DEEPEST = 20
# An archive's limits: arXiv takes 50 MB bundles, and TeX compresses four- to tenfold.
_ARCHIVE_BYTES = 200 * 1024 * 1024
_ARCHIVE_FILES = 5000
_ARCHIVE_RATIO = 200
_SOURCES = (".tex", ".ltx", ".latex", ".bib", ".bbl", ".sty", ".cls")

_COMMENT_LINE = re.compile(r"^[ \t]*%.*(?:\n|$)", re.MULTILINE)
# A comment right after a word eats the line's end, as TeX does; an empty line still ends a
# paragraph.
_JOINING_COMMENT = re.compile(r"(?<=[^\s\\])%.*\n[ \t]*(?=\S)")
# What may hold a percent sign that begins no comment, then the sign that begins one.
_SIGN = re.compile(
    r"\\verb\*?([^A-Za-z\s*]).*?\1|\\(?:url|path|nolinkurl|href)\s*\{[^{}]*\}|\\.|(%)"
)
_SWITCHED_OFF = re.compile(
    r"\\iffalse(?![a-zA-Z])(?:(?!\\(?:fi|if[a-z]+)(?![a-zA-Z])).){0,200000}\\fi(?![a-zA-Z])",
    re.DOTALL,
)
# A drawing between sentences: `\tikz{…}` or up to its semicolon.
_TIKZ = re.compile(r"\\tikz(?![a-zA-Z])\s*(?:\[[^\]]*\]\s*)?")
_INPUT = re.compile(
    r"\\(?:input|include|subfile|import|subimport)(?![a-zA-Z])\s*(?:\{([^{}]*)\}(?:\s*\{([^{}]*)\})?|([^\s{}\\]+))"
)
_VERBATIM = re.compile(
    r"\\begin\{(verbatim\*?|lstlisting|minted|Verbatim)\}.*?\\end\{\1\}", re.DOTALL
)
_MAIN = re.compile(r"^(?:[^%\n]|\\%)*\\document(?:class|style)\b", re.MULTILINE)


class Files(Protocol):
    """A folder or a bundle; both answer None for what is not inside."""

    def text(self, name: str) -> str | None:
        """A file's text by its relative name."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The files that were read, as stored paths."""


def decode(data: bytes) -> str:
    """TeX source: UTF-8, else Latin-1, which can hold any bytes."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


class Folder:
    """The folder of a main file; links that lead out of it are refused like `..` is."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._shown = root
        self._parts: list[str] = []

    @property
    def parts(self) -> tuple[str, ...]:
        """The files that were read, as stored paths."""
        return tuple(self._parts)

    def text(self, name: str) -> str | None:
        """A file's text by its relative name; None when it is not in the folder."""
        if not _inside(name) or len(self._parts) >= _MOST_FILES:
            return None
        path = os.path.join(self._shown, name)  # noqa: PTH118
        if os.path.commonpath([os.path.realpath(path), self._root]) != self._root:
            return None
        try:
            text = decode(read_bytes(path, LARGEST_FILE))
        except (Unreadable, ValueError):
            return None
        part = stored(os.path.normpath(path))
        if part not in self._parts:
            self._parts.append(part)
        return text

    def names(self, suffix: str) -> list[str]:
        """The files right in the folder with a suffix."""
        try:
            return sorted(name for name in os.listdir(self._root) if name.endswith(suffix))  # noqa: PTH208
        except OSError:
            return []


class Bundle:
    """An archive's sources in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    parts: tuple[str, ...] = ()

    def text(self, name: str) -> str | None:
        """A file's text by its name in the archive."""
        data = self._files.get(posixpath.normpath(name)) if _inside(name) else None
        return None if data is None else decode(data)

    def names(self, suffix: str) -> list[str]:
        """The files with a suffix."""
        return sorted(name for name in self._files if name.endswith(suffix))


def _inside(name: str) -> bool:
    """Whether a name can only mean something in the folder."""
    if not name or len(name) > 500 or "\0" in name or name.startswith(("/", "~", "|")):
        return False
    return ".." not in Path(name.replace("\\", "/")).parts


def whole(files: Files, main: str) -> str:
    """The main file with everything it inputs, without comments.

    An input that is missing, outside the folder, or deeper than any paper's is left out.
    """
    text = files.text(main)
    if text is None:
        raise Unreadable("cannot be read, or larger than 8 MB: no paper's source")
    budget = [_LARGEST_SOURCE, _MOST_FILES]
    return _expand(files, without_comments(text), posixpath.dirname(main), (main,), budget)


def _expand(files: Files, text: str, folder: str, trail: tuple[str, ...], budget: list[int]) -> str:
    budget[0] -= len(text)
    if budget[0] < 0:
        raise Unreadable("larger than 20 MB with its parts: no paper's source")
    hidden = [match.span() for match in _VERBATIM.finditer(text)]

    def replace(match: re.Match[str]) -> str:
        if any(start <= match.start() < end for start, end in hidden):
            return match[0]
        name = (match[1] or match[3] or "").strip().strip('"')
        if match[2]:
            name = posixpath.join(name, match[2].strip())
        budget[1] -= 1
        if not name or len(trail) > _DEEPEST or budget[1] < 0:
            return ""
        for candidate in _candidates(name, folder):
            if candidate in trail:
                return ""
            inner = files.text(candidate)
            if inner is not None:
                deeper = (*trail, candidate)
                return _expand(files, without_comments(inner), folder, deeper, budget)
        return ""

    return _INPUT.sub(replace, text)


def _candidates(name: str, folder: str) -> list[str]:
    names = [name] if name.endswith((".tex", ".ltx", ".bbl")) else [name + ".tex", name]
    return [posixpath.join(folder, n) for n in names] if folder else names


def without_comments(text: str) -> str:
    """Source without `%` comments; verbatim text keeps its percent signs."""
    parts, done = [], 0
    for match in _VERBATIM.finditer(text):
        parts += [_uncommented(text[done : match.start()]), match[0]]
        done = match.end()
    return "".join([*parts, _uncommented(text[done:])])


def _uncommented(text: str) -> str:
    if "%" not in text:
        return text
    text = _JOINING_COMMENT.sub("", _COMMENT_LINE.sub("", text)) if _plain_signs(text) else text
    return "\n".join(map(_line, _COMMENT_LINE.sub("", text).split("\n")))


def _plain_signs(text: str) -> bool:
    """Whether every percent sign that is not escaped begins a comment."""
    return not re.search(r"\\(?:verb|url|path|nolinkurl|href)(?![a-zA-Z])[^\n]*%", text)


def _line(line: str) -> str:
    if "%" not in line:
        return line
    for match in _SIGN.finditer(line):
        if match[2]:
            return line[: match.start()]
    return line


def undrawn(text: str) -> str:
    """Source without drawings between sentences and without what `\\iffalse` switches off."""
    text = _SWITCHED_OFF.sub("", text) if "\\iffalse" in text else text
    parts, done = [], 0
    for match in _TIKZ.finditer(text):
        if match.start() < done:
            continue
        drawn = group(text, match.end())
        end = drawn[1] if drawn else text.find(";", match.end(), match.end() + 20_000) + 1
        if end > match.end():
            parts.append(text[done : match.start()])
            done = end
    return "".join([*parts, text[done:]])


def unpack(data: bytes) -> Bundle:
    """The sources in an arXiv bundle: a gzipped tar, or one gzipped TeX file.

    Raises Unreadable for a damaged bundle, and for one larger than any paper's.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked = stream.read(_ARCHIVE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable("a damaged archive") from error
    if len(unpacked) > _ARCHIVE_BYTES:
        raise Unreadable("an archive larger than 200 MB unpacked")
    if len(unpacked) > 1024 * 1024 and len(unpacked) > len(data) * _ARCHIVE_RATIO:
        raise Unreadable("an archive packed more densely than any paper: a decompression bomb")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for count, member in enumerate(archive):
                if count >= _ARCHIVE_FILES:
                    raise Unreadable("an archive of more than 5,000 files")
                name = posixpath.normpath(member.name)
                wanted = member.isreg() and name.lower().endswith(_SOURCES) and _inside(name)
                if wanted and member.size <= LARGEST_FILE:
                    source = archive.extractfile(member)
                    files[name] = source.read(LARGEST_FILE) if source else b""
    except (tarfile.TarError, ValueError, EOFError) as error:
        if _MAIN.search(decode(unpacked[:200_000])):
            return Bundle({"main.tex": unpacked[:LARGEST_FILE]})
        raise Unreadable("an archive without a LaTeX paper") from error
    if not files:
        raise Unreadable("an archive without a LaTeX paper")
    return Bundle(files)


def main_file(bundle: Bundle) -> str:
    """The main file of a bundle: the one with a \\documentclass, by preference with an abstract."""
    best, score = "", -1
    for name in bundle.names(".tex") + bundle.names(".ltx"):
        text = bundle.text(name) or ""
        if not _MAIN.search(text) or "{standalone}" in text:
            continue
        points = 4 * ("\\begin{document}" in text) + 2 * ("\\title" in text)
        points += 2 * ("abstract" in text) + (
            posixpath.basename(name) in {"main.tex", "ms.tex", "paper.tex"}
        )
        if points > score:
            best, score = name, points
    if not best:
        raise Unreadable("an archive without a LaTeX paper")
    return best
