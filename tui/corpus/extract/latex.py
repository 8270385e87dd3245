"""LaTeX papers: sections, abstract, equations as source, tables as text, citations resolved."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from tui.corpus.document import Block, BlockKind, Document, Metadata, Unreadable
from tui.corpus.extract.latex_cites import bibitems, full, library, short
from tui.corpus.extract.latex_macros import argument, collect, expand, group, option
from tui.corpus.extract.latex_source import Bundle, Folder, main_file, undrawn, unpack, whole
from tui.corpus.extract.latex_text import plain
from tui.corpus.extract.text import abstract_of, section_kind
from tui.corpus.identity import find_arxiv, find_doi
from tui.corpus.names import author_names
from tui.corpus.paths import stored
from tui.domain.paper import SectionKind

_LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3,
           "paragraph": 4, "subparagraph": 5}  # fmt: skip
_DROPPED = frozenset(
    """
    tikzpicture pgfpicture comment filecontents filecontents* thebibliography keyword keywords
    CCSXML picture tikzcd forest pgfonlayer overpic frontmatter-drop
    """.split()  # noqa: SIM905
)
_EQUATIONS = frozenset(
    """
    equation align gather multline eqnarray displaymath flalign alignat math dmath split
    subequations IEEEeqnarray
    """.split()  # noqa: SIM905
)
_TABLES = frozenset(
    """
    table tabular tabularx longtable tabulary wraptable sidewaystable supertabular
    """.split()  # noqa: SIM905
)
_FIGURES = frozenset({"figure", "wrapfigure", "sidewaysfigure", "SCfigure", "teaserfigure"})
_CODE = frozenset(
    """
    verbatim lstlisting minted Verbatim algorithm algorithmic algorithm2e alltt
    """.split()  # noqa: SIM905
)
_LISTS = frozenset({"itemize", "enumerate", "description", "compactitem", "compactenum"})
_STATEMENTS = {
    "theorem": "Theorem", "thm": "Theorem", "lemma": "Lemma", "lem": "Lemma", "proof": "Proof",
    "proposition": "Proposition", "prop": "Proposition", "corollary": "Corollary",
    "cor": "Corollary", "definition": "Definition", "defn": "Definition", "remark": "Remark",
    "example": "Example", "conjecture": "Conjecture", "claim": "Claim", "assumption": "Assumption",
}  # fmt: skip
# These are prose; what is stated is kept as source, like an equation.
_ARGUED = frozenset({"Proof", "Remark", "Example", "Note", "Notes", "Remarks", "Examples"})
_NEW_THEOREM = re.compile(
    r"\\(?:newtheorem|declaretheorem)\*?\s*(?:\[[^\]]*\]\s*)?\{([A-Za-z]+)\}(?:\s*\[[^\]]*\])?\s*"
    r"(?:\{([^{}\\]{1,60})\})?"
)
_MOST_DEPTH = 30

_EVENT = re.compile(
    r"\\begin\s*\{([A-Za-z*]+)\}|\\(part|chapter|section|subsection|subsubsection|paragraph|subparagraph)"
    r"(\*?)(?=\s*[\[{])|\\\[|\$\$|\n[ \t]*\n\s*|\\item(?![a-zA-Z])|\\par(?![a-zA-Z])"
    r"|\\caption(?=\s*[\[{])"
)


@dataclass(slots=True)
class _Reader:
    """Walks a body and collects blocks."""

    cite: dict[str, str]
    statements: dict[str, str]
    blocks: list[Block] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)

    def words(self, text: str) -> str:
        def told(key: str) -> str:
            if key not in self.cited:
                self.cited.append(key)
            return self.cite.get(key, key)

        return plain(text, told)

    def paragraph(self, text: str, lead: str = "") -> None:
        if text.strip() and (words := self.words(text)):
            self.blocks.append(Block(BlockKind.PARAGRAPH, lead + words))

    def heading(self, title: str, level: int, kind: SectionKind | None = None) -> None:
        if title:
            section = kind or section_kind(title)
            self.blocks.append(Block(BlockKind.HEADING, title, level, kind_of_section=section))

    def read(self, text: str, depth: int = 0) -> None:
        """Read a stretch of source."""
        done = 0
        lead = ""
        while event := _EVENT.search(text, done):
            self.paragraph(text[done : event.start()], lead)
            token = event[0]
            lead = ""
            done = event.end()
            if event[1]:
                done = self._environment(text, event[1], event.start(), done, depth)
            elif event[2]:
                done = self._section(text, event[2], done)
            elif token in {"\\[", "$$"}:
                end = text.find("\\]" if token == "\\[" else "$$", done)
                end = len(text) if end < 0 else end + 2
                self._equation(text[event.start() : end])
                done = end
            elif token == "\\item":
                label = option(text, done)
                if label:
                    done = label[1]
                lead = f"{self.words(label[0])} " if label and label[0].strip() else "• "
            elif token == "\\caption":
                done = self._caption(text, done)
        self.paragraph(text[done:], lead)

    def _section(self, text: str, name: str, position: int) -> int:
        short = option(text, position)
        title = argument(text, short[1] if short else position)
        if title is None:
            return position
        self.heading(self.words(title[0]), _LEVELS[name])
        return title[1]

    def _caption(self, text: str, position: int) -> int:
        short = option(text, position)
        found = argument(text, short[1] if short else position)
        if found is None:
            return position
        if words := self.words(found[0]):
            self.blocks.append(Block(BlockKind.CAPTION, words))
        return found[1]

    def _equation(self, source: str) -> None:
        source = re.sub(r"\\label\s*\{[^{}]*\}", "", source)
        source = "\n".join(line.strip() for line in source.splitlines() if line.strip())
        if source:
            self.blocks.append(Block(BlockKind.EQUATION, source))

    def _environment(self, text: str, name: str, start: int, inner: int, depth: int) -> int:
        """Read an environment; returns the offset after it. An unclosed one ends with the text."""
        body_end, end = _closing(text, name, inner)
        body = text[inner:body_end]
        bare = name.rstrip("*")
        if name in _DROPPED or bare in _DROPPED:
            return end
        if bare in _EQUATIONS:
            self._equation(text[start:end])
        elif bare in _TABLES:
            self._table(body, bare)
        elif bare in _FIGURES:
            self._captions(body, "Figure")
        elif bare in _CODE:
            self.blocks.append(Block(BlockKind.CODE, body.strip("\n")))
        elif bare == "abstract":
            self.heading("Abstract", 1, SectionKind.ABSTRACT)
            self.read(body, depth + 1)
            # What follows up to the first section is not the abstract.
            self.blocks.append(Block(BlockKind.HEADING, "", 1))
        elif depth < _MOST_DEPTH:
            if bare in self.statements and self.statements[bare] not in _ARGUED:
                self._equation(text[start:end])
            elif bare in self.statements:
                self._statement(self.statements[bare], body, depth)
            else:
                self.read(_without_arguments(body) if bare not in _LISTS else body, depth + 1)
        return end

    def _statement(self, name: str, body: str, depth: int) -> None:
        title = option(body, 0)
        if title:
            name = f"{name} ({self.words(title[0])})"
            body = body[title[1] :]
        before = len(self.blocks)
        self.read(body, depth + 1)
        if len(self.blocks) > before and self.blocks[before].kind is BlockKind.PARAGRAPH:
            first = self.blocks[before]
            self.blocks[before] = Block(first.kind, f"{name}. {first.text}")

    def _captions(self, body: str, name: str) -> str:
        found = []
        for match in re.finditer(r"\\caption(?:of\s*\{\w+\})?", body):
            short = option(body, match.end())
            text = argument(body, short[1] if short else match.end())
            if text and (words := self.words(text[0])):
                found.append(words)
        caption = f"{name}: {' '.join(found)}" if found else ""
        if caption and name == "Figure":
            self.blocks.append(Block(BlockKind.CAPTION, caption))
        return caption

    def _table(self, body: str, name: str) -> None:
        caption = self._captions(body, "Table")
        rows: list[str] = []
        bodies = [
            body[m.end() : _closing(body, m[1], m.end())[0]]
            for m in re.finditer(r"\\begin\s*\{((?:tabular|longtable|supertabular)[x*y]?)\}", body)
        ]
        if not bodies and name != "table":
            bodies = [body]
        for inner in bodies:
            rows += self._rows(_without_arguments(inner))
        text = "\n".join(filter(None, [caption, *rows]))
        if text:
            kind = BlockKind.CAPTION if caption else BlockKind.TABLE
            self.blocks.append(Block(kind, text))

    def _rows(self, body: str) -> list[str]:
        body = re.sub(
            r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead|endfoot)\b", "", body
        )
        body = re.sub(
            r"\\(?:cline|cmidrule|caption)(?:\([^)]*\))?\s*(?:\[[^\]]*\])?\s*\{[^{}]*\}", "", body
        )
        body = re.sub(
            r"\\multicolumn\s*\{[^{}]*\}\s*\{[^{}]*\}|\\multirow\s*\{[^{}]*\}\s*\{[^{}]*\}",
            "",
            body,
        )
        rows = []
        for row in re.split(r"\\\\(?:\s*\[[^\]]*\])?", body):
            cells = [self.words(cell) for cell in re.split(r"(?<!\\)&", row)]
            if any(cells):
                rows.append(" | ".join(cells))
        return rows


def _closing(text: str, name: str, inner: int) -> tuple[int, int]:
    """Where an environment's body ends, and the offset after its `\\end`."""
    depth = 1
    for match in re.compile(rf"\\(begin|end)\s*\{{{re.escape(name)}\}}").finditer(text, inner):
        depth += 1 if match[1] == "begin" else -1
        if depth == 0:
            return match.start(), match.end()
    return len(text), len(text)


def _without_arguments(body: str) -> str:
    """An environment's body without the options and widths right after its `\\begin`."""
    position = 0
    while True:
        found = option(body, position) if body[position : position + 1] == "[" else None
        found = found or (group(body, position) if body[position : position + 1] == "{" else None)
        if not found:
            return body[position:]
        position = found[1]


def read(path: str) -> Document:
    """A main file with its parts, which all lie in its folder."""
    folder, name = os.path.split(path)
    files = Folder(folder)
    document = _read(files, name, "")
    parts = tuple(part for part in files.parts if part != stored(os.path.normpath(path)))
    return Document(document.metadata, document.blocks, 0, parts)


def read_archive(data: bytes, name: str = "") -> Document:
    """An arXiv bundle; `name` is the file's, which often is its identifier."""
    bundle = unpack(data)
    return _read(bundle, main_file(bundle), name)


def _read(files: Folder | Bundle, main: str, name: str) -> Document:
    source = undrawn(whole(files, main))
    macros, source = collect(source)
    source = expand(source, macros)
    preamble, begin, body = source.partition("\\begin{document}")
    if not begin:
        preamble, body = "", source
    body = body.split("\\end{document}", 1)[0]
    entries = library(files, source)
    items = bibitems(files, source, main)
    reader = _Reader(
        {
            **{key: text for key, (text, _) in items.items()},
            **{k: short(m) for k, m in entries.items()},
        },
        {**_STATEMENTS, **{m[1]: m[2] or m[1].title() for m in _NEW_THEOREM.finditer(preamble)}},
    )
    loose_abstract = _argument_of(source, "abstract")
    if loose_abstract:
        reader.heading("Abstract", 1, SectionKind.ABSTRACT)
        reader.read(loose_abstract)
        body = body.replace(loose_abstract, "", 1)
    title = _argument_of(source, "title")
    authors = _authors(source)
    reader.read(_without_front(body))
    blocks = _trimmed(reader.blocks)
    if not any(block.kind is not BlockKind.HEADING for block in blocks):
        raise Unreadable("no text in it")
    references = [full for _, full in items.values()]
    if not references:
        keys = (
            list(entries) if "\\nocite{*}" in source else [k for k in reader.cited if k in entries]
        )
        references = [full(entries[key]) for key in keys]
    if references:
        blocks.append(
            Block(BlockKind.HEADING, "References", 1, kind_of_section=SectionKind.REFERENCES)
        )
        blocks += [Block(BlockKind.REFERENCE, entry) for entry in references]
    dated = " ".join(
        _argument_of(source, n) for n in ("date", "copyrightyear", "acmYear", "pubyear", "year")
    )
    years = re.findall(r"\b((?:19|20)\d\d)\b", dated)
    return Document(
        Metadata(
            title=plain(title.replace("\\\\", " ")) if title else "",
            authors=authors,
            year=int(years[0]) if years else None,
            doi=find_doi(_argument_of(source, "doi") or body[:3000]),
            arxiv=_arxiv_name(name) or find_arxiv(preamble[:5000]),
            abstract=abstract_of(blocks),
        ),
        tuple(blocks),
    )


def _arxiv_name(path: str) -> str:
    """The identifier that arXiv's own file names begin with."""
    match = re.match(r"(?:arxiv[-_.]?)?(\d{4}\.\d{4,5})(?:v\d+)?\b", os.path.basename(path), re.I)  # noqa: PTH119
    return match[1] if match else ""


def _trimmed(blocks: list[Block]) -> list[Block]:
    """Blocks without empty headings; text after an abstract and before a section keeps its own."""
    kept: list[Block] = []
    for index, block in enumerate(blocks):
        if block.kind is BlockKind.HEADING and not block.text:
            after = blocks[index + 1] if index + 1 < len(blocks) else None
            if after is None or after.kind is BlockKind.HEADING:
                continue
            block = Block(BlockKind.HEADING, "Text", 1)  # noqa: PLW2901
        kept.append(block)
    return kept


def _argument_of(source: str, command: str) -> str:
    for match in re.finditer(rf"\\{command}\*?(?![a-zA-Z])", source):
        short = option(source, match.end())
        found = argument(source, short[1] if short else match.end())
        if found and len(found[0]) > 1 and not found[0].startswith("\\"):
            return found[0]
    return ""


_FRONT = (
    "title", "author", "date", "thanks", "keywords", "affiliation", "affil", "address",
    "email", "institute", "maketitle", "doi", "abstract", "authorrunning",
    "titlerunning", "markboth", "icmltitle", "ccsdesc", "acmConference", "pacs",
)  # fmt: skip


def _without_front(body: str) -> str:
    for command in _FRONT:
        position = 0
        while match := re.compile(rf"\\{command}\*?(?![a-zA-Z])").search(body, position):
            end = match.end()
            while found := option(body, end):
                end = found[1]
            given = group(body, end)
            end = given[1] if given else end
            body = body[: match.start()] + body[end:]
            position = match.start()
    return body


_BESIDE_NAMES = re.compile(
    r"\\(?:thanks|footnote|inst|orcid|affil|textsuperscript|IEEEauthorblockA|email|thanksref)"
    r"\s*(?:\[[^\]]*\])?\s*\{(?:[^{}]|\{[^{}]*\})*\}|\$[^$]*\$"
)


def _authors(source: str) -> tuple[str, ...]:
    """Names in all `\\author` commands, without thanks and affiliations."""
    names: list[str] = []
    for match in re.finditer(r"\\(?:icml)?author\*?(?![a-zA-Z])", source):
        short = option(source, match.end())
        found = argument(source, short[1] if short else match.end())
        if found is None:
            continue
        text = _BESIDE_NAMES.sub(" ", found[0])
        for part in re.split(r"\\(?:and|AND|And)(?![a-zA-Z])", text):
            # An author's own lines come first, those of the affiliation after a line break.
            lines = re.split(r"\\\\|\\newline", part)
            first = next((line for line in lines if plain(line)), "")
            told = plain(re.sub(r"\\IEEEauthorblockN", " ", first))
            names += author_names(told) or (
                [told] if 0 < len(told.split()) <= 5 and "@" not in told else []
            )
    return tuple(dict.fromkeys(names))
