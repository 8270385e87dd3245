"""LaTeX markup of running text as plain words; mathematics stays as source."""

from __future__ import annotations

import re
from collections.abc import Callable

_REMOVED = re.compile(
    r"\\(?:label|vspace|hspace|vskip|hskip|includegraphics|graphicspath|bibliographystyle|pagestyle|thispagestyle|"
    r"verbatiminput|VerbatimInput|lstinputlisting|inputminted|includepdf|includestandalone|import|subimport|subfile|"
    r"setlength|addtolength|setcounter|addtocounter|index|nocite|phantomsection|input|include|pacs|"
    r"orcid|orcidlink|inst|fnmsep|affiliation|email|address|institute|affil|thanks|corref|cortext|ead|fnref)"
    r"\*?(?:\s*\[[^\]]*\])*(?:\s*\{(?:[^{}]|\{[^{}]*\})*\})+"
)
_CITE = re.compile(
    r"~?\s*\\(?:no)?(?:full|foot|text|paren|auto|smart|super)?[cC]ite(?:[a-zA-Z]*)\*?"
    r"(?:\s*\[([^\[\]]*)\])?(?:\s*\[([^\[\]]*)\])?\s*\{([^{}]*)\}"
)
_REF = re.compile(r"\\(?:eqref|autoref|cref|Cref|ref|pageref|nameref|vref)\*?\s*\{([^{}]*)\}")
_FOOTNOTE = re.compile(
    r"\\footnote(?:text)?\s*(?:\[\d*\])?\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
)
_HREF = re.compile(r"\\href\s*\{[^{}]*\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_LAYOUT = re.compile(
    r"\\(?:noindent|indent|newpage|clearpage|cleardoublepage|pagebreak|linebreak|medskip|smallskip|"
    r"bigskip|centering|raggedright|maketitle|tableofcontents|par|hfill|vfill|null|protect|sloppy|"
    r"frontmatter|mainmatter|backmatter|appendix|balance|normalsize|small|footnotesize|scriptsize|tiny|large|Large|LARGE|"
    r"huge|Huge|bfseries|itshape|rmfamily|sffamily|ttfamily|scshape|normalfont|em|bf|it|rm|sc|tt)(?![a-zA-Z])\s*"
)
_COLOURED = re.compile(r"\\(?:textcolor|colorbox)\s*\{[^{}]*\}|\\color\s*\{[^{}]*\}")
# In these a percent sign is one, and braces and backslashes are shown.
_LITERAL = re.compile(r"\\verb\*?([^A-Za-z\s*])(.*?)\1|\\(?:url|nolinkurl|path)\s*\{([^{}]*)\}")
_MATHS = re.compile(r"\$[^$]*\$|\\\(.*?\\\)", re.DOTALL)
_HOLD = "\ue000{}\ue001"
_HELD = re.compile("\ue000(\\d+)\ue001")


def plain(text: str, cite: Callable[[str], str] | None = None) -> str:
    """Words of a stretch of LaTeX on one line; `cite` turns a citation key into words.

    Inline mathematics is kept as it was written.
    """
    held: list[str] = []

    def keep(told: str) -> str:
        held.append(" ".join(told.split()))
        return _HOLD.format(len(held) - 1)

    if "\\verb" in text or "\\url" in text:
        text = _LITERAL.sub(lambda match: keep(match[2] or match[3] or ""), text)
    text = _REMOVED.sub("", text)

    def cited(match: re.Match[str]) -> str:
        if match[0].lstrip("~ \n").startswith("\\nocite"):
            return ""
        keys = [key.strip() for key in match[3].split(",") if key.strip()]
        told = "; ".join(cite(key) if cite else key for key in keys)
        note = match[2] if match[2] is not None else match[1]
        return f" [{told}{', ' + note if note else ''}]" if told else ""

    text = _CITE.sub(cited, text)
    text = _REF.sub(lambda match: match[1].rsplit(":", 1)[-1], text)
    text = _FOOTNOTE.sub(r" (\1)", text)
    text = _HREF.sub(r"\1", text)
    text = _COLOURED.sub("", _LAYOUT.sub("", text))
    text = _MATHS.sub(lambda match: keep(match[0]), text)
    if "\\" in text or "{" in text or "~" in text or "``" in text or "--" in text:
        text = _converter()(text)
    text = _HELD.sub(lambda m: held[int(m[1])] if int(m[1]) < len(held) else "", text)
    return " ".join(text.split())


_CONVERTER: list[Callable[[str], str]] = []


def _converter() -> Callable[[str], str]:
    """pylatexenc's conversion, made once a process: its tables take a while to build."""
    if not _CONVERTER:
        import logging

        from pylatexenc.latex2text import LatexNodes2Text

        logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
        converter = LatexNodes2Text(math_mode="verbatim", strict_latex_spaces=False)

        def convert(text: str) -> str:
            try:
                return str(converter.latex_to_text(text, tolerant_parsing=True))
            except (ValueError, RecursionError, IndexError, AttributeError, TypeError):
                return re.sub(r"\\[a-zA-Z]+\*?|[{}]", " ", text)

        _CONVERTER.append(convert)
    return _CONVERTER[0]
