"""Curves in cells: nothing outside the canvas, every point where it belongs."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from widgets.braille import Curve, draw, frame, smoothed

anything = st.floats(allow_nan=True, allow_infinity=True, width=32)
finite = st.floats(-1e6, 1e6)
steps = st.integers(0, 10_000).map(float)
curves = st.lists(
    st.builds(
        Curve,
        st.just("c"),
        st.lists(st.tuples(steps, anything), max_size=20).map(
            lambda points: tuple(sorted(points, key=lambda point: point[0]))
        ),
        st.booleans(),
    ),
    max_size=4,
)
sizes = st.tuples(st.integers(1, 60), st.integers(1, 20))


@given(curves, sizes, st.booleans(), st.none() | steps)
def test_any_losses_fit_on_the_canvas(
    found: list[Curve], size: tuple[int, int], log: bool, right: float | None
) -> None:
    view = frame(found, log=log, right=right)
    if view is None:
        assert not any(math.isfinite(y) for curve in found for _, y in curve.points)
        return
    width, height = size
    rows = draw(found, view, width, height)
    assert len(rows) == height and all(len(row) == width for row in rows)
    for cell in (cell for row in rows for cell in row if cell is not None):
        assert cell.character == "×" or 0x2800 < ord(cell.character) <= 0x28FF
        assert 0 <= cell.curve < len(found)


@given(steps, finite, st.booleans())
def test_a_single_point_is_drawn_once(x: float, y: float, marked: bool) -> None:
    found = [Curve("c", ((x, y),), marked)]
    view = frame(found)
    assert view is not None
    cells = [cell for row in draw(found, view, 20, 5) for cell in row if cell]
    assert len(cells) == 1 and (cells[0].character == "×") == marked


def test_the_corners_of_the_data_are_the_corners_of_the_canvas() -> None:
    found = [Curve("c", ((0.0, 4.0), (100.0, 0.0)), marks=True)]
    view = frame(found)
    assert view is not None
    rows = draw(found, view, 30, 8)
    first, last = rows[0][0], rows[7][29]
    assert first is not None and first.character == "×"
    assert last is not None and last.character == "×"


def test_a_loss_that_is_not_a_number_breaks_the_line() -> None:
    found = [Curve("c", ((0.0, 1.0), (50.0, math.nan), (100.0, 1.0)))]
    view = frame(found)
    assert view is not None
    drawn = [cell for row in draw(found, view, 41, 5) for cell in row if cell]
    assert len(drawn) == 2


def test_the_first_curve_lies_on_top() -> None:
    same = ((0.0, 1.0), (10.0, 1.0))
    found = [Curve("memory", same), Curve("train", same)]
    view = frame(found)
    assert view is not None
    assert {cell.curve for row in draw(found, view, 10, 4) for cell in row if cell} == {0}


def test_planned_steps_leave_room_on_the_right() -> None:
    found = [Curve("c", ((0.0, 1.0), (50.0, 1.0)))]
    view = frame(found, right=100.0)
    assert view is not None
    rows = draw(found, view, 40, 4)
    assert max(x for row in rows for x, cell in enumerate(row) if cell) in (19, 20)


@given(st.lists(finite, min_size=1, max_size=30), st.sampled_from([0.0, 0.6, 0.9]))
def test_smoothing_stays_between_the_lowest_and_the_highest(
    losses: list[float], weight: float
) -> None:
    points = [(float(step), loss) for step, loss in enumerate(losses)]
    found = smoothed(points, weight)
    assert [x for x, _ in found] == [x for x, _ in points]
    slack = 1e-6 * (1 + max(map(abs, losses)))
    assert all(min(losses) - slack <= y <= max(losses) + slack for _, y in found)
    assert math.isclose(found[0][1], losses[0], abs_tol=slack)
