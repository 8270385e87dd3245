from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.evaluation.metrics import exact_match, key_phrase, rouge_l, score, token_f1

TEXT = st.text(max_size=60)


@pytest.mark.parametrize(
    ("answer", "expected", "f1"),
    [
        ("the cat sat", "a cat sat", 1.0),
        ("cat sat on mat", "cat sat", 2 / 3),
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
        ("", "", 1.0),
        ("cat cat", "cat", 2 / 3),
    ],
)
def test_f1_on_worked_cases(answer: str, expected: str, f1: float) -> None:
    assert token_f1(answer, expected) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "phrase", "found"),
    [
        ("It sets at 283 kelvin.", "283 kelvin", 1.0),
        ("It sets at 283 Kelvin!", "283 kelvin", 1.0),
        ("It sets at 1283 kelvin.", "283 kelvin", 0.0),
        ("It sets at 283 kelvins", "283 kelvin", 0.0),
        ("anything", "", 0.0),
        ("Use the Ostrava-9 kiln", "Ostrava-9", 1.0),
    ],
)
def test_a_key_phrase_counts_as_whole_words_only(answer: str, phrase: str, found: float) -> None:
    assert key_phrase(answer, phrase) == found


@given(TEXT, TEXT)
def test_scores_are_shares_and_symmetric_where_they_should_be(a: str, b: str) -> None:
    assert 0 <= token_f1(a, b) <= 1
    assert token_f1(a, b) == pytest.approx(token_f1(b, a))
    assert rouge_l(a, b) <= token_f1(a, b) + 1e-9
    if exact_match(a, b):
        assert token_f1(a, b) == rouge_l(a, b) == 1


def test_order_matters_to_rouge_l_only() -> None:
    assert token_f1("one two three", "three two one") == 1
    assert rouge_l("one two three", "three two one") == pytest.approx(1 / 3)


def test_an_item_without_a_key_phrase_is_held_to_its_whole_answer() -> None:
    assert score("It is red, I think", "It is red", "")["key_phrase"] == 1
    assert score("red", "It is red", "")["key_phrase"] == 0
