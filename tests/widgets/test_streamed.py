"""Markdown that grows is drawn as if it had been there whole."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from widgets.streamed import Streamed, markdown_lines

TEXT = (
    "## A heading\n\nThe resin **set hard** at 283 kelvin [1], which is `below` what the older "
    "tables give.\n\n- one\n- two, which goes on for longer than the line is wide\n\n```python\n"
    "hours = 6\n\ndays = 2\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end, with 漢字 in it."
)


class Growing(App[None]):
    """One answer in a scrolled place."""

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Streamed()


def _drawn(widget: Streamed) -> list[str]:
    return [strip.text.rstrip() for strip in widget.render_lines(widget.size.region)]


async def test_words_that_come_one_by_one_are_drawn_like_the_whole_at_once() -> None:
    app = Growing()
    async with app.run_test(size=(40, 60)) as pilot:
        widget = app.query_one(Streamed)
        for start in range(0, len(TEXT), 7):
            widget.append(TEXT[start : start + 7])
            await pilot.pause()
            # No line of before is left behind where only some were drawn anew.
            whole = [s.text.rstrip() for s in markdown_lines(widget.text, widget.size.width)]
            assert _drawn(widget) == (whole or [""])
        assert widget.text == TEXT
