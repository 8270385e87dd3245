"""Which papers a question is asked of: all, those of a tag or a query, a selection, one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tui.corpus import Corpus
from tui.domain.errors import NotFoundError, UsageError
from tui.text import shorten, visible

_MOST = 5000
_KINDS = ("all", "tag", "query", "papers", "paper")


@dataclass(frozen=True, slots=True)
class Scope:
    """`all`, `tag:NAME`, `query:WORDS`, `paper:ID` or `papers:ID,ID,…`, as `--scope` takes it."""

    kind: str = "all"
    value: str = ""

    @staticmethod
    def parse(text: str) -> Scope:
        """Read what a person typed; anything without a known prefix names one paper."""
        kind, colon, value = text.strip().partition(":")
        if not colon and kind in ("", "all"):
            return Scope()
        if colon and kind in _KINDS[1:]:
            if not value.strip():
                raise UsageError(
                    f"'{visible(text)}' names nothing after the colon.",
                    "Write all, tag:NAME, query:WORDS, paper:ID or papers:ID,ID.",
                )
            return Scope(kind, value.strip())
        return Scope("paper", text.strip())

    @staticmethod
    def of(papers: Iterable[str]) -> Scope:
        """The scope of some papers; of none it is all of them."""
        ids = list(papers)
        if not ids:
            return Scope()
        return Scope("paper", ids[0]) if len(ids) == 1 else Scope("papers", ",".join(ids))

    def papers(self, corpus: Corpus) -> frozenset[str] | None:
        """The papers' ids, None for all. Raises NotFoundError where there are none."""
        if self.kind == "all":
            return None
        if self.kind == "paper":
            return frozenset({corpus.resolve(self.value).id})
        if self.kind == "papers":
            return frozenset(
                corpus.resolve(name.strip()).id for name in self.value.split(",") if name.strip()
            )
        if self.kind == "tag":
            held = corpus.papers(f'tag:"{self.value}"', limit=_MOST)
            found = {p.id for p in held if self.value.casefold() in map(str.casefold, p.tags)}
        else:
            found = {p.id for p in corpus.papers(self.value, limit=_MOST)}
        if not found:
            raise NotFoundError(
                f"No paper is in the scope '{visible(str(self))}'.",
                "See tags and papers with: papertune corpus list",
            )
        return frozenset(found)

    def label(self, corpus: Corpus | None = None) -> str:
        """What a person reads: the paper's title, how many are selected, the tag."""
        if self.kind == "all":
            return "all papers"
        if self.kind == "papers":
            return f"{self.value.count(',') + 1} papers"
        if self.kind == "paper" and corpus is not None:
            try:
                return shorten(corpus.resolve(self.value).title, 60)
            except NotFoundError:
                return f"{self.value} (removed)"
        return f"{self.kind} {shorten(self.value, 60)}"

    def __str__(self) -> str:
        return self.kind if self.kind == "all" else f"{self.kind}:{self.value}"
