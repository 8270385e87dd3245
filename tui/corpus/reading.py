"""Looking a paper, its text and its quotes up."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from tui.corpus import content, query, quotes, store
from tui.corpus.assemble import page_at
from tui.corpus.identity import find_arxiv, find_doi, title_key
from tui.corpus.index import SearchIndex
from tui.corpus.paths import stored
from tui.domain.errors import NotFoundError
from tui.domain.paper import Paper, Passage
from tui.storage.workspace import Workspace
from tui.text import visible

_TEXTS_KEPT = 8


class Reading:
    """What can be read of a workspace's papers one by one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._index = SearchIndex(workspace)
        self._texts: OrderedDict[str, tuple[str, str, list[tuple[int, int]]]] = OrderedDict()

    def paper(self, paper_id: str) -> Paper:
        """A paper with its sections and references. Raises NotFoundError."""
        found = store.papers(self._db(), [paper_id])
        if not found:
            raise unknown(paper_id)
        rows = self._db().execute(
            "SELECT text FROM reference WHERE paper = ? ORDER BY position", (paper_id,)
        )
        return replace(
            found[0],
            sections=content.sections(self._db(), paper_id),
            references=tuple(row[0] for row in rows),
        )

    def resolve(self, name: str) -> Paper:
        """The paper of an id, DOI, arXiv identifier, exact title, path or file name.

        Raises NotFoundError, also when several papers answer to a title or file name.
        """
        db = self._db()
        text = name.strip()
        found: list[str] = []
        for sql, value in (
            ("SELECT id FROM paper WHERE id = ?", text),
            ("SELECT id FROM paper WHERE doi = ?", find_doi(text)),
            ("SELECT id FROM paper WHERE arxiv = ?", find_arxiv(text)),
            ("SELECT DISTINCT paper FROM said WHERE doi = ?", find_doi(text)),
            ("SELECT DISTINCT paper FROM said WHERE arxiv = ?", find_arxiv(text)),
            ("SELECT id FROM paper WHERE title_key = ?", title_key(text)),
            ("SELECT paper FROM said WHERE source = ?", f"work:{text}"),
            ("SELECT id FROM paper WHERE id = ? COLLATE NOCASE", text),
            ("SELECT paper FROM file WHERE path = ? AND paper IS NOT NULL", _absolute(text)),
        ):
            if value:
                found = [row[0] for row in db.execute(sql, (value,))]
                if found:
                    break
        if not found and text:
            found = self._by_file_name(text)
        if len(found) == 1:
            return self.paper(found[0])
        if found:
            raise NotFoundError(
                f"'{visible(name)}' names {len(found)} papers: {', '.join(sorted(found)[:5])}.",
                "Use one of these ids.",
            )
        raise unknown(name)

    def _by_file_name(self, name: str) -> list[str]:
        pattern = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = self._db().execute(
            "SELECT DISTINCT paper, path FROM file WHERE paper IS NOT NULL AND "
            "(path LIKE ? ESCAPE '\\' OR path LIKE ? ESCAPE '\\')",
            (f"%/{pattern}", f"%/{pattern}.%"),
        )
        return list(dict.fromkeys(
            row[0] for row in rows if Path(row[1]).name == name or Path(row[1]).stem == name
        ))  # fmt: skip

    def text(self, paper_id: str) -> str:
        """A paper's whole normalised text, which all offsets count in. Raises NotFoundError."""
        return self._text(paper_id)[0]

    def passages(self, paper_id: str) -> list[Passage]:
        """A paper's passages in order; none for an unknown paper."""
        return content.passages(self._db(), "paper = ? ORDER BY position", [paper_id])

    def passage(self, passage_id: str) -> Passage:
        """One passage. Raises NotFoundError."""
        found = content.passages(self._db(), "id = ?", [passage_id])
        if not found:
            raise NotFoundError(
                f"There is no passage '{visible(passage_id)}'.",
                "Its paper may have been read anew.",
            )
        return found[0]

    def find_quote(self, quote: str, paper: str | None = None) -> Passage | None:
        """The passage where `quote` stands word for word (see `quotes`), in `paper` or anywhere.

        Its `page` is the quote's own, which may be the one after the passage's first. A quote that
        runs over a passage's end is found in the passage that it begins in.
        """
        candidates = [paper] if paper else self._papers_with(quote)
        for candidate in candidates:
            try:
                text, starts = self._text(candidate)
            except NotFoundError:
                continue
            place = quotes.find(quote, text)
            if place is None:
                continue
            found = content.passages(
                self._db(), 'paper = ? AND "end" > ? ORDER BY position LIMIT 1',
                [candidate, place[0]],  # type: ignore[list-item]
            )  # fmt: skip
            if found and found[0].start <= place[0]:
                return replace(found[0], page=page_at(starts, place[0]))
        return None

    def _papers_with(self, quote: str) -> list[str]:
        words = query.words(quote)[:32]
        if not words:
            return []
        self._index.update()
        phrase = query.Query((query.Term(tuple(words), phrase=len(words) > 1),))
        return self._index.papers(phrase, ranked=200)

    def _text(self, paper_id: str) -> tuple[str, list[tuple[int, int]]]:
        row = (
            self._db().execute("SELECT text_sha256 FROM paper WHERE id = ?", (paper_id,)).fetchone()
        )
        if row is None:
            raise unknown(paper_id)
        kept = self._texts.get(paper_id)
        if kept is None or kept[0] != row[0]:
            text, starts = (
                self._db()
                .execute("SELECT text, page_starts FROM paper WHERE id = ?", (paper_id,))
                .fetchone()
            )
            kept = (row[0], text, [(start, page) for start, page in json.loads(starts)])
            self._texts[paper_id] = kept
            while len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return kept[1], kept[2]

    def _db(self) -> sqlite3.Connection:
        return self._workspace.connection()


def unknown(name: str) -> NotFoundError:
    """What is raised for a paper that is not there."""
    return NotFoundError(
        f"There is no paper '{visible(name)}'.", "See the ids with: papertune corpus list"
    )


def _absolute(text: str) -> str:
    return stored(Path(text).expanduser().absolute()) if "\0" not in text else ""
