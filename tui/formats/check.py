"""Checking a JSON Lines training file: every line, every rule, tokens, repetitions.

The file is read once, line by line, and again only where two lines look alike, so memory stays
bounded by the number of lines, not by their size.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from tui.domain.errors import NotFoundError, PapertuneError
from tui.domain.example import Finding, Form, Turn
from tui.formats.chat_template import TemplateError
from tui.formats.likeness import content_keys, prompt_and_whole
from tui.formats.lines import (
    BOM,
    MAX_LINE,
    LineError,
    RawLine,
    TrainingLine,
    decode_object,
    read_raw,
)
from tui.formats.near_duplicates import NearDuplicates, alike
from tui.formats.rules import Problem, examine
from tui.text import visible

MAX_FINDINGS = 10_000
_BATCH = 2_000
# How files begin that are given by mistake.
_MAGIC = {
    b"\x1f\x8b": "compressed (gzip)",
    b"PK\x03\x04": "an archive (zip)",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"(\xb5/\xfd": "compressed (zstd)",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a database",
}


class TokenCounter(Protocol):
    """What counts tokens as the target model does, after its chat template."""

    def count(self, text: str) -> int:
        """Tokens of plain text."""
        ...

    def count_messages(
        self, turns: Sequence[Turn | dict[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> int:
        """Tokens of a conversation in the model's chat template."""
        ...


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a file holds and what is wrong with it.

    `tokens` counts valid lines, by the model's tokenizer where `exact`, else at four characters a
    token. `over_length` lines have more tokens than asked for and `cut` tokens too many in all;
    `longest` is the longest line in tokens.
    `duplicates` and `near_duplicates` count lines that repeat an earlier one. `form` is that of
    the first valid line, None when there is none.
    """

    lines: int = 0
    valid: int = 0
    invalid: int = 0
    tokens: int = 0
    over_length: int = 0
    cut: int = 0
    longest: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    errors: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    form: Form | None = None
    exact: bool = False
    bytes: int = 0

    @property
    def ok(self) -> bool:
        """Whether every line can be trained on."""
        return self.lines > 0 and not self.invalid and not self.errors


@dataclass(slots=True)
class _Tally:
    lines: int = 0
    invalid: int = 0
    tokens: int = 0
    over_length: int = 0
    cut: int = 0
    longest: int = 0
    unlearnt: int = 0
    duplicates: int = 0
    form: Form | None = None
    errors: list[Finding] = field(default_factory=list)
    unlisted: int = 0
    warned: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    asked: array[int] = field(default_factory=lambda: array("Q"))
    asked_in: array[int] = field(default_factory=lambda: array("q"))

    def error(self, line: int, code: str, message: str) -> None:
        if len(self.errors) < MAX_FINDINGS:
            self.errors.append(Finding(line, code, visible(message)))
        else:
            self.unlisted += 1

    def warn(self, line: int, code: str, message: str) -> None:
        count, first, text = self.warned.get(code, (0, line, message))
        self.warned[code] = (count + 1, first, text)

    def warnings(self) -> list[str]:
        found = []
        for code, (count, line, message) in self.warned.items():
            where = f"line {line}" if count == 1 else f"{count} times, first in line {line}"
            found.append(visible(f"{code}: {message} ({where})"))
        if self.over_length:
            found.append(too_long(self.over_length, self.cut, self.longest, self.unlearnt))
        if self.unlisted:
            found.append(f"unlisted: {self.unlisted} more errors are not listed")
        return found


def check_file(
    path: Path,
    *,
    tokenizer: TokenCounter | None = None,
    seq_len: int | None = None,
    near: bool = False,
    limit: int = MAX_LINE,
) -> FileReport:
    """Check every line of a training file.

    `seq_len` is the longest example in tokens that is not cut; `near` looks for near-duplicates
    too, by far the slowest part. Raises NotFoundError when there is no such file and
    PapertuneError when it cannot be read; whatever is in the file is reported, never raised.
    """
    try:
        with path.open("rb") as file:
            return _check(file, tokenizer, seq_len, near, limit)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {visible(str(path))}.") from None
    except OSError as error:
        raise PapertuneError(
            f"{visible(str(path))} cannot be read: {error.strerror}.", "Check the path."
        ) from error


def _check(
    file: BinaryIO, tokenizer: TokenCounter | None, seq_len: int | None, near: bool, limit: int
) -> FileReport:
    tally = _Tally()
    finder = _Finder(file) if near else None
    before = os.fstat(file.fileno())
    foreign = _foreign(file)
    if foreign is not None:
        return FileReport(1, 0, 1, 0, errors=(Finding(1, *foreign),), bytes=before.st_size)
    for raw in read_raw(file, limit):
        tally.lines += 1
        line = _line(raw, tally, limit)
        if line is None or not _count(line, raw.number, tally, tokenizer, seq_len):
            tally.invalid += 1
            continue
        prompt, key = content_keys(line)
        if key in tally.seen:
            tally.duplicates += 1
            tally.warn(raw.number, "duplicate", "the line repeats an earlier one")
            continue
        tally.seen.add(key)
        if len(line.messages) > 1:
            tally.asked.append(prompt)
            tally.asked_in.append(raw.number)
        if finder is not None:
            finder.add(raw, line)
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        tally.error(0, "changed", "the file changed while it was read; check it again")
    if tally.lines == 0:
        tally.error(0, "empty-file", "the file is empty")
    _contradictions(tally)
    near_duplicates = finder.finish(tally) if finder is not None else 0
    return FileReport(
        lines=tally.lines,
        valid=tally.lines - tally.invalid,
        invalid=tally.invalid,
        tokens=tally.tokens,
        over_length=tally.over_length,
        cut=tally.cut,
        longest=tally.longest,
        duplicates=tally.duplicates,
        near_duplicates=near_duplicates,
        errors=tuple(tally.errors),
        warnings=tuple(tally.warnings()),
        form=tally.form,
        exact=tokenizer is not None,
        bytes=after.st_size,
    )


def _line(raw: RawLine, tally: _Tally, limit: int) -> TrainingLine | None:
    if raw.crlf:
        tally.warn(raw.number, "crlf", "the line ends in CR LF; LF alone is expected")
    if raw.data is None:
        size = f"{raw.size / 1e6:,.0f} MB; at most {limit / 1e6:,.0f} MB"
        tally.error(raw.number, "line-too-long", f"the line is too long ({size})")
        return None
    try:
        document = decode_object(raw.data, raw.number)
    except LineError as error:
        tally.error(raw.number, error.code, error.reason)
        return None
    line, problems = examine(document)
    for problem in problems:
        _tell(problem, raw.number, tally)
    if line is None:
        return None
    if tally.form is None:
        tally.form = line.form
    elif line.form is not tally.form:
        message = f'the line has the form "{line.form}", the file began with "{tally.form}"'
        tally.error(raw.number, "mixed-forms", message)
        return None
    return line


def _tell(problem: Problem, number: int, tally: _Tally) -> None:
    (tally.error if problem.fatal else tally.warn)(number, problem.code, problem.message)


def _foreign(file: BinaryIO) -> tuple[str, str] | None:
    """Why a file is no JSON Lines at all, told once instead of line by line."""
    head = file.read(4096)
    file.seek(0)
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return "binary", f"the file is {name}, not JSON Lines; unpack or export it first"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "encoding", "the file is UTF-16; save it as UTF-8"
    start = head.removeprefix(BOM).lstrip()
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b""):
        return "array", "the file is one JSON array; write one object a line"
    if start.startswith(b"{") and start[1:].lstrip(b" \t")[:1] in (b"\n", b"\r"):
        return "spread", "an object is spread over several lines; write one object a line"
    return None


def _contradictions(tally: _Tally) -> None:
    """Lines that give another answer to what an earlier line asks, word for word."""
    if not tally.asked:
        return
    keys, numbers = np.asarray(tally.asked), np.asarray(tally.asked_in)
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
    for place in again:
        first, number = int(numbers[order[place - 1]]), int(numbers[order[place]])
        message = f"the line asks what line {first} asks, and answers otherwise"
        tally.warn(number, "contradiction", message)


def _count(
    line: TrainingLine,
    number: int,
    tally: _Tally,
    tokenizer: TokenCounter | None,
    seq_len: int | None,
) -> bool:
    """Count a line's tokens; False where the model's template refuses it."""
    try:
        tokens = count_tokens(line, tokenizer)
        tally.tokens += tokens
        tally.longest = max(tally.longest, tokens)
        if seq_len is not None and tokens > seq_len:
            tally.over_length += 1
            tally.cut += tokens - seq_len
            tally.unlearnt += answer_lost(line, tokenizer, seq_len)
    except TemplateError as error:
        tally.error(number, "template", error.message)
        return False
    return True


def answer_lost(line: TrainingLine, tokenizer: TokenCounter | None, seq_len: int) -> bool:
    """Whether what comes before the last answer fills the whole length, so nothing is learnt."""
    if line.form is Form.TEXT:
        return False
    prompt = replace(line, messages=line.messages[:-1], weights=line.weights[:-1])
    return count_tokens(prompt, tokenizer) >= seq_len


def too_long(lines: int, cut: int, longest: int, unlearnt: int) -> str:
    """What is told of examples that are cut."""
    lost = f"; {unlearnt} of them lose their whole answer" if unlearnt else ""
    return (
        f"over-length: {lines} examples are cut, by {cut} tokens in all; the longest has "
        f"{longest} tokens{lost}"
    )


def count_tokens(line: TrainingLine, tokenizer: TokenCounter | None) -> int:
    """Tokens of one line: exact with a tokenizer, else at four characters a token.

    Raises TemplateError when the model's chat template refuses the conversation.
    """
    if tokenizer is None:
        length = len(line.text) + sum(len(message["content"]) + 16 for message in line.messages)
        return -(-length // 4)
    if line.form is Form.TEXT:
        return tokenizer.count(line.text)
    if line.tools:
        return tokenizer.count_messages(line.messages, line.tools)
    return tokenizer.count_messages(line.messages)


class _Finder:
    """Near-duplicates of a file's lines, read again where two have to be compared."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._numbers = array("q")
        self._offsets = array("q")
        self._sizes = array("q")
        self._batch: list[str] = []
        self._near = NearDuplicates()

    def add(self, raw: RawLine, line: TrainingLine) -> None:
        self._numbers.append(raw.number)
        self._offsets.append(raw.offset)
        self._sizes.append(raw.size)
        self._batch.append(prompt_and_whole(line)[1])
        if len(self._batch) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._near.add(self._batch)
        self._batch = []

    def finish(self, tally: _Tally) -> int:
        self._flush()
        pairs = self._near.pairs(
            lambda n: self._read(n)[1],
            lambda pair: alike(self._read(pair.first)[0], self._read(pair.second)[0]),
        )
        for pair in pairs:
            message = f"the line says nearly the same as line {self._numbers[pair.first]}"
            tally.warn(self._numbers[pair.second], "near-duplicate", message)
        return len(pairs)

    def _read(self, position: int) -> tuple[str, str]:
        self._file.seek(self._offsets[position])
        try:
            document = decode_object(self._file.read(self._sizes[position]).rstrip(b"\r\n"))
        except LineError:  # the file changed since, which the report says
            return "", ""
        line, _ = examine(document)
        return ("", "") if line is None else prompt_and_whole(line)
