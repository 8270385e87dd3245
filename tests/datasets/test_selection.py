"""What is selected in a paper becomes an example that can be walked back to it."""

from __future__ import annotations

import pytest

from tests.datasets.library import PaperShelf
from tui.datasets import Datasets
from tui.datasets.selection import Selection, Written, full_text, pair, summary
from tui.domain.errors import UsageError
from tui.domain.example import Kind, Status


@pytest.fixture
def selection(library: PaperShelf) -> Selection:
    passage = library.passages("p1")[1]
    return Selection("p1", passage.start, passage.end)


def test_selected_words_are_full_text_of_their_paper(
    library: PaperShelf, datasets: Datasets, selection: Selection
) -> None:
    words = library.text("p1")[selection.start : selection.end].strip()
    example = full_text(library, selection)
    assert words in example.text and library.paper("p1").title in example.text
    datasets.create("chosen")
    assert datasets.add_examples("chosen", [example]).added == 1
    [kept] = datasets.examples("chosen")
    assert (kept.kind, kept.status, kept.paper) == (Kind.FULL_TEXT, Status.ACCEPTED, "p1")
    assert kept.passages == (library.passages("p1")[1].id,)


def test_a_pair_keeps_its_quote_verified(
    library: PaperShelf, datasets: Datasets, selection: Selection
) -> None:
    quote = " ".join(library.text("p1")[selection.start : selection.end].split()[:8])
    written = Written("What was found?", "It was this: seven.", quote.upper(), "seven")
    datasets.create("chosen")
    report = datasets.add_examples("chosen", [pair(library, selection, written)])
    assert report.added == 1
    [kept] = datasets.examples("chosen")
    assert kept.verified and kept.question == "What was found?" and kept.key_phrase == "seven"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (Written("", "An answer."), "question is missing"),
        (Written("A question?", " "), "answer is missing"),
        (Written("A question?", "An answer.", key_phrase="seven"), "key phrase"),
        (Written("A question?", "An answer.", quote="words that stand nowhere"), "quote"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_reason(
    library: PaperShelf, selection: Selection, written: Written, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        pair(library, selection, written)


def test_a_summary_needs_words(library: PaperShelf, selection: Selection) -> None:
    assert summary(library, selection, " Short. ").answer == "Short."
    with pytest.raises(UsageError, match="empty"):
        summary(library, selection, "  ")
    with pytest.raises(UsageError, match="Nothing is selected"):
        full_text(library, Selection("p1", 3, 3))
