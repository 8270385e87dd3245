"""Frozen versions of datasets: finding them, reading them, comparing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tui.datasets import frozen
from tui.datasets.diff import DatasetDiff, diff
from tui.datasets.freeze import CARD, PageOf
from tui.datasets.shelf import Shelf
from tui.domain.errors import NotFoundError, UsageError
from tui.domain.example import Example, Kind, Role, Version
from tui.text import shorten

# Not RETRIEVAL: it brings its sources along, which the arms of an evaluation bring themselves.
_ASKED = (Kind.QA, Kind.CONVERSATION, Kind.SUMMARY)

Versions = list[Version]
Examples = list[Example]


class VersionShelf(Shelf):
    """The immutable side of the datasets."""

    def _papers_of(self, examples: Sequence[Example]) -> Sequence[dict[str, Any]]:
        counts = Counter(example.paper for example in examples if example.paper)
        away = {e.paper for e in examples if e.role and e.role.is_transfer}
        found = []
        for paper_id, count in sorted(counts.items()):
            try:
                paper = self._corpus.paper(paper_id)
            except NotFoundError:
                title, sha256 = "", ""
            else:
                title, sha256 = shorten(paper.title, 200), paper.text_sha256
            found.append(
                {
                    "id": paper_id,
                    "title": title,
                    "text_sha256": sha256,
                    "examples": count,
                    "transfer": paper_id in away,
                }
            )
        return found

    def _page_of(self) -> PageOf:
        @lru_cache(maxsize=100_000)
        def page(passage: str) -> int:
            try:
                return self._corpus.passage(passage).page
            except NotFoundError:
                return 0

        return page

    def versions(self, name: str) -> Versions:
        """Frozen versions, oldest first."""
        folder = self._folder(name)
        return [frozen.read_version(folder, name, number) for number in frozen.versions(folder)]

    def version(self, name: str) -> Version:
        """A frozen version by `name` (the newest) or `name@v2`.

        Raises NotFoundError when there is no such version, MissingError when there is none at all.
        """
        plain, number = _parse(name)
        folder = self._folder(plain)
        if number is None:
            if not folder.is_dir():
                self._store.require(plain)
            return frozen.newest(folder, plain)
        return frozen.read_version(folder, plain, number)

    def file(self, version: Version, key: str) -> Path:
        """Where a file of a version lies, e.g. `train.messages`; raises NotFoundError."""
        if key not in version.files:
            raise NotFoundError(
                f"{version.name} has no file '{key}'.", f"It has: {', '.join(version.files)}."
            )
        return Path(version.files[key].path)

    def card(self, version: Version) -> str:
        """The card that was written with a version, in Markdown; raises NotFoundError."""
        path = self._folder(version.dataset) / f"v{version.version}" / CARD
        try:
            return path.read_text(encoding="utf-8")
        except OSError:
            raise NotFoundError(
                f"{version.name} has lost its card.", f"It was written to {path}."
            ) from None

    def frozen(self, version: Version, *roles: Role) -> Examples:
        """The examples of a version as they were frozen, of the named roles or of all."""
        folder = self._folder(version.dataset)
        return frozen.frozen_examples(folder, version.version, roles or tuple(Role))

    def test_items(self, version: Version, role: Role) -> Examples:
        """The questions of a role in a version, with what a right answer holds."""
        return [e for e in self.frozen(version, role) if e.kind in _ASKED and e.question]

    def diff(self, name: str, a: int, b: int) -> DatasetDiff:
        """What changed from version `a` to version `b`."""
        folder = self._folder(name)
        before, after = (frozen.frozen_examples(folder, number) for number in (a, b))
        return diff(name, a, before, b, after)


def _parse(name: str) -> tuple[str, int | None]:
    plain, at, number = name.partition("@")
    if not at:
        return plain, None
    digits = number.removeprefix("v")
    if not digits.isascii() or not digits.isdigit():
        raise UsageError(f"'{shorten(name, 80)}' names no version.", "Write it like answers@v2.")
    return plain, int(digits)
