"""Plain text: decoding, paragraphs, and headings where they are unmistakable."""

from __future__ import annotations

import re

from tui.corpus.document import Block, BlockKind, Document, Metadata, Unreadable
from tui.corpus.identity import find_arxiv, find_doi
from tui.corpus.names import author_names
from tui.domain.paper import SectionKind

LARGEST = 32 * 1024 * 1024
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})[.)]?\s+(\S.{0,80})")
KNOWN_HEADINGS = re.compile(
    r"(abstract|summary|introduction|background|related work|preliminaries|methods?|methodology|"
    r"materials and methods|methods and materials|experiments?|evaluation|implementation|design|"
    r"results|results and discussion|discussion|conclusions?|conclusions? and future work|"
    r"concluding remarks|limitations|future work|acknowledge?ments?|references|bibliography|"
    r"literature cited|works cited|references and notes|notes and references|appendix|appendices|"
    r"supplementary material|data availability|funding|author contributions|"
    r"conflicts? of interest)",
    re.IGNORECASE,
)
_REFERENCES = re.compile(
    r"references?( and notes)?|notes and references|bibliography|literature( cited)?|works cited",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(authors?|title|year|date|doi|arxiv|venue|journal|keywords|tags)\s*:\s*(\S.*)", re.I
)


def decode(data: bytes) -> str:
    """Text of a file in UTF-8, UTF-16 or UTF-32 with a mark, else Latin-1.

    Raises Unreadable for an empty, an oversized or a binary file.
    """
    if not data.strip():
        raise Unreadable("empty file")
    if len(data) > LARGEST:
        raise Unreadable("larger than 32 MB: no paper's text")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    sample = data[:65536]
    if sample.count(0) > len(sample) // 100:
        raise Unreadable("not text: binary data under a text file's name")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def section_kind(title: str) -> SectionKind:
    """What a section is for, by its title."""
    bare = re.sub(r"^[\dIVX]+(\.\d+)*[.)]?\s+", "", title).strip(" :.■●▪□◼").lower()
    if bare in {"abstract", "summary"}:
        return SectionKind.ABSTRACT
    if _REFERENCES.fullmatch(bare):
        return SectionKind.REFERENCES
    return SectionKind.BODY


def abstract_of(blocks: list[Block]) -> str:
    """The text of the abstract's section."""
    inside = False
    found: list[str] = []
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            if found:
                break
            inside = block.kind_of_section is SectionKind.ABSTRACT
        elif inside:
            found.append(block.text)
    return "\n\n".join(found)


def paragraphs(lines: list[str]) -> list[list[str]]:
    """Runs of lines between empty ones."""
    runs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            runs[-1].append(line.rstrip())
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def flow(lines: list[str]) -> str:
    """A paragraph's lines as one, unless they are set out as a table or a listing."""
    if sum(1 for line in lines if "   " in line.strip() or "\t" in line) > len(lines) // 2:
        return "\n".join(line.rstrip() for line in lines)
    return re.sub(r"[ \t]+", " ", " ".join(line.strip() for line in lines))


def read(data: bytes) -> Document:
    """A paper in plain text: its first line is the title; known or numbered lines are headings."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    runs = paragraphs(text.split("\n"))
    title, fields = "", {}
    blocks: list[Block] = []
    for index, run in enumerate(runs):
        if index == 0 and len(run) <= 3 and sum(map(len, run)) <= 250:
            title, rest = _title(run)
            fields.update(_fields(rest))
            if rest and not fields and (names := author_names(" ".join(rest))):
                fields["authors"] = "; ".join(names)
            continue
        if index <= 3 and not blocks and (found := _fields(run)):
            fields.update(found)
            if len(found) == len(run):
                continue
        heading, rest = _heading(run)
        if heading:
            blocks.append(heading)
        if rest:
            inside_references = _in_references(blocks)
            kind = BlockKind.REFERENCE if inside_references else BlockKind.PARAGRAPH
            whole = "\n" in (joined := flow(rest)) and not inside_references
            blocks.append(Block(BlockKind.TABLE if whole else kind, joined))
    head = text[:4000]
    authors = tuple(
        re.split(r"\s*[,;]\s*|\s+and\s+", fields.get("authors", fields.get("author", "")))
    )
    dated = fields.get("year", fields.get("date", " ".join(text[:1500].split("\n")[1:8])))
    years = re.findall(r"\b((?:19|20)\d\d)\b", dated)
    return Document(
        Metadata(
            title=fields.get("title", title),
            authors=tuple(author for author in authors if author),
            year=int(years[0]) if years else None,
            venue=fields.get("venue", fields.get("journal", "")),
            doi=find_doi(fields.get("doi", head)),
            arxiv=find_arxiv(fields.get("arxiv", head)),
            abstract=abstract_of(blocks),
        ),
        tuple(blocks),
    )


def _title(run: list[str]) -> tuple[str, list[str]]:
    """The title is the first line; a rule under it is dropped."""
    rest = [line for line in run[1:] if not re.fullmatch(r"\s*[=\-~*#]{3,}\s*", line)]
    if run and (match := _FIELD.fullmatch(run[0].strip())) and match[1].lower() == "title":
        return match[2], rest
    return run[0].strip(), rest


def _fields(run: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in run:
        match = _FIELD.fullmatch(line.strip())
        if match:
            found[match[1].lower()] = match[2].strip()
    return found


def _heading(run: list[str]) -> tuple[Block | None, list[str]]:
    """A heading at the top of a run, and the lines under it."""
    first, rest = run[0].strip(), run[1:]
    underlined = bool(rest) and re.fullmatch(r"\s*[=\-~]{3,}\s*", rest[0]) is not None
    if underlined:
        rest = rest[1:]
    bare = first.strip("#* :.").strip()
    number = _NUMBERED.fullmatch(bare)
    alone = not rest or underlined or first.endswith(":")
    known = KNOWN_HEADINGS.fullmatch(number[2].rstrip(" .:") if number else bare)
    capitals = bare.isupper() and 3 < len(bare) <= 80 and len(bare.split()) <= 10 and not rest
    numbered = (
        number is not None
        and not first.endswith((".", ",", ";"))
        and (not rest and number[2][:1].isupper())
    )
    if not ((known and (alone or len(bare) < 40)) or underlined or capitals or numbered):
        return None, run
    level = number[1].count(".") + 1 if number else 1
    return Block(BlockKind.HEADING, bare, level, kind_of_section=section_kind(bare)), rest


def _in_references(blocks: list[Block]) -> bool:
    for block in reversed(blocks):
        if block.kind is BlockKind.HEADING:
            return block.kind_of_section is SectionKind.REFERENCES
    return False
