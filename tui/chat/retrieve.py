"""Finding the passages that a question should be answered from.

Words and meaning each miss what the other finds, so the search index's ranking and that of the
vectors are fused by reciprocal rank (Cormack et al., 2009); where nothing is embedded, words alone
rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tui.corpus import Corpus
from tui.corpus.vectors import VectorStore
from tui.domain.errors import NotFoundError
from tui.domain.paper import Passage

# Passages looked at per question and ranking, and how many of them one paper may hold: an answer
# that rests on several papers needs sources of several.
CANDIDATES = 30
TOP = 5
PER_PAPER = 3
# The constant of reciprocal rank fusion, as in the paper that proposed it.
_FUSION = 60


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its place in the search result (0 is best)."""

    rank: int
    title: str
    passage: Passage


class Retriever:
    """Ranks passages for a question by words and, where there are vectors, by meaning."""

    def __init__(self, corpus: Corpus, vectors: VectorStore | None = None) -> None:
        self._corpus = corpus
        self.vectors = vectors

    def find(
        self,
        question: str,
        *,
        papers: Collection[str] | None = None,
        top: int = TOP,
        per_paper: int = PER_PAPER,
        vector: Sequence[float] | None = None,
        without: Collection[str] = (),
    ) -> list[Ranked]:
        """The `top` passages for `question`, best first.

        At most `per_paper` of one paper come before those of others. `vector` is the question's
        own; `without` are passages that are not wanted.
        """
        wide = max(CANDIDATES, 2 * top)
        by_words = [
            hit.passage
            for hit in self._corpus.search(question, limit=wide, papers=papers)
            if hit.passage
        ]
        rankings = [by_words]
        if vector is not None and self.vectors is not None:
            rankings.append([name for name, _ in self.vectors.search(vector, wide, papers)])
        fused = [name for name in fuse(rankings) if name not in without]
        return self._ranked(diverse(fused, top, per_paper))

    def _ranked(self, names: Sequence[str]) -> list[Ranked]:
        found: list[Ranked] = []
        titles: dict[str, str] = {}
        for name in names:
            try:
                passage = self._corpus.passage(name)
                if passage.paper not in titles:
                    titles[passage.paper] = self._corpus.paper(passage.paper).title
            except NotFoundError:
                continue  # removed while we were searching
            found.append(Ranked(len(found), titles[passage.paper], passage))
        return found


def fuse(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Several rankings as one, by the sum of reciprocal ranks; a single one stays as it is."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking):
            scores[name] = scores.get(name, 0.0) + 1.0 / (_FUSION + rank)
    return sorted(scores, key=lambda name: -scores[name])


def diverse(names: Sequence[str], top: int, per_paper: int) -> list[str]:
    """The first `top` passages, those beyond `per_paper` of one paper only where none else is."""
    taken: Counter[str] = Counter()
    first: list[str] = []
    rest: list[str] = []
    for name in names:
        paper = name.rpartition("#")[0]
        (first if taken[paper] < per_paper else rest).append(name)
        taken[paper] += 1
    return (first + rest)[:top]
