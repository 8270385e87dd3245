"""The frame: what stays when there is little room."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from widgets.path_input import complete
from widgets.status import Hint, chosen, fit

HINTS = (Hint("?", "Help", 99), Hint("a", "Add", 2), Hint("/", "Filter", 1), Hint("x", "Rest", 50))


@pytest.mark.parametrize("width", range(0, 60))
def test_the_footer_never_overflows_and_always_names_the_help(width: int) -> None:
    kept = chosen(HINTS, width)
    assert kept[-1].label == "Help"
    size = sum(cell_len(hint.key) + cell_len(hint.label) + 3 for hint in kept)
    assert size <= max(width, size if len(kept) == 1 else 0)


def test_the_most_important_keys_go_first() -> None:
    assert [hint.label for hint in chosen(HINTS, 80)] == ["Filter", "Add", "Rest", "Help"]
    assert [hint.label for hint in chosen(HINTS, 20)] == ["Filter", "Help"]


@pytest.mark.parametrize("width", [0, 1, 5, 12, 40])
def test_a_text_is_cut_to_its_cells(width: int) -> None:
    for text in ("plain words", "漢字漢字漢字", ""):
        assert cell_len(fit(text, width)) <= width


def test_a_path_is_completed_to_the_first_entry(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "paper.pdf").touch()
    (tmp_path / "pa\x1bper").touch()
    assert complete(f"{tmp_path}/pap") == f"{tmp_path}/paper.pdf"
    assert complete(f"{tmp_path}/pap", folders=True) == f"{tmp_path}/papers/"
    assert complete(f"{tmp_path}/zzz") is None
    assert complete("/nowhere/at/all") is None
    assert complete("") is None
