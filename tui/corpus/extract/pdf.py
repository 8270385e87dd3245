"""PDF through pdfium: the lines of each page with the place and font of a few characters each."""

from __future__ import annotations

import re
import time

from tui.corpus import headings, metadata
from tui.corpus.document import Document, Unreadable
from tui.corpus.extract.pdf_page import Fonts, read_page
from tui.corpus.layout import Page
from tui.domain.paper import FileStatus

MOST_PAGES = 5000
_GARBLED_SHARE = 0.10
_ODD = re.compile(r"[\ufffd\ue000-\uf8ff\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f]")
# Words that make up a fifth of any prose in the languages that papers are written in.
_COMMON = frozenset(
    """
    the of and to in a is that for with as on we are by be this from an it at or not which der
    die und das ist von mit den ein eine für auf le la les des et de un une en est dans pour que
    el los del las por con para il di che per non da do dos uma com não het een van
    """.split()  # noqa: SIM905
)


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
    try:
        return _read(document, time.monotonic() + seconds)
    finally:
        document.close()


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
        named = ", ".join(map(str, lost[:20])) + ("…" if len(lost) > 20 else "")
        reason = "; ".join(filter(None, [reason, f"unreadable pages: {named}"]))
    text_characters = sum(page.characters for page in pages)
    if text_characters < 20 * max(1, len(pages)) and text_characters < 2000:
        images = sum(_has_image(document, number) for number in range(min(count, 5)))
        if not pages or (text_characters == 0 and not images):
            raise Unreadable(
                "no text in it" if pages else "not a PDF or damaged: no page is readable"
            )
        if images:
            raise Unreadable("scanned: needs OCR")
    _refuse_garbled(pages)
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


def _refuse_garbled(pages: list[Page]) -> None:
    """Refuse a text layer whose codes mean nothing: no reader would see these characters."""
    sample = " ".join(line.text for page in pages[:20] for line in page.lines)[:40_000]
    total = len(sample)
    odd = len(_ODD.findall(sample))
    if odd > _GARBLED_SHARE * total:
        raise Unreadable("garbled text: its fonts do not say which characters they show")
    foreign = 0 if sample.isascii() else sum(1 for c in sample if c > "\u02ff" and c.isalpha())
    words = re.findall(r"[A-Za-z]{2,}", sample)
    if total < 3000 or foreign > total * 0.2:
        return
    letters = "".join(words).lower()
    vowels = sum(letters.count(vowel) for vowel in "aeiouy")
    common = sum(1 for word in words if word.lower() in _COMMON)
    # Languages that the list has no words of still speak in vowels.
    strange = common < len(words) * 0.02 and vowels < len(letters) * 0.28
    if strange or len(words) < total / 60:
        raise Unreadable("garbled text: no word of it is one")
