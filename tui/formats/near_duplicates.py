"""Near-duplicates: MinHash over three-word shingles proposes, the exact Jaccard index decides.

Documents are taken in batches and only their band hashes kept (80 bytes each), so a file of a
million lines fits; the caller fetches a text again when a pair has to be confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

THRESHOLD = 0.7
# 20 bands of 4 rows: a pair is proposed with a chance of 0.996 at a similarity of 0.7 and of
# 1 - 1e-9 at 0.9.
_BANDS = 20
_ROWS = 4
_SEED = 42
# How many unlike documents of one bucket each document is compared with: a bucket of texts that
# share a long preamble must not cost the square of its size.
_COMPARED = 32
# Scripts without spaces: each sign counts as a word.
_SIGNS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(f"[{_SIGNS}]|[^\\W{_SIGNS}]+")

Shingles = frozenset[str]


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two documents, by their positions, that say nearly the same; `first` came first."""

    first: int
    second: int
    similarity: float


def words(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return _WORD.findall(text.casefold())


def shingles(text: str) -> Shingles:
    """All runs of three words; the whole text where there are fewer."""
    found = words(text)
    if len(found) < 3:
        return frozenset((" ".join(found),))
    return frozenset(map(" ".join, zip(found, found[1:], found[2:], strict=False)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared parts over all parts, from 0 to 1."""
    union = len(a | b)
    return len(a & b) / union if union else 1.0


def alike(prompt: str, other: str) -> bool:
    """Whether two prompts ask the same in nearly the same words.

    Several wordings of one fact share an answer on purpose, which brings the whole texts near one
    another; only like prompts make them near-duplicates. An edited word in a prompt of five still
    counts as alike.
    """
    return jaccard(frozenset(words(prompt)), frozenset(words(other))) >= 0.6


class NearDuplicates:
    """Collects documents and tells which say nearly the same as an earlier one."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self._batches: list[npt.NDArray[np.uint32]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, texts: Sequence[str]) -> None:
        """Take the next documents; positions count on from those before."""
        if not texts:
            return
        sets = [list(shingles(text)) for text in texts]
        matrix = RMinHash.digest_matrix_from_token_sets(sets, _BANDS * _ROWS, _SEED)
        rows = np.asarray(matrix.to_rows(), dtype=np.uint64).reshape(len(texts), _BANDS, _ROWS)
        factors = np.array([1, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9])
        bands = (rows * factors.astype(np.uint64)).sum(axis=2, dtype=np.uint64)
        self._batches.append((bands >> np.uint64(32)).astype(np.uint32))
        self._count += len(texts)

    def pairs(
        self,
        fetch: Callable[[int], str],
        same: Callable[[NearPair], bool] | None = None,
    ) -> list[NearPair]:
        """Each document that is near an earlier one, with the earlier one, in order.

        `fetch` gives a document's text again; `same` may refuse a pair whose texts are near.
        """
        if not self._count:
            return []
        bands = np.concatenate(self._batches)
        cache: dict[int, Shingles] = {}
        found: dict[int, NearPair] = {}
        refused: set[tuple[int, int]] = set()
        for bucket in _buckets(bands):
            self._compare(bucket, found, refused, cache, fetch, same)
            if len(cache) > 20_000:
                cache.clear()
        return [found[position] for position in sorted(found)]

    def _compare(
        self,
        bucket: Sequence[int],
        found: dict[int, NearPair],
        refused: set[tuple[int, int]],
        cache: dict[int, Shingles],
        fetch: Callable[[int], str],
        same: Callable[[NearPair], bool] | None,
    ) -> None:
        def parts(position: int) -> Shingles:
            if position not in cache:
                cache[position] = shingles(fetch(position))
            return cache[position]

        apart: list[int] = []
        for position in bucket:
            if position in found:
                continue
            for other in apart[-_COMPARED:]:
                if (other, position) in refused:
                    continue
                similarity = jaccard(parts(other), parts(position))
                pair = NearPair(other, position, similarity)
                if similarity >= self.threshold and (same is None or same(pair)):
                    found[position] = pair
                    break
                refused.add((other, position))
            else:
                apart.append(position)


def _buckets(bands: npt.NDArray[np.uint32]) -> Iterable[list[int]]:
    """The groups of documents that share a band, each in rising order."""
    for band in range(bands.shape[1]):
        column = bands[:, band]
        order = np.argsort(column, kind="stable")
        edges = np.flatnonzero(np.diff(column[order])) + 1
        starts = np.concatenate(([0], edges))
        ends = np.concatenate((edges, [len(order)]))
        for group in np.flatnonzero(ends - starts > 1):
            yield order[starts[group] : ends[group]].tolist()


def near_pairs(
    texts: Sequence[str],
    threshold: float = THRESHOLD,
    same: Callable[[NearPair], bool] | None = None,
) -> list[NearPair]:
    """The near-duplicates among `texts`, held in memory; `same` as in `NearDuplicates.pairs`."""
    finder = NearDuplicates(threshold)
    for start in range(0, len(texts), 5_000):
        finder.add(texts[start : start + 5_000])
    return finder.pairs(texts.__getitem__, same)
