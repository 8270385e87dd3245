from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.corpus.assemble import assemble
from tui.corpus.document import Unreadable
from tui.corpus.extract import markdown, text
from tui.domain.paper import SectionKind

PAPER = """---
title: "Lichens: a *study*"
authors: [{name: Orla Tamblyn}, {given: Halvard, family: Egge}]
year: 2023
venue: Annals
doi: https://doi.org/10.1234/LICHENS
tags: [stone, wind]
---

## Abstract

They hum in **every** wind, see [the map](http://x.y/(a)b).

## 1 Methods

| Kind | Count |
|---|---|
| grey | 3 |

Table 1: Kinds and counts.

$$
a = b
$$

```python
# not a heading
```

### 1.1 Deeper

Text under it.

## References

1. A. Author. First work.
2. B. Author. Second work.
"""


def test_front_matter_sections_tables_and_references() -> None:
    found = assemble(markdown.read(PAPER.encode()))
    m = found.metadata
    assert (m.title, m.authors) == ("Lichens: a *study*", ("Orla Tamblyn", "Halvard Egge"))
    assert (m.year, m.venue, m.doi, m.tags) == (
        2023,
        "Annals",
        "10.1234/lichens",
        ("stone", "wind"),
    )
    assert m.abstract == "They hum in every wind, see the map."
    assert [s.path for s in found.sections] == [
        "Abstract", "1 Methods", "1 Methods > 1.1 Deeper", "References",
    ]  # fmt: skip
    kept = [found.text[s.start : s.end] for s in found.spans if s.kind is SectionKind.CAPTION]
    assert len(kept) == 1
    assert "grey" in kept[0]
    assert "Kinds and counts" in kept[0]
    assert "# not a heading" in found.text
    assert len(found.references) == 2


@pytest.mark.parametrize(
    "front",
    ["a: &x [1]\nb: [*x, *x]", "title: [unclosed", "!!python/object/apply:os.system ['true']",
     "- just\n- a list", "title: " + "x" * 100_000],
)  # fmt: skip
def test_hostile_front_matter_is_only_text(front: str) -> None:
    found = markdown.read(f"---\n{front}\n---\n\n# A heading\n\nWords.".encode())
    assert found.blocks


def test_plain_text_has_a_title_authors_and_sections() -> None:
    source = (
        "A plain title\nAnna Keller, Bo Lindgren\n\nAnnals 3 (2020), 1-2\nDOI: 10.1234/plain\n\n"
        "Abstract\n\nWhat it is about.\n\n1 Methods\n\nWe did\nthings.\n\nREFERENCES\n\n[1] One."
    )
    found = assemble(text.read(source.encode()))
    m = found.metadata
    assert (m.title, m.authors, m.year) == ("A plain title", ("Anna Keller", "Bo Lindgren"), 2020)
    assert (m.doi, m.abstract) == ("10.1234/plain", "What it is about.")
    assert [s.title for s in found.sections][-3:] == ["Abstract", "1 Methods", "REFERENCES"]
    assert "We did things." in found.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_encodings_are_told_by_their_marks(encoding: str) -> None:
    assert text.decode("Zoë weighs pebbles.".encode(encoding)) == "Zoë weighs pebbles."


@pytest.mark.parametrize(
    "data",
    [b"", b"  \n", b"\x00\x01\x02" * 100, b"x" * (33 * 1024 * 1024)],
    ids=["empty", "blank", "binary", "huge"],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        text.decode(data)


@given(st.text(max_size=600))
def test_any_text_is_read_or_refused(source: str) -> None:
    for reader in (text, markdown):
        try:
            assemble(reader.read(source.encode("utf-8", "replace")))
        except Unreadable as refusal:
            assert str(refusal)
