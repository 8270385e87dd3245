"""What a LaTeX paper cites: keys resolved through its `.bib`, its `.bbl` or its own list."""

from __future__ import annotations

import re

from tui.corpus import bibliography
from tui.corpus.document import Metadata
from tui.corpus.extract.latex_macros import argument, option
from tui.corpus.extract.latex_source import Bundle, Folder
from tui.corpus.extract.latex_text import plain
from tui.corpus.identity import family_name


def library(files: Folder | Bundle, source: str) -> dict[str, Metadata]:
    """The entries of the `.bib` files that a source names, by key."""
    entries: dict[str, Metadata] = {}
    named = re.findall(
        r"\\(?:bibliography|addbibresource)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}", source
    )
    for name in ",".join(named).split(","):
        name = name.strip()  # noqa: PLW2901
        text = files.text(name if name.endswith(".bib") else f"{name}.bib") if name else None
        if text is not None:
            for entry in bibliography.read(text).bibliography:
                if not entry.problem:
                    entries.setdefault(entry.key, entry.metadata)
    return entries


def bibitems(files: Folder | Bundle, source: str, main: str) -> dict[str, tuple[str, str]]:
    """The items of a bibliography in the source or its `.bbl`, by key: (short, full)."""
    match = re.search(
        r"\\begin\{thebibliography\}.*?(?=\\end\{thebibliography\}|$)", source, re.DOTALL
    )
    text = match[0] if match else ""
    if not text:
        stem = main.rsplit(".", 1)[0]
        others = [name for name in files.names(".bbl") if name != f"{stem}.bbl"]
        for name in [f"{stem}.bbl", *others[:1]]:
            text = files.text(name) or ""
            if "\\bibitem" in text:
                break
    items: dict[str, tuple[str, str]] = {}
    parts = re.split(r"\\bibitem(?![a-zA-Z])", text)[1:]
    for number, part in enumerate(parts, 1):
        label = option(part, 0)
        key = argument(part, label[1] if label else 0)
        if key:
            told = plain(re.sub(r"\\newblock(?![a-zA-Z])", " ", part[key[1] :]))
            items[key[0].strip()] = (str(number), told)
    return {key: value for key, value in items.items() if value[1]}


def short(entry: Metadata) -> str:
    """A citation in the text: `Keller and Stein, 2019`."""
    families = [family_name(author) for author in entry.authors]
    if len(families) > 2:
        who = f"{families[0]} et al."
    else:
        who = " and ".join(families) or entry.title[:40]
    return f"{who}, {entry.year}" if entry.year else who


def full(entry: Metadata) -> str:
    """A reference as one line."""
    parts = [", ".join(entry.authors), entry.title, entry.venue, str(entry.year or "")]
    told = ". ".join(part for part in parts if part)
    return f"{told}. doi:{entry.doi}" if entry.doi else told
