"""Examples out of files that others wrote, in whichever of the known forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui.datasets.content import cleaned
from tui.datasets.frozen import MANIFEST, examples_beside, examples_in
from tui.datasets.pairs import Grounding, ReadPair, example_of
from tui.domain.errors import NotFoundError, PapertuneError
from tui.domain.example import Example, Form, Kind, Status
from tui.formats import templates
from tui.formats.foreign import FileForm, convert
from tui.formats.lines import LineError
from tui.formats.records import Columns, read_records
from tui.text import visible


def frozen_at(path: Path) -> list[Example] | None:
    """The examples of a frozen version (its folder, its manifest or one of its files), else None.

    Raises PapertuneError for a version that is damaged.
    """
    if path.is_dir() or path.name == MANIFEST:
        folder = path if path.is_dir() else path.parent
        try:
            return examples_in(folder)
        except FileNotFoundError:
            raise NotFoundError(
                f"{visible(str(folder))} is no frozen version: it has no {MANIFEST}.",
                "Name a folder like datasets/NAME/v1, or a file.",
            ) from None
        except (OSError, ValueError, KeyError, IndexError, TypeError, LineError) as error:
            raise PapertuneError(
                f"The version in {visible(str(folder))} is damaged.", "Restore the folder."
            ) from error
    return examples_beside(path)


def read_foreign(
    path: Path,
    grounding: Grounding,
    *,
    form: FileForm | None,
    columns: Columns,
    author: str,
    status: Status,
    unknown: list[str],
) -> Iterator[ReadPair]:
    """Every record of a file as an example or a refusal, in order.

    `unknown` collects titles of papers that plain texts name and the corpus lacks; such texts are
    kept without a paper.
    """
    for record in read_records(path, form, columns):
        if record.document is None:
            yield ReadPair(record.line, None, record.reason)
            continue
        try:
            example = _example(record.document, form, grounding, unknown)
        except LineError as error:
            yield ReadPair(record.line, None, error.reason)
        else:
            yield ReadPair(record.line, replace(example, author=author, status=status))


def _example(
    document: dict[str, Any], form: FileForm | None, grounding: Grounding, unknown: list[str]
) -> Example:
    example = example_of(convert(document, form), grounding, Form.MESSAGES, Kind.QA)
    if example.form is not Form.TEXT:
        return example
    plain = templates.parse(example.text)
    wanted = (
        {
            FileForm.FROM_PAPER: templates.FromPaper,
            FileForm.QUESTION_ANSWER: templates.QuestionAnswer,
        }.get(form)
        if form
        else None
    )
    if wanted is not None and not isinstance(plain, wanted):
        raise LineError("form", f'the text is not in the plain form "{form}"')
    if isinstance(plain, templates.FromPaper) and not example.paper:
        try:
            paper = grounding.paper(plain.title)
        except LineError:
            unknown.append(plain.title)
        else:
            grounding.keep_apart(paper, example.role)
            example = replace(example, paper=paper)
    return cleaned(example)
