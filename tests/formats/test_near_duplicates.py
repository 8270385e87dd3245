"""Near-duplicates: all one-word edits are found, unlike texts are not."""

from __future__ import annotations

import random

from tui.formats.near_duplicates import alike, jaccard, near_pairs, shingles

VOCABULARY = [f"word{n}" for n in range(3_000)]


def documents(count: int, length: int, rng: random.Random) -> list[list[str]]:
    return [rng.choices(VOCABULARY, k=length) for _ in range(count)]


def test_one_word_edits_are_found_and_nothing_else() -> None:
    rng = random.Random(5)
    originals = documents(1_000, 40, rng)
    edits = []
    for document in originals[:200]:
        edited = list(document)
        edited[rng.randrange(40)] = "changed"
        edits.append(edited)
    texts = [" ".join(document) for document in originals + edits]
    found = near_pairs(texts)
    assert len(found) >= 0.99 * len(edits)
    assert all(pair.second - 1_000 == pair.first for pair in found)


def test_a_text_repeated_many_times_points_to_the_first() -> None:
    texts = ["the same twelve words stand here again and again in every text"] * 500
    found = near_pairs(texts)
    assert [pair.first for pair in found] == [0] * 499


def test_case_and_punctuation_do_not_count() -> None:
    a = "The resin set hard, at 283 kelvin, in every run."
    b = "the RESIN set hard at 283 kelvin in every run"
    assert jaccard(shingles(a), shingles(b)) == 1.0


def test_short_texts_and_scripts_without_spaces_compare() -> None:
    assert near_pairs(["", "Yes.", "No."]) == []
    texts = ["樹脂は二百八十三ケルビンで固まりました", "樹脂は二百八十三ケルビンで固まります"]
    assert [(pair.first, pair.second) for pair in near_pairs(texts, threshold=0.6)] == [(0, 1)]


def test_wordings_of_one_question_are_not_alike_but_an_edit_is() -> None:
    asked = "At what temperature does Velmora resin set?"
    assert alike(asked, "At which temperature does Velmora resin set?")
    assert not alike(asked, "How warm must Velmora resin be before it hardens?")
