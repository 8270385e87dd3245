"""What datasets need of the corpus; `tui.corpus.Corpus` is it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tui.domain.paper import Paper, Passage


class Library(Protocol):
    """Papers, their text, and whether words stand in it."""

    def papers(
        self, query: str = "", *, limit: int | None = None, offset: int = 0
    ) -> Sequence[Paper]:
        """Papers that match, without sections."""
        ...

    def paper(self, paper_id: str) -> Paper:
        """One paper with its sections; raises NotFoundError."""
        ...

    def resolve(self, name: str) -> Paper:
        """The paper of an id, DOI, arXiv id, exact title or file name; raises NotFoundError."""
        ...

    def text(self, paper_id: str) -> str:
        """A paper's normalised text, which section offsets point into."""
        ...

    def passages(self, paper_id: str) -> Sequence[Passage]:
        """A paper's passages in order."""
        ...

    def passage(self, passage_id: str) -> Passage:
        """One passage; raises NotFoundError."""
        ...

    def find_quote(self, quote: str, paper: str | None = None) -> Passage | None:
        """The passage that holds the quote, exactly but for spaces, case and typography."""
        ...
