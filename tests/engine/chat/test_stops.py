from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.engine.chat.stops import StopFilter


@given(st.text("ab|", max_size=30), st.lists(st.text("ab|", min_size=1, max_size=4), max_size=3))
def test_stops_are_found_however_the_text_is_cut(text: str, stops: list[str]) -> None:
    expected = text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)]
    found = StopFilter(stops)
    said = "".join(found.feed(character) for character in text)
    first = min((text.find(stop) + len(stop) for stop in stops if stop in text), default=None)
    if first is None:
        assert said + found.rest() == expected
    else:
        assert found.stopped
        assert text.startswith(said)
