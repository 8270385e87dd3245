from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui.corpus.assemble import assemble, page_at
from tui.corpus.document import Block, BlockKind, Document, Metadata
from tui.corpus.passages import MOST, Unit, cut
from tui.domain.paper import SectionKind

WORDS = st.text(alphabet="abc .!?\nÄé中", max_size=3000)
KINDS = st.sampled_from([kind for kind in BlockKind if kind is not BlockKind.REFERENCE])
BLOCKS = st.lists(
    st.builds(
        lambda kind, text, level, page: Block(kind, text, level, ((0, page),)),
        KINDS,
        st.text(alphabet="abc .!?\nÄé中\x1b[\u202e", max_size=2500),
        st.integers(0, 9),
        st.integers(1, 9),
    ),
    max_size=20,
)


@given(st.lists(st.tuples(WORDS, st.booleans()), max_size=8))
def test_passages_hold_all_text_once_and_never_cut_what_is_whole(
    parts: list[tuple[str, bool]],
) -> None:
    text, units = "", []
    for part, whole in parts:
        units.append(Unit(len(text), len(text) + len(part), whole))
        text += part + "\n\n"
    passages = cut(text, units)
    kept = "".join(text[start:end] for start, end in passages)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(a[1] <= b[0] for a, b in pairwise(passages))
    for start, end in passages:
        assert text[start:end] == text[start:end].strip()
        holders = [u for u in units if u.whole and u.start < end and start < u.end]
        assert end - start <= MOST or holders
        for unit in holders:
            body = text[unit.start : unit.end].strip()
            assert not body or body in text[start:end]


@given(BLOCKS)
def test_sections_and_passages_of_any_document_are_where_they_say(blocks: list[Block]) -> None:
    found = assemble(Document(Metadata(title="T\x1b]52;c;x\x07itle"), tuple(blocks), pages=9))
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text
    assert all(a.end <= b.start for a, b in pairwise(found.sections))
    inside = [s for s in found.sections if s.kind is not SectionKind.REFERENCES]
    for span in found.spans:
        assert found.text[span.start : span.end].strip() == found.text[span.start : span.end]
        assert sum(s.start <= span.start and span.end <= s.end for s in inside) == 1
        assert span.page == page_at(found.page_starts, span.start)
    ordered = sorted(found.spans, key=lambda span: span.start)
    assert all(a.end <= b.start for a, b in pairwise(ordered))


def test_passages_are_of_200_to_400_tokens_and_end_with_sentences() -> None:
    text = " ".join(
        f"This is sentence number {n} of a long paragraph about stones." for n in range(200)
    )
    passages = cut(text, [Unit(0, len(text))])
    lengths = [(end - start) / 4 for start, end in passages]
    assert all(200 <= length <= 400 for length in lengths)
    assert all(text[end - 1] == "." for _, end in passages)


def test_references_are_kept_apart_from_passages() -> None:
    blocks = (
        Block(BlockKind.HEADING, "Results", 1),
        Block(BlockKind.PARAGRAPH, "A finding."),
        Block(BlockKind.HEADING, "References", 1, kind_of_section=SectionKind.REFERENCES),
        Block(BlockKind.REFERENCE, "[1] A cited work."),
    )
    found = assemble(Document(Metadata(title="Title"), blocks))
    assert [found.text[s.start : s.end] for s in found.spans] == ["A finding."]
    assert found.references == ("[1] A cited work.",)
    assert found.text.endswith("References\n\n[1] A cited work.")
