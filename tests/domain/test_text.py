from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tui.corpus.quotes import normalise
from tui.domain.text import content_words, squad_normalise
from tui.text import clean, shorten, visible

_SAFE_CONTROLS = "\n\t"


def _unsafe(text: str) -> list[str]:
    return [
        character
        for character in text
        if (unicodedata.category(character) in ("Cc", "Cs") and character not in _SAFE_CONTROLS)
        or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    ]


@given(st.text(st.characters(codec=None)))
def test_no_control_character_survives_cleaning(text: str) -> None:
    assert not _unsafe(clean(text))


@given(st.text(st.characters(codec=None)))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters(codec=None)))
def test_what_is_made_visible_is_one_safe_line(text: str) -> None:
    shown = visible(text)
    assert not _unsafe(shown)
    assert "\n" not in shown


def test_escape_sequences_go_with_their_parameters() -> None:
    hostile = "a\x1b]52;c;QUJD\x07b\x1b[2Jc\x1b[31md\x1b[0m\x9b5me"
    assert clean(hostile) == "abcd5me"


def test_an_ordinary_text_stays_as_it_is() -> None:
    text = "Größe: 4 µm — “ΔT” ≤ 3 K [12], naïve\n\tindented"
    assert clean(text) == text


@given(st.text(), st.integers(min_value=1, max_value=80))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    assert len(shorten(text, width)) <= width


def test_squad_normalisation_is_the_published_one() -> None:
    assert squad_normalise("The  Quick, brown-fox!") == "quick brownfox"
    assert squad_normalise("An apple a day") == "apple day"


def test_stop_words_carry_no_content() -> None:
    assert content_words("At what temperature does the Velmora resin set?") == [
        "temperature",
        "velmora",
        "resin",
        "set",
    ]


def test_a_quote_may_differ_in_white_space_quotation_marks_and_dashes_only() -> None:
    assert normalise("It’s  “new”\nhere – now") == normalise('it\'s "new" here - now')
    assert normalise("283 kelvin") != normalise("238 kelvin")
