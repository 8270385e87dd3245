"""Markdown with YAML front matter."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tui.corpus.document import Block, BlockKind, Document, Metadata, Unreadable
from tui.corpus.extract.text import abstract_of, decode, flow, section_kind
from tui.corpus.identity import find_arxiv, find_doi
from tui.domain.paper import SectionKind

# Front matter is a page at most; larger, or with anchors (which can grow a thousandfold when
# expanded), it is read as text.
_LARGEST_FRONT = 64 * 1024
_FRONT = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_CAPTION = re.compile(r"[*_]*(table|figure|fig\.)\s*\d+[.:]?[*_]*", re.IGNORECASE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?:[^()]|\([^()]*\))*\)")
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*|__|\*)(?=\S)(.+?)(?<=\S)\1(?![\w*])")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def read(data: bytes) -> Document:
    """A Markdown paper; its title comes from the front matter, else from the first heading."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    front, text = _front_matter(text)
    blocks = _blocks(_COMMENT.sub("", text))
    title = _string(front.get("title"))
    first = next((b for b in blocks if b.kind is BlockKind.HEADING), None)
    if first is not None and blocks[0] is first and (not title or title == first.text):
        title = title or first.text
        if first.kind_of_section is SectionKind.BODY and first.level == 1:
            blocks = blocks[1:]
    blocks = _raised(blocks)
    if not blocks and not title:
        raise Unreadable("no text in it")
    abstract = _string(front.get("abstract")) or abstract_of(blocks)
    if abstract and not any(b.kind_of_section is SectionKind.ABSTRACT for b in blocks):
        opening = Block(BlockKind.HEADING, "Abstract", 1, kind_of_section=SectionKind.ABSTRACT)
        blocks = [opening, Block(BlockKind.PARAGRAPH, abstract), *blocks]
    years = re.findall(r"\b(1[5-9]\d\d|20\d\d)\b", _string(front.get("year") or front.get("date")))
    return Document(
        Metadata(
            title=title,
            authors=_names(front.get("authors", front.get("author"))),
            year=int(years[0]) if years else None,
            venue=_string(front.get("venue") or front.get("journal") or front.get("booktitle")),
            doi=find_doi(_string(front.get("doi")) or text[:2000]),
            arxiv=find_arxiv(_string(front.get("arxiv") or front.get("eprint")) or text[:2000]),
            abstract=abstract,
            tags=_list(front.get("tags", front.get("keywords"))),
        ),
        tuple(blocks),
    )


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    text = text.lstrip("\ufeff")
    match = _FRONT.match(text)
    if not match or len(match[1]) > _LARGEST_FRONT:
        return {}, text
    import yaml

    try:
        if any(
            isinstance(event, yaml.AliasEvent) for event in yaml.parse(match[1], yaml.SafeLoader)
        ):
            return {}, text
        value = yaml.safe_load(match[1])
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}, text[match.end() :]
    rest = text[match.end() :]
    return ({str(k).lower(): v for k, v in value.items()} if isinstance(value, dict) else {}), rest


def _string(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) or hasattr(value, "year") else ""


def _list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part for part in re.split(r"\s*[,;]\s*", value) if part)
    return tuple(filter(None, map(_string, value))) if isinstance(value, list) else ()


def _names(value: Any) -> tuple[str, ...]:
    """Authors as a list of strings, of {name: …} or {given:, family:}, or one string."""
    if isinstance(value, str):
        parts = re.split(r"\s*;\s*|\s+and\s+", value)
        return tuple(filter(None, parts if len(parts) > 1 else re.split(r"\s*,\s*", value)))
    names = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            given = f"{_string(item.get('given'))} {_string(item.get('family'))}".strip()
            names.append(_string(item.get("name")) or given)
        else:
            names.append(_string(item))
    return tuple(filter(None, names))


def _raised(blocks: list[Block]) -> list[Block]:
    """Blocks whose highest heading is of level 1: many begin at `##` under their title."""
    highest = min((b.level for b in blocks if b.kind is BlockKind.HEADING), default=1)
    return [
        replace(block, level=block.level - highest + 1)
        if block.kind is BlockKind.HEADING
        else block
        for block in blocks
    ]


def plain(text: str) -> str:
    """Words without the marks of emphasis, links and images."""
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    return _EMPHASIS.sub(r"\2", text)


def _blocks(text: str) -> list[Block]:
    blocks: list[Block] = []
    run: list[str] = []
    references = False

    def close() -> None:
        if run:
            blocks.extend(_paragraph(run, references))
            run.clear()

    lines = iter(text.split("\n"))
    for line in lines:
        fence = _FENCE.match(line)
        if fence:
            close()
            code = [line]
            for inner in lines:
                code.append(inner)
                if inner.strip().startswith(fence[1]) and not inner.strip().strip(fence[1][0]):
                    break
            blocks.append(Block(BlockKind.CODE, "\n".join(code)))
            continue
        if line.strip().startswith("$$"):
            close()
            equation = [line]
            if line.strip().count("$$") < 2:
                for inner in lines:
                    equation.append(inner)
                    if "$$" in inner:
                        break
            blocks.append(Block(BlockKind.EQUATION, "\n".join(equation).strip()))
            continue
        heading = _HEADING.fullmatch(line)
        underline = len(run) == 1 and re.fullmatch(r"(=+|-+)[ \t]*", line)
        if heading or underline:
            title = plain(heading[2] if heading else run[0])
            level = len(heading[1]) if heading else (1 if line[0] == "=" else 2)
            if underline:
                run.clear()
            close()
            kind = section_kind(title)
            references = kind is SectionKind.REFERENCES
            blocks.append(Block(BlockKind.HEADING, title, level, kind_of_section=kind))
        elif line.strip():
            run.append(line)
        else:
            close()
    close()
    return blocks


def _paragraph(run: list[str], references: bool) -> list[Block]:
    if references:
        entries: list[str] = []
        for line in run:
            if re.match(r"\s*(?:[-*+]|\d+[.)]|\[\^?[\w-]+\]:?)\s", line) or not entries:
                entries.append(re.sub(r"^\s*[-*+]\s+", "", line).strip())
            else:
                entries[-1] += " " + line.strip()
        return [Block(BlockKind.REFERENCE, plain(entry)) for entry in entries]
    if sum(line.lstrip().startswith("|") for line in run) >= 2:
        return [Block(BlockKind.TABLE, "\n".join(plain(line.rstrip()) for line in run))]
    if re.match(r"\s*(?:[-*+]|\d+[.)])\s", run[0]):
        return [Block(BlockKind.PARAGRAPH, "\n".join(plain(line.rstrip()) for line in run))]
    text = plain(flow([re.sub(r"^\s*>\s?", "", line) for line in run]))
    return [Block(BlockKind.CAPTION if _CAPTION.match(text) else BlockKind.PARAGRAPH, text)]
