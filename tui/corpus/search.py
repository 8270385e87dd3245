"""A parsed query as the index's query: what must match, what only adds to the rank."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import tantivy
from tantivy import Occur, Query

from tui.corpus import query as q

_FIELD = {
    "author": "authors",
    "title": "title",
    "section": "section",
    "venue": "venue",
    "tag": "tags",
}
# Words are looked for in these, with these weights; an abstract's passages count a little more.
_PLAIN = (("text", 1.0), ("title", 2.0), ("authors", 1.5), ("abstract", 0.5), ("section", 0.3))
# In a question every word of a long title would outweigh the sentence that answers it.
_QUESTION = (("text", 1.0), ("title", 0.4), ("authors", 0.4), ("abstract", 0.2), ("section", 0.3))
# How many completions of a prefix are looked for, by its length, the most frequent first. One
# letter completes to what papers are called and whose they are: half of all texts hold a word that
# begins with it, and walking through all these words is no matter of milliseconds.
_COMPLETIONS = {1: 12, 2: 16}
_MOST_COMPLETIONS = 40
_SHORT_FIELDS = frozenset({"title", "authors", "venue", "tags", "section"})
_ENDINGS = ("s", "es", "ed", "d", "ing", "er", "ly")


class Plan:
    """The index queries for one typed query, strictest first, and the words to mark in hits."""

    def __init__(
        self,
        schema: tantivy.Schema,
        searcher: tantivy.Searcher,
        parsed: q.Query,
        papers: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> None:
        self._schema = schema
        self._searcher = searcher
        self._parsed = parsed
        self.words: set[str] = set()
        self.prefixes: tuple[str, ...] = ()
        self._filters = self._limits(papers, without)
        wanted = [term for term in parsed.terms if not term.negative]
        self._clauses = [(term, self._clause(term)) for term in wanted]

    @property
    def question(self) -> bool:
        """Whether most words matter more than all of them."""
        return self._parsed.question

    def strict(self) -> Any:
        """All words must match."""
        musts = [(Occur.Must, clause) for _, clause in self._clauses]
        return self._all(musts)

    def loose(self) -> Any | None:
        """Words may be missing, phrases and fields may not; None where that changes nothing."""
        optional = [c for t, c in self._clauses if not (t.phrase or t.field)]
        if len(optional) < 2:
            return None
        needed = [(Occur.Must, c) for t, c in self._clauses if t.phrase or t.field]
        either = Query.boolean_query([(Occur.Should, clause) for clause in optional])
        return self._all([*needed, (Occur.Must, either)])

    def _all(self, musts: Sequence[tuple[Any, Any]]) -> Any:
        if not musts and not any(occur == Occur.Must for occur, _ in self._filters):
            musts = [(Occur.Must, Query.all_query())]
        return Query.boolean_query([*musts, *self._filters])

    def _limits(
        self, papers: Collection[str] | None, without: Collection[str]
    ) -> list[tuple[Any, Any]]:
        limits: list[tuple[Any, Any]] = []
        if papers is not None:
            some = Query.term_set_query(self._schema, "paper", list(papers))
            limits.append((Occur.Must, Query.const_score_query(some, 0.0)))
        if without:
            others = Query.term_set_query(self._schema, "paper", list(without))
            limits.append((Occur.MustNot, others))
        if self._parsed.years is not None:
            years = self._within(self._parsed.years)
            limits.append((Occur.Must, Query.const_score_query(years, 0.0)))
        limits += [(Occur.MustNot, self._within(years)) for years in self._parsed.without_years]
        for term in self._parsed.terms:
            if term.negative:
                limits.append((Occur.MustNot, self._clause(term)))
        return limits

    def _within(self, years: q.Years) -> Any:
        first, last = years
        return Query.range_query(
            self._schema, "year", tantivy.FieldType.Integer, first or 0, last or 9999
        )

    def _clause(self, term: q.Term) -> Any:
        """One word or phrase in the fields it may stand in."""
        if term.field:
            fields: tuple[tuple[str, float], ...] = ((_FIELD[term.field], 1.0),)
        elif term.negative:
            fields = (("text", 1.0), ("title", 1.0))
        else:
            fields = _QUESTION if self._parsed.question else _PLAIN
        if term.phrase:
            if not term.negative and not term.field:
                self.words.update(term.words)
            phrases = [
                Query.boost_query(Query.phrase_query(self._schema, name, list(term.words)), boost)
                for name, boost in fields
                if name not in {"abstract"}
            ]
            return _either(phrases)
        word = term.words[0]
        spellings = [(word, 1.0)]
        if not term.negative:
            spellings += [(other, 0.6) for other in self._inflections(word)]
        if term.prefix:
            self.prefixes = (*self.prefixes, word)
        if not term.negative and not term.field:
            self.words.update(spelling for spelling, _ in spellings)
        options = []
        for name, boost in fields:
            spelt = list(spellings)
            if term.prefix and (len(word) > 1 or name in _SHORT_FIELDS):
                limit = _COMPLETIONS.get(len(word), _MOST_COMPLETIONS)
                completions = self._searcher.terms_with_prefix(name, word, limit=limit)
                known = {spelling for spelling, _ in spellings}
                spelt += [(other, 0.4) for other, _ in completions if other not in known]
            options += [
                Query.boost_query(Query.term_query(self._schema, name, spelling), boost * weight)
                for spelling, weight in spelt
            ]
        return _either(options)

    def _inflections(self, word: str) -> list[str]:
        """Other endings of a word that the library has: sets for set, measured for measure."""
        if len(word) < 3 or not word.isalpha():
            return []
        stems = {word}
        for ending in ("ies", "es", "s", "ed", "d", "ing"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                stem = word[: -len(ending)]
                stems.add(stem + "y" if ending == "ies" else stem)
                if len(stem) > 3 and stem[-1] == stem[-2]:
                    stems.add(stem[:-1])
        others = set()
        for stem in stems:
            others.update({stem, *(stem + ending for ending in _ENDINGS)})
            if stem.endswith("e"):
                others.add(stem[:-1] + "ing")
            else:
                others.add(stem + "e")
            if stem.endswith("y"):
                others.add(stem[:-1] + "ies")
            others.update({stem + stem[-1] + "ing", stem + stem[-1] + "ed"})
        others.discard(word)
        return sorted(o for o in others if self._searcher.doc_freq("text", o))


def _either(options: Sequence[Any]) -> Any:
    if len(options) == 1:
        return options[0]
    return Query.disjunction_max_query(list(options), 0.1)
