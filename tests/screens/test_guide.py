"""The guided job by keys, from no papers to a frozen training set: only what the bar names."""

from __future__ import annotations

from textual.pilot import Pilot

from screens.datasets.findings import FindingsScreen
from screens.datasets.report import ReportScreen
from tests.screens.pilots import dialog, status, until
from tui.app import PapertuneApp
from tui.quickstart.plan import make_plan, remember
from tui.services import Services
from widgets.dialogs import Choose, Prompt
from widgets.status import GuideBar


async def test_each_step_is_done_by_the_key_that_the_bar_names(empty_services: Services) -> None:
    remember(empty_services.workspace, make_plan(None))
    app = PapertuneApp(empty_services)
    async with app.run_test(size=(80, 24)) as pilot:
        await _at(pilot, "Step 1 of 9", "press a")
        await pilot.press("a")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await _at(pilot, "Step 2 of 9", "press 2 then a")
        await pilot.press("2")
        await _at(pilot, "Step 2 of 9", "press a")
        await until(pilot, lambda: status(pilot) == "0 datasets")
        await pilot.press("a")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await _at(pilot, "Step 3 of 9", "press s")
        await pilot.press("s")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        await pilot.press("escape")
        await _at(pilot, "Step 4 of 9", "press c")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await pilot.press("escape")
        await _at(pilot, "Step 5 of 9", "press z")
        await pilot.press("z")
        await _at(pilot, "Step 6 of 9", "press 3 then n")
    assert empty_services.datasets.show("quickstart").versions == (1,)


async def _at(pilot: Pilot[object], step: str, key: str) -> None:
    def shown() -> bool:
        bars = pilot.app.screen.query(GuideBar)
        words = str(bars.first().render()) if bars else ""
        return step in words and words.endswith(key)

    await until(pilot, shown)
