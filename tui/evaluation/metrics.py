"""Scores of one answer against what was expected; each is between 0 and 1."""

from __future__ import annotations

from collections import Counter

from rapidfuzz.distance import LCSseq

from tui.domain.text import squad_normalise


def exact_match(answer: str, expected: str) -> float:
    """1 where both are the same after SQuAD normalisation."""
    return float(squad_normalise(answer) == squad_normalise(expected))


def token_f1(answer: str, expected: str) -> float:
    """Harmonic mean of precision and recall over normalised tokens (Rajpurkar et al., 2016).

    Two empty texts agree; an empty one and any other do not.
    """
    got, want = squad_normalise(answer).split(), squad_normalise(expected).split()
    if not got or not want:
        return float(got == want)
    shared = sum((Counter(got) & Counter(want)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(got), shared / len(want)
    return 2 * precision * recall / (precision + recall)


def key_phrase(answer: str, phrase: str) -> float:
    """1 where the phrase stands in the answer as whole words, after SQuAD normalisation."""
    wanted = squad_normalise(phrase)
    return float(bool(wanted) and f" {wanted} " in f" {squad_normalise(answer)} ")


def rouge_l(answer: str, expected: str) -> float:
    """F-measure of the longest common subsequence of normalised tokens (Lin, 2004)."""
    got, want = squad_normalise(answer).split(), squad_normalise(expected).split()
    if not got or not want:
        return float(got == want)
    shared = LCSseq.similarity(got, want)
    if not shared:
        return 0.0
    precision, recall = shared / len(got), shared / len(want)
    return 2 * precision * recall / (precision + recall)


METRICS = ("key_phrase", "exact_match", "f1", "rouge_l")


def score(answer: str, expected: str, phrase: str) -> dict[str, float]:
    """All of `METRICS`; an item without a key phrase is held to its whole expected answer."""
    return {
        "key_phrase": key_phrase(answer, phrase or expected),
        "exact_match": exact_match(answer, expected),
        "f1": token_f1(answer, expected),
        "rouge_l": rouge_l(answer, expected),
    }
