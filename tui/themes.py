"""The themes that ship with papertune, read from `assets/themes`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from textual.theme import Theme

DEFAULT = "papertune-dark"


@cache
def themes() -> tuple[Theme, ...]:
    """Dark, light and sixteen-colour, in the order in which one key walks through them."""
    folder = resources.files("assets.themes")
    names = ("papertune-dark", "papertune-light", "papertune-ansi")
    return tuple(
        Theme(**tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")))
        for name in names
    )


def variable_defaults() -> dict[str, str]:
    """Our own colour variables for themes that do not set them (textual's built-in ones)."""
    return dict(themes()[0].variables)
