from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.corpus.document import Extracted, Unreadable
from tui.corpus.extract import extract
from tui.corpus.extract.latex_macros import collect, expand
from tui.domain.paper import FileKind, SectionKind

MAIN = r"""\documentclass[11pt]{article}
\usepackage{amsmath} % \title{Not this one}
\newcommand{\river}{Mirewick}
\newcommand{\mass}[2][kg]{#2 #1}
\def\half#1{one half of #1}
\title{Pebbles of the \river: \\ a study\thanks{Paid by nobody}}
\author{Zo\"e Harrowgate\inst{1} \and Beno\^{\i}t Castellane \and Łukasz van der Berg}
\date{March 2021}
\begin{document}
\maketitle
\begin{abstract}
We weigh pebbles of the \river{} and find \mass{3}, and 5\% more in winter.
\end{abstract}
\section{Introduction}\label{sec:intro}
Pebbles are known \cite{keller2019, lindgren2020} to be heavy~\citep[p.~3]{keller2019}.
% a comment that must go
See \ref{sec:intro} for \half{it}, ``quoted'' words--- and $E = mc^2$ inline.
\begin{equation}\label{eq:one}
  m = \frac{a}{b} % mass
\end{equation}
\input{sections/methods}
\input{/etc/passwd}
\input{../secret}
\include{main}
\begin{tikzpicture}\draw (0,0) -- (1,1) node {TIKZ};\end{tikzpicture}
\begin{table}\caption{Weights of pebbles}
\begin{tabular}{lr}\toprule Kind & Weight \\ \midrule Grey & 12 \\
White & \textbf{8} \\ \end{tabular}
\end{table}
\begin{theorem}[Pebbles]Every pebble is a stone.\end{theorem}
\begin{itemize}\item first thing \item second thing\end{itemize}
\bibliography{refs}
\end{document}
After the end.
"""
BIB = """@article{keller2019, author={Keller, Anna and Stein, Bo}, title={The {Grey} Pebble},
journal={Annals}, year={2019}}
@broken{
@article{lindgren2020, author={Lindgren, B. and A, B and C, D}, title={White Pebbles}, year=2020}
"""


def read(path: Path, *, archive: bool = False) -> Extracted:
    return extract(str(path), FileKind.LATEX, archive=archive, seconds=60)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    folder = tmp_path / "paper"
    (folder / "sections").mkdir(parents=True)
    (tmp_path / "secret.tex").write_text("SECRET")
    (folder / "main.tex").write_text(MAIN)
    (folder / "refs.bib").write_text(BIB)
    (folder / "sections" / "methods.tex").write_text("\\subsection{Methods}\nWe weighed them.\n")
    (folder / "sections" / "out.tex").symlink_to(tmp_path / "secret.tex")
    return folder / "main.tex"


def test_a_folder_is_read_as_one_paper(main: Path) -> None:
    found = read(main)
    assert found.metadata.title == "Pebbles of the Mirewick: a study"
    assert found.metadata.authors == (
        "Zoë Harrowgate", "Benoît Castellane", "Łukasz van der Berg",
    )  # fmt: skip
    assert found.metadata.year == 2021
    assert found.metadata.abstract == (
        "We weigh pebbles of the Mirewick and find 3 kg, and 5% more in winter."
    )
    assert [s.path for s in found.sections] == [
        "Abstract", "Introduction", "Introduction > Methods", "References",
    ]  # fmt: skip
    assert {Path(part).name for part in found.parts} == {"methods.tex", "refs.bib"}


def test_citations_are_resolved_and_references_listed(main: Path) -> None:
    found = read(main)
    assert "known [Keller and Stein, 2019; Lindgren et al., 2020] to be" in found.text
    assert "heavy [Keller and Stein, 2019, p. 3]." in found.text
    assert found.references[0] == "Anna Keller, Bo Stein. The Grey Pebble. Annals. 2019"
    assert len(found.references) == 2


def test_equations_stay_source_and_tables_become_text(main: Path) -> None:
    found = read(main)
    assert "$E = mc^2$" in found.text
    assert "\\begin{equation}\nm = \\frac{a}{b}\n\\end{equation}" in found.text
    assert "Table: Weights of pebbles\nKind | Weight\nGrey | 12\nWhite | 8" in found.text
    captions = [s for s in found.spans if s.kind is SectionKind.CAPTION]
    assert len(captions) == 1
    assert "\\begin{theorem}[Pebbles]Every pebble is a stone.\\end{theorem}" in found.text
    assert "• first thing" in found.text
    assert "one half of it, “quoted” words" in found.text


ODD = r"""\documentclass{article}
\newtheorem{mythm}{Main Result}
\newtheorem{rem}{Remark}
\title{A paper of odd things}
\begin{document}
\section{One}
Before \verb|100% sure| and \url{http://x.y/%20z} after. See \cite{k}. % a comment with \url{a%b}
\begin{mythm}[Big]\label{t} Let $f$ hold. \begin{equation} a=b \end{equation} Done.\end{mythm}
\begin{rem} A remark is prose. \end{rem}
Drawn: \tikz{\draw (0,0) -- (1,1);} and \tikz[scale=2] \draw (2,2) -- (3,3); here.
\iffalse switched off \fi
\verbatiminput{/etc/passwd}\lstinputlisting{/etc/passwd}
\end{document}"""


def test_signs_statements_and_drawings_are_told_apart(main: Path) -> None:
    main.write_text(ODD)
    text = read(main).text
    assert "after. See [k]." in text
    assert "100% sure" in text
    source = (
        "\\begin{mythm}[Big] Let $f$ hold. \\begin{equation} a=b \\end{equation} Done.\\end{mythm}"
    )
    assert source in text
    assert "Remark. A remark is prose." in text
    assert "Drawn: and here." in text
    for absent in ("(0,0)", "(2,2)", "switched off", "passwd", "comment"):
        assert absent not in text


def test_nothing_outside_the_folder_is_read_and_what_is_no_text_is_dropped(main: Path) -> None:
    main.write_text(MAIN.replace("\\include{main}", "\\input{sections/out}"))
    text = read(main).text
    for absent in ("root:", "SECRET", "TIKZ", "comment", "After the end", "Not this one", "label"):
        assert absent not in text


def test_macros_that_grow_without_end_stop_at_a_bound() -> None:
    source = "".join(
        f"\\newcommand{{\\{chr(97 + n)}x}}{{\\{chr(98 + n)}x\\{chr(98 + n)}x}}" for n in range(24)
    )
    macros, rest = collect(source + "\\newcommand{\\zz}{\\zz\\zz}\\ax \\zz")
    assert "zz" not in macros
    assert len(expand(rest, macros)) < 5_000_000


def bundle(files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return raw.getvalue()


def test_an_arxiv_bundle_is_read_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "2401.01234v2.tar.gz"
    path.write_bytes(
        bundle(
            {
                "ms.tex": MAIN.encode(),
                "refs.bib": BIB.encode(),
                "../evil.tex": b"EVIL",
                "sections/methods.tex": b"\\subsection{Methods} In a bundle.",
            }
        )
    )
    found = read(path, archive=True)
    assert found.metadata.arxiv == "2401.01234"
    assert "In a bundle." in found.text
    assert not found.parts
    single = tmp_path / "2401.01235.gz"
    single.write_bytes(gzip.compress(MAIN.encode()))
    assert read(single, archive=True).metadata.title.startswith("Pebbles")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(b"\0" * 20_000_000), "bomb|without a LaTeX paper"),
        (gzip.compress(b"x" * 20_000_000), "decompression bomb"),
        (b"\x1f\x8b garbage", "damaged archive"),
        (gzip.compress(MAIN.encode())[:200], "damaged archive"),
        (bundle({"readme.txt": b"nothing"}), "without a LaTeX paper"),
    ],
    ids=["zeros", "letters", "garbage", "cut", "no-paper"],
)
def test_hostile_bundles_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=reason):
        read(path, archive=True)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="\\{}[]$%&~ab \n#1begindsectoqu*", max_size=300))
def test_any_source_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    path = tmp_path_factory.mktemp("tex") / "x.tex"
    path.write_text(f"\\documentclass{{article}}\\begin{{document}}{body}\\end{{document}}")
    try:
        assert read(path).text
    except Unreadable as refusal:
        assert str(refusal)
