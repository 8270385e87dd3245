"""The list: any length, few repaints, a selection that outlives what is in sight."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual.app import ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from screens.base.shell import ShellApp
from tests.screens.pilots import until
from widgets.rows import Column, Row, line, widths
from widgets.virtual_list import PAGE, VirtualList

COLUMNS = (
    Column("Title", 20, share=3),
    Column("Authors", 12, share=1, rank=1),
    Column("Year", 4, rank=2, right=True),
)


class Many:
    """Rows made when they are asked for; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        self.asked.append((offset, limit))
        return [
            Row(str(n), (f"Paper {n}", "Keller", "2024")) for n in range(offset, offset + limit)
        ]


class ListApp(ShellApp):
    """Nothing but a list."""

    def __init__(self, count: int = 100_000) -> None:
        super().__init__()
        self.source = Many()
        self.count = count
        self.moved: list[int] = []
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield VirtualList(COLUMNS)

    def on_ready(self) -> None:
        self.list.show(self.source, self.count)
        self.list.focus()

    @property
    def list(self) -> VirtualList:
        return self.query_one(VirtualList)

    def on_virtual_list_moved(self, event: VirtualList.Moved) -> None:
        self.moved.append(event.index)

    def on_virtual_list_opened(self, event: VirtualList.Opened) -> None:
        self.opened.append(event.row.key)


async def ready(pilot: Pilot[object], app: ListApp) -> None:
    await until(pilot, lambda: app.list.current is not None)


def lines(app: ListApp) -> list[str]:
    return [app.list.render_line(y).text for y in range(app.list.size.height)]


async def test_only_the_rows_in_sight_are_fetched() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("G")
        await until(pilot, lambda: app.list.row(99_999) is not None)
        assert app.list.cursor == 99_999
        assert len(app.source.asked) <= 4
        assert all(limit == PAGE for _, limit in app.source.asked)
        assert "Paper 99999" in lines(app)[-1]


async def test_a_cursor_key_repaints_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ListApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot, app)
        await pilot.pause()
        painted: list[Region] = []
        refresh = app.list.refresh

        def spy(*regions: Region, **options: bool) -> VirtualList:
            painted.extend(regions or (app.list.size.region,))
            return refresh(*regions, **options)

        monkeypatch.setattr(app.list, "refresh", spy)
        await pilot.press("j")
        assert sum(region.height for region in painted) == 2


async def test_every_row_can_be_reached_and_stays_in_sight() -> None:
    app = ListApp(count=130)
    async with app.run_test(size=(60, 20)) as pilot:
        await ready(pilot, app)
        for expected in range(1, 130):
            await pilot.press("j")
            top = app.list.scroll_offset.y
            assert app.list.cursor == expected
            assert top <= expected < top + app.list.size.height - 1
        await pilot.press("j")
        assert app.list.cursor == 129
        await pilot.press("g")
        assert app.list.cursor == 0 and app.list.scroll_offset.y == 0


async def test_selecting_a_range_reaches_rows_that_were_never_in_sight() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("space", "G", "v")
        await until(pilot, lambda: len(app.list.selection) == 100_000)
        await pilot.press("*")
        assert not app.list.selection


async def test_space_selects_moves_on_and_takes_back() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("space", "space")
        assert app.list.selection == {"0", "1"} and app.list.cursor == 2
        assert lines(app)[1].startswith("●")
        await pilot.press("k", "space")
        assert app.list.selection == {"0"}
        assert app.list.chosen() == ["0"]
        app.list.clear_selection()
        assert app.list.chosen() == ["2"]


async def test_rows_of_an_older_source_are_not_shown() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        old = app.source
        app.list.show_rows([Row("x", ("Fresh", "", ""))])
        app.list.post_message(VirtualList.Fetched(old, 0, old.rows(0, PAGE)))
        await pilot.pause()
        assert "Fresh" in lines(app)[1] and app.list.count == 1


async def test_an_empty_list_stands_every_key() -> None:
    app = ListApp(count=0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "k", "G", "g", "space", "v", "*", "enter", "pagedown")
        assert not app.opened and not app.list.selection and app.list.current is None


async def test_enter_opens_the_row_under_the_cursor() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert app.opened == ["1"]


@pytest.mark.parametrize(
    ("width", "shown"), [(120, [0, 1, 2]), (44, [0, 1, 2]), (40, [0, 1]), (30, [0]), (4, [0])]
)
def test_columns_give_way_by_rank_when_it_is_narrow(width: int, shown: list[int]) -> None:
    assert [place for place, _ in widths(COLUMNS, width)] == shown


def test_a_line_is_exactly_as_wide_as_the_list_whatever_is_in_it() -> None:
    from rich.cells import cell_len

    for text in ("short", "long " * 40, "漢字" * 40, "e\u0301" * 60, ""):
        assert cell_len(line(COLUMNS, (text, text, "2024"), 80, True)) == 80
