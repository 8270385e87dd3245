from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.evaluation.intervals import mean, paired_difference, share

BITS = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=80)
GRADES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def test_wilsons_published_figures() -> None:
    # Newcombe (1998), table 1: 81/263 gives 0.2553 to 0.3662; 0/20 gives 0 to 0.1611.
    found = share([1.0] * 81 + [0.0] * 182)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    none = share([0.0] * 20)
    assert (none.low, round(none.high, 4)) == (0.0, 0.1611)


@given(BITS)
def test_a_share_lies_in_its_interval(scores: list[float]) -> None:
    found = share(scores)
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(GRADES)
def test_a_mean_lies_in_its_interval(scores: list[float]) -> None:
    found = mean(scores)
    assert found.low <= found.value <= found.high


@given(BITS)
def test_the_same_arm_twice_differs_by_nothing(scores: list[float]) -> None:
    assert paired_difference(scores, scores) == (0.0, 0.0, 0.0, 1.0)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1))
def test_turning_the_arms_round_turns_the_sign(pairs: list[tuple[float, float]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    forth, back = paired_difference(a, b), paired_difference(b, a)
    assert forth[0] == pytest.approx(-back[0])
    assert forth[3] == back[3]
    assert 0 <= forth[3] <= 1


def test_mcnemars_exact_test_on_a_worked_case() -> None:
    # Nine items turn right, one turns wrong: p = 2 * (1 + 10) / 2^10.
    a = [1.0] * 9 + [0.0] + [1.0] * 5
    b = [0.0] * 9 + [1.0] + [1.0] * 5
    assert paired_difference(a, b)[3] == pytest.approx(22 / 1024)


def test_no_items_say_nothing() -> None:
    assert share([]).high - share([]).low == 1
    assert paired_difference([], [])[3] == 1


def test_arms_must_answer_the_same_items() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired_difference([1.0], [1.0, 0.0])
