from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.chat.condense import condense, split_sentences
from tui.chat.retrieve import Ranked
from tui.domain.paper import Passage


def ranked(*texts: str) -> list[Ranked]:
    return [
        Ranked(rank, f"Paper {rank}", Passage(f"p{rank}#0", f"p{rank}", 0, text, 0, len(text)))
        for rank, text in enumerate(texts)
    ]


def tokens(text: str) -> int:
    return len(text.split())


def test_the_sentence_that_answers_comes_before_its_neighbours() -> None:
    found = ranked(
        "Work began in May. Velmora resin set hard at 283 kelvin. The weather was fine.",
        "Bells ring. The resin trade is old.",
    )
    sources = condense("At what temperature does Velmora resin set?", found, 14, tokens)
    assert [source.quote for source in sources] == ["Velmora resin set hard at 283 kelvin."]
    assert sources[0].n == 1
    assert sources[0].passage == "p0#0"


def test_sentences_of_one_passage_stay_in_their_order() -> None:
    found = ranked("Alpha grows. Beta shrinks. Gamma grows with alpha.")
    sources = condense("alpha gamma", found, 100, tokens)
    assert sources[0].quote == "Alpha grows. Beta shrinks. Gamma grows with alpha."


@given(
    st.lists(st.text(min_size=1, max_size=200), max_size=6),
    st.text(max_size=80),
    st.integers(min_value=0, max_value=60),
)
def test_sources_never_exceed_the_budget_and_are_numbered_from_one(
    texts: list[str], question: str, budget: int
) -> None:
    sources = condense(question, ranked(*texts), budget, tokens)
    assert sum(tokens(source.quote) for source in sources) <= budget
    assert [source.n for source in sources] == list(range(1, len(sources) + 1))


@given(st.text(max_size=300))
def test_splitting_loses_no_word(text: str) -> None:
    assert " ".join(split_sentences(text)).split() == text.split()


def test_decimal_numbers_do_not_end_a_sentence() -> None:
    assert split_sentences("It is 4.2 hertz. Then 5.") == ["It is 4.2 hertz.", "Then 5."]
