"""The reader: wrapping, finding, walking through sections, marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import ComposeResult

from screens.base.shell import ShellApp
from widgets.reader import Document, Heading, Reader
from widgets.text_layout import find, line_at, paragraphs, wrap

TEXT = "Abstract\n\n" + "Resins harden at dusk. " * 30 + "\n\nResults\n\n" + "Bells ring. " * 400


class ReaderApp(ShellApp):
    """Nothing but a reader."""

    def compose(self) -> ComposeResult:
        yield Reader()

    @property
    def reader(self) -> Reader:
        return self.query_one(Reader)


def document(marks: tuple[tuple[int, int], ...] = ()) -> Document:
    headings = (Heading("Abstract", 0), Heading("Results", TEXT.index("Results")))
    return Document(TEXT, headings, ((0, 1), (TEXT.index("Results"), 2)), marks)


def chosen(reader: Reader) -> str:
    return reader.document.text[slice(*reader.chosen)] if reader.chosen else ""


def screen(reader: Reader) -> str:
    return "\n".join(reader.render_line(y).text for y in range(reader.size.height))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400), st.integers(8, 60))
def test_wrapping_loses_nothing_but_blanks_and_fits(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(text[a:b] for a, b in lines).replace(" ", "") == text.replace("\n", "").replace(
        " ", ""
    )
    assert all(cell_len(text[a:b]) <= width for a, b in lines)
    assert lines == sorted(lines)


@given(st.text(max_size=200), st.integers(8, 40))
def test_every_offset_has_its_line(text: str, width: int) -> None:
    lines = wrap(text, width)
    for offset in range(len(text)):
        number = line_at(lines, offset)
        assert lines[number][0] <= offset


def test_words_are_found_in_any_case_and_across_line_ends() -> None:
    assert find("At Dusk\nresins", "at dusk RESINS") == [(0, 14)]
    assert find("a.b", "a+b") == []
    assert find("text", "   ") == []


async def test_a_long_text_opens_at_its_mark() -> None:
    app = ReaderApp()
    async with app.run_test(size=(80, 20)) as pilot:
        start = TEXT.rindex("Bells")
        app.reader.show(document(((start, start + 5),)))
        await pilot.pause()
        assert app.reader.scroll_offset.y > 0


async def test_sections_are_walked_and_pages_are_named() -> None:
    app = ReaderApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.reader.show(document())
        app.reader.focus()
        await pilot.press("]")
        assert "Results" in app.reader.render_line(0).text
        assert "p. 2" in app.reader.render_line(0).text
        await pilot.press("[")
        assert "Abstract" in app.reader.render_line(0).text


async def test_found_words_are_walked_in_a_circle() -> None:
    app = ReaderApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.reader.show(document())
        app.reader.focus()
        assert app.reader.find("results") == 1
        first = app.reader.scroll_offset.y
        await pilot.press("g", "n")
        assert app.reader.scroll_offset.y == first
        assert app.reader.find("nowhere") == 0


async def test_a_narrower_window_keeps_the_place() -> None:
    app = ReaderApp()
    async with app.run_test(size=(100, 20)) as pilot:
        app.reader.show(document())
        app.reader.go_to(TEXT.index("Results"))
        await pilot.pause()
        await pilot.resize_terminal(70, 20)
        await pilot.pause()
        assert "Results" in screen(app.reader)


async def test_an_empty_text_stands_every_key() -> None:
    app = ReaderApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.reader.focus()
        await pilot.press("j", "k", "G", "g", "space", "n", "N", "]", "[", "o", "/")
        assert app.is_running


@given(st.text(alphabet="ab \n\t", max_size=80))
def test_paragraphs_hold_every_word_once_and_no_blank_line(text: str) -> None:
    found = paragraphs(text)
    assert " ".join(text[a:b] for a, b in found).split() == text.split()
    for start, end in found:
        assert text[start:end].strip() == text[start:end]
        assert all(line.strip() for line in text[start:end].split("\n"))


async def test_paragraphs_are_selected_by_keys_and_let_go_by_escape() -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 20)) as pilot:
        reader = app.reader
        reader.show(Document("First one.\n\nSecond\none.\n\n\nThird."))
        reader.focus()
        await pilot.press("v")
        assert chosen(reader) == "First one."
        await pilot.press("j", "J")
        assert chosen(reader) == "Second\none.\n\n\nThird."
        await pilot.press("K", "k")
        assert chosen(reader) == "First one."
        await pilot.press("escape")
        assert reader.chosen is None and reader.is_attached


async def test_a_selection_is_brought_into_sight() -> None:
    app = ReaderApp()
    async with app.run_test(size=(60, 20)) as pilot:
        reader = app.reader
        reader.show(Document("\n\n".join(f"Paragraph {number}." for number in range(40))))
        reader.focus()
        await pilot.press("v", *"J" * 30)
        assert "Paragraph 30." in screen(reader)
