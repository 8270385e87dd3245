"""The records of a file that somebody else wrote: JSON Lines, a JSON array, CSV, plain text.

Every record comes with the line it begins in; one that cannot be read comes with its reason, and
the ones after it are read nevertheless.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tui.domain.errors import PapertuneError, UsageError
from tui.formats.foreign import ANSWERS, QUESTIONS, FileForm
from tui.formats.lines import BOM, MAX_LINE, LineError, decode_object, opened, read_raw
from tui.text import shorten, visible

# What is no sequence of lines is read at once, so it has to fit into memory several times over.
_WHOLE_LIMIT = 256 * 1024 * 1024
_BLOCK = re.compile(r"^\*\*(?:From paper [^\n]*?:|Question:)\*\*", re.MULTILINE)
_SPACE = re.compile(r"[ \t\r\n]*")
_PROVENANCE = ("paper", "quote", "key_phrase", "finding", "role")
_DELIMITERS = ",;\t|"
# Stands for a line that was passed over; no file decodes to it.
_TOO_LONG = "\ud800"


@dataclass(frozen=True, slots=True)
class Record:
    """One object of a file and the line (from 1) it begins in, or why it cannot be read."""

    line: int
    document: dict[str, Any] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns of a CSV file; empty ones are guessed."""

    question: str = ""
    answer: str = ""


def read_records(
    path: Path, form: FileForm | None = None, columns: Columns | None = None
) -> Iterator[Record]:
    """All records of a file; how it is written is told by its name and its first byte.

    Raises NotFoundError when there is no such file, PapertuneError when it cannot be read,
    UsageError when it cannot hold records: UTF-16, a CSV file without the columns.
    """
    with opened(path) as file:
        try:
            yield from _records(file, path, form, columns or Columns())
        except OSError as error:
            raise PapertuneError(
                f"{visible(str(path))} cannot be read: {error.strerror}."
            ) from error


def _records(
    file: BinaryIO, path: Path, form: FileForm | None, columns: Columns
) -> Iterator[Record]:
    head = file.read(4096)
    file.seek(0)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"{visible(path.name)} is UTF-16.", "Save it as UTF-8.")
    suffix = path.suffix.lower()
    if form is FileForm.CSV or (form is None and suffix in (".csv", ".tsv")):
        yield from _csv(file, path, columns)
    elif suffix in (".txt", ".md") and not head.removeprefix(BOM).lstrip().startswith(b"{"):
        yield from _blocks(_whole(file, path))
    elif head.removeprefix(BOM).lstrip().startswith(b"["):
        yield from _array(_whole(file, path))
    else:
        yield from _lines(file)


def _lines(file: BinaryIO) -> Iterator[Record]:
    for raw in read_raw(file):
        if raw.data is None:
            size = f"{raw.size / 1e6:,.0f} MB; at most {MAX_LINE / 1e6:,.0f} MB"
            yield Record(raw.number, None, f"the line is too long ({size})")
            continue
        data = raw.data.removeprefix(BOM) if raw.number == 1 else raw.data
        if data.strip():
            yield _decoded(data, raw.number)


def _decoded(data: bytes, line: int) -> Record:
    try:
        return Record(line, decode_object(data))
    except LineError as error:
        return Record(line, None, error.reason)


def _whole(file: BinaryIO, path: Path) -> str:
    data = file.read(_WHOLE_LIMIT + 1)
    if len(data) > _WHOLE_LIMIT:
        raise UsageError(
            f"{visible(path.name)} is larger than {_WHOLE_LIMIT / 1e6:,.0f} MB.",
            "Write it as JSON Lines: one object a line.",
        )
    try:
        return data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{visible(path.name)} is not UTF-8 (line {line}).", "Save it as UTF-8."
        ) from None


def _array(text: str) -> Iterator[Record]:
    """The objects of a JSON array; after one that is no JSON the next cannot be found."""
    decoder = json.JSONDecoder()
    line, counted = 1, 0
    at = _skip(text, text.index("[") + 1)
    while at < len(text) and text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            nested = isinstance(error, RecursionError)
            why = "nested too deeply" if nested else "no JSON"
            yield Record(line, None, f"the array is {why} from here on; the rest was not read")
            return
        yield _decoded(text[at:end].encode("utf-8", "surrogatepass"), line)
        at = _skip(text, end)
        if at < len(text) and text[at] == ",":
            at = _skip(text, at + 1)
        elif at >= len(text) or text[at] != "]":
            line += text.count("\n", counted, at)
            yield Record(line, None, "the array ends too soon; the rest was not read")
            return


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _blocks(text: str) -> Iterator[Record]:
    """The blocks of a plain text, each of which begins a line with one of the two openings."""
    starts = [match.start() for match in _BLOCK.finditer(text)]
    before = text[: starts[0] if starts else len(text)]
    if before.strip():
        line = before[: len(before) - len(before.lstrip())].count("\n") + 1
        openings = "**From paper X:** or **Question:**"
        yield Record(line, None, f"plain text begins with {openings}: “{shorten(before, 40)}”")
    line, counted = 1, 0
    for start, end in itertools.pairwise([*starts, len(text)]):
        line, counted = line + text.count("\n", counted, start), start
        yield Record(line, {"text": text[start:end].strip()})


def _csv(file: BinaryIO, path: Path, columns: Columns) -> Iterator[Record]:
    csv.field_size_limit(MAX_LINE)
    lines = _decoded_lines(file)
    first = next(lines, "")
    if first.startswith("sep=") and len(first.strip()) == 5:
        delimiter, skipped, first = first[4], 1, next(lines, "")
    else:
        delimiter, skipped = max(_DELIMITERS, key=lambda sign: len(_row(first, sign))), 0
    header = [name.strip() for name in _row(first, delimiter)]
    wanted = _columns(header, columns, path)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + skipped + 2
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, None, f"the row is no CSV: {error}")
            continue
        if any(cell.strip() for cell in row):
            yield _cells(row, header, wanted, line)


def _cells(row: Sequence[str], header: Sequence[str], wanted: dict[str, int], line: int) -> Record:
    if any(_TOO_LONG in cell for cell in row):
        return Record(line, None, "the line is too long")
    if len(row) != len(header):
        return Record(line, None, f"the row has {len(row)} cells, the header {len(header)}")
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return Record(line, None, "the row is not UTF-8; save the file as UTF-8")
    return Record(line, {key: row[column] for key, column in wanted.items()})


def _decoded_lines(file: BinaryIO) -> Iterator[str]:
    """Lines as text; bytes that are no UTF-8 become surrogates, which a row is refused for."""
    for raw in read_raw(file):
        if raw.data is None:
            yield _TOO_LONG + "\n"
            continue
        data = raw.data.removeprefix(BOM) if raw.number == 1 else raw.data
        yield data.decode("utf-8", "surrogateescape") + "\n"


def _row(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _columns(header: Sequence[str], asked: Columns, path: Path) -> dict[str, int]:
    """Where question, answer and what else we know stand; raises UsageError."""
    plain = [name.casefold().replace(" ", "_") for name in header]
    found: dict[str, int] = {}
    for key, name, guesses in (
        ("question", asked.question, QUESTIONS),
        ("answer", asked.answer, ANSWERS),
    ):
        if name:
            if name.casefold() not in [given.casefold() for given in header]:
                raise _no_column(f"no column '{visible(name)}'", header, path)
            found[key] = [given.casefold() for given in header].index(name.casefold())
            continue
        place = next((plain.index(g) for g in guesses if g in plain), None)
        if place is None:
            raise _no_column(f"no column that looks like the {key}s", header, path)
        found[key] = place
    for key in _PROVENANCE:
        if key in plain:
            found.setdefault(key, plain.index(key))
    return found


def _no_column(what: str, header: Sequence[str], path: Path) -> UsageError:
    names = ", ".join(shorten(name, 30) for name in header[:8]) or "none"
    return UsageError(
        f"{visible(path.name)} has {what}; its columns: {names}.",
        "Name them with --question-column and --answer-column.",
    )
