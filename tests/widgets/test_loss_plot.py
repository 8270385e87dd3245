"""The plot: what it says, and that it sends only lines that changed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from screens.base import ShellApp
from widgets.braille import Curve
from widgets.loss_plot import LossPlot


class Watched(LossPlot):
    """Notes which lines it asks to be drawn again."""

    def __init__(self) -> None:
        super().__init__("Nothing measured.")
        self.sent: list[Region] = []

    def refresh(self, *regions: Region, **options: Any) -> Watched:
        self.sent += regions
        return super().refresh(*regions, **options)


class PlotApp(ShellApp):
    def compose(self) -> ComposeResult:
        yield Watched()


def lines(app: App[object]) -> list[str]:
    plot = app.query_one(Watched)
    strips = plot.render_lines(plot.size.region)
    return ["".join(segment.text for segment in strip) for strip in strips]


async def test_without_a_point_it_says_so() -> None:
    app = PlotApp()
    async with app.run_test(size=(60, 16)):
        assert "Nothing measured." in lines(app)[0]


async def test_it_names_the_curves_with_their_last_values_and_the_steps() -> None:
    app = PlotApp()
    async with app.run_test(size=(60, 16)) as pilot:
        plot = app.query_one(Watched)
        train = Curve("train", ((1.0, 3.0), (60.0, 0.5)))
        plot.show([Curve("memory", ((60.0, 1.25),), marks=True), train], right=120.0)
        await pilot.pause()
        assert "memory 1.250" in lines(app)[0] and "train 0.500" in lines(app)[0]
        assert lines(app)[-1].split() == ["1", "step", "120"]
        assert lines(app)[1].split()[0] == "3"
        plot.toggle_log()
        assert "log" in lines(app)[0]
        plot.next_smoothing()
        assert "log, smoothed" in lines(app)[0]


async def test_one_more_point_sends_only_the_lines_that_it_changed() -> None:
    app = PlotApp()
    async with app.run_test(size=(60, 24)) as pilot:
        plot = app.query_one(Watched)
        points = ((0.0, 4.0), (10.0, 2.0), (20.0, 2.0))
        plot.show([Curve("train", points)], right=100.0)
        await pilot.pause()
        plot.sent.clear()
        plot.show([Curve("train", points)], right=100.0)
        assert not plot.sent
        plot.show([Curve("train", (*points, (22.0, 2.0)))], right=100.0)
        assert plot.sent and all(region.height == 1 for region in plot.sent)
        assert len({region.y for region in plot.sent}) <= 2


@pytest.mark.parametrize("size", [(60, 16), (200, 60)])
async def test_losses_that_are_no_numbers_do_not_break_it(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=size) as pilot:
        plot = app.query_one(Watched)
        losses = (math.nan, math.inf, -math.inf, 1e308, -1.0, 0.0, 5e-324)
        points = tuple((float(step), loss) for step, loss in enumerate(losses))
        plot.show([Curve("train", points), Curve("[/foo]", points, marks=True)])
        plot.toggle_log()
        plot.next_smoothing()
        await pilot.pause()
        assert "[/foo]" in lines(app)[0]
