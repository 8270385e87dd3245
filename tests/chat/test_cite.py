from __future__ import annotations

import pytest

from tui.chat.cite import cited, verify
from tui.domain.chat import Source

PASSAGES = {
    "a#0": "In all eleven runs Velmora resin set hard at 283 kelvin, never above 1,204 bar.",
    "b#0": "The bells of Ostrin ring at 4.2 hertz. “Nobody knows why”, the keeper said.",
}
SOURCES = (
    Source(1, "a", "Resins", "a#0", 2, "Results", PASSAGES["a#0"]),
    Source(2, "b", "Bells", "b#0", 0, "", PASSAGES["b#0"]),
)


def problems(answer: str) -> tuple[str, ...]:
    return tuple(f.message for f in verify(answer, SOURCES, PASSAGES.__getitem__)[1])


def test_citations_are_read_alone_and_in_lists() -> None:
    assert cited("So it is [1], and so [2, 13]. Not [x] nor [0.5].") == {1, 2, 13}


@pytest.mark.parametrize(
    "answer",
    [
        "It sets at 283 kelvin [1].",
        "“Velmora resin set hard at 283 kelvin” [1].",
        'The text says "velmora  resin set hard at 283 kelvin" [1], and 4.2 hertz holds [2].',
        "It is a “setting point”, no more [1].",
        "Uncited sentences may say 999. Cited ones hold: 1,204 bar [1].",
        "",
    ],
)
def test_true_answers_are_not_accused(answer: str) -> None:
    assert problems(answer) == ()


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("It sets at 238 kelvin [1].", "238"),
        ("It sets at 28 kelvin [1].", "28"),
        ("It rings at 4 hertz [2].", "number 4"),
        ("It sets at 283 kelvin [2].", "283"),
        ("It sets at 283 kelvin [3].", "[3]"),
        ("“Velmora resin set soft at 283 kelvin” [1].", "set soft"),
    ],
)
def test_what_does_not_hold_is_named(answer: str, names: str) -> None:
    assert any(names in problem for problem in problems(answer))


def test_verified_is_said_of_the_quoted_source_only() -> None:
    sources, _ = verify(
        "“Velmora resin set hard at 283 kelvin” [1]. It rings [2].", SOURCES, PASSAGES.__getitem__
    )
    assert [source.verified for source in sources] == [True, None]


def test_a_wrong_quote_marks_the_source_it_names() -> None:
    sources, _ = verify("“It was quite another thing” [2].", SOURCES, PASSAGES.__getitem__)
    assert [source.verified for source in sources] == [None, False]
