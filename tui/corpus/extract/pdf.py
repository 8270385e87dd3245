"""PDF through pdfium: the lines of each page with the place and font of a few characters each."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Sequence

from tui.corpus import headings, metadata
from tui.corpus.document import Document, Unreadable
from tui.corpus.extract.garbled import garbled_pages, is_garbled
from tui.corpus.extract.pdf_page import Fonts, read_page
from tui.corpus.layout import Page
from tui.domain.paper import FileStatus

MOST_PAGES = 5000


def read(data: bytes, seconds: float) -> Document:
    """Read a PDF; after `seconds` it stops and keeps the pages it has.

    Raises Unreadable: "password needed", "not a PDF or damaged", "scanned: needs OCR",
    "garbled text".
    """
    import pypdfium2

    if not data:
        raise Unreadable("empty file")
    if b"%PDF-" not in data[:4096] and re.match(rb"\s*(<!doctype html|<html)", data[:1024], re.I):
        raise Unreadable("not a PDF: a web page saved under a PDF's name")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        text = str(error).lower()
        if "password" in text or "security" in text:
            raise Unreadable("password needed") from error
        raise Unreadable("not a PDF or damaged") from error
    # Lines and blocks are many and hold no cycles: looking for some costs time and finds none.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _read(document, time.monotonic() + seconds)
    finally:
        document.close()
        if collecting:
            gc.enable()


def _read(document: object, deadline: float) -> Document:
    count = len(document)  # type: ignore[arg-type]
    if not count:
        raise Unreadable("not a PDF or damaged: it has no pages")
    pages: list[Page] = []
    lost: list[int] = []
    fonts = Fonts()
    reason = ""
    for number in range(min(count, MOST_PAGES)):
        if time.monotonic() > deadline:
            reason = f"pages {number + 1} to {count} were left: reading took too long"
            break
        try:
            page = read_page(document, number, fonts)
        except Exception:
            lost.append(number + 1)
            continue
        pages.append(page)
    if count > MOST_PAGES and not reason:
        reason = f"pages {MOST_PAGES + 1} to {count} were left: too many for a paper"
    if lost:
        reason = "; ".join(filter(None, [reason, f"unreadable pages: {_named(lost)}"]))
    text_characters = sum(page.characters for page in pages)
    if text_characters < 20 * max(1, len(pages)) and text_characters < 2000:
        images = sum(_has_image(document, number) for number in range(min(count, 5)))
        if not pages or (text_characters == 0 and not images):
            raise Unreadable(
                "no text in it" if pages else "not a PDF or damaged: no page is readable"
            )
        if images:
            raise Unreadable("scanned: needs OCR")
    pages, reason = _legible(pages, reason)
    outline = _outline(document)
    told = {str(key): str(value) for key, value in _told(document).items()}
    front, rest = metadata.front_matter(pages, told)
    blocks = headings.structure(rest, outline)
    return Document(
        metadata.complete(front, blocks),
        tuple(blocks),
        pages=count,
        status=FileStatus.PARTLY if reason else FileStatus.READ,
        reason=reason,
    )


def _told(document: object) -> dict[str, str]:
    try:
        return dict(document.get_metadata_dict())  # type: ignore[attr-defined]
    except Exception:
        return {}


def _outline(document: object) -> list[tuple[int, str]]:
    """The outline's titles with their levels, counted from 1."""
    found = []
    try:
        for item in document.get_toc(max_depth=5):  # type: ignore[attr-defined]
            title = getattr(item, "title", None) or item.get_title()
            if title:
                found.append((int(item.level) + 1, str(title)))
            if len(found) >= 2000:
                break
    except Exception:
        return found
    return found


def _has_image(document: object, number: int) -> bool:
    from pypdfium2 import raw

    try:
        page = document[number]  # type: ignore[index]
        return any(item.type == raw.FPDF_PAGEOBJ_IMAGE for item in page.get_objects(max_depth=3))
    except Exception:
        return True


def _legible(pages: list[Page], reason: str) -> tuple[list[Page], str]:
    """The pages whose text means something, and the reason why others are left out."""
    garbled = garbled_pages(pages)
    kept = [page for page in pages if page not in garbled] if garbled else pages
    if (garbled and sum(page.characters for page in kept) < 500) or is_garbled(kept):
        raise Unreadable("garbled text: its fonts do not say which characters they show")
    if garbled:
        named = _named([page.number for page in garbled])
        reason = "; ".join(filter(None, [reason, f"garbled text on pages {named}"]))
    return kept, reason


def _named(numbers: Sequence[int]) -> str:
    """Page numbers for people, runs of them as one."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    named = [str(a) if a == b else f"{a}–{b}" for a, b in runs[:20]]
    return ", ".join(named) + ("…" if len(runs) > 20 else "")
