"""Training rows, and the order in which they are shown: the same for the same seed, always.

The order is a function of seed and position, never of what a process has drawn so far, so a job
that resumes sees exactly the rows that it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tui.domain.errors import PapertuneError, UsageError
from tui.domain.example import Form
from tui.engine.training.spec import DataFile
from tui.formats.labels import Encoded, encode_line
from tui.formats.lines import LineError, TrainingLine, decode_object, read_raw
from tui.formats.rules import examine
from tui.formats.tokenizer import ModelTokenizer
from tui.text import visible

# Rows are sorted by length within this many batches: enough that a batch holds rows of about one
# length (2 to 6 % padding on question-answer pairs), few enough that the order stays random.
_WINDOW = 8
# A question of more words carries material (passages, a document), not only a wording.
_LONGEST_QUESTION = 60
_LEFT_OUT = 0.7


@dataclass(frozen=True, slots=True)
class Row:
    """A training line with its tokens; `weight` is its file's."""

    line: TrainingLine
    encoded: Encoded
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of some files, and what became of the others.

    `skipped` lines are invalid, `truncated` were cut at the longest length allowed, and of those
    `silent` have no answer left to learn from and are not among the rows.
    """

    rows: tuple[Row, ...]
    skipped: int = 0
    truncated: int = 0
    silent: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of all rows together."""
        return sum(len(row.encoded.input_ids) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Draw:
    """One showing of a row; `salt` is its position in the whole job, from which chance is drawn."""

    row: int
    salt: int


def load(files: Sequence[DataFile], tokenizer: ModelTokenizer, seq_len: int) -> Rows:
    """Read and encode the rows of files; lines that cannot be used are counted, not raised.

    Raises UsageError when nothing is left to learn from.
    """
    rows: list[Row] = []
    skipped = truncated = silent = 0
    reason = ""
    for file in files:
        for line in _lines(file.path):
            if isinstance(line, PapertuneError):
                skipped, reason = skipped + 1, reason or str(line)
                continue
            try:
                encoded = encode_line(line, tokenizer, seq_len)
            except UsageError as error:
                skipped, reason = skipped + 1, reason or str(error)
                continue
            truncated += encoded.truncated > 0
            if encoded.labels:
                rows.append(Row(line, encoded, file.weight))
            else:
                silent += 1
    if not rows:
        why = reason or f"every example is cut at {seq_len} tokens before its answer begins"
        raise UsageError(f"There is nothing to train on: {why}.".replace("..", "."))
    return Rows(tuple(rows), skipped, truncated, silent)


def _lines(path: Path) -> Iterator[TrainingLine | PapertuneError]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise PapertuneError(
            f"The training file {visible(path.name)} cannot be read: {error.strerror}.",
            "Upload it again and create the job again.",
        ) from error
    with file:
        for raw in read_raw(file):
            if raw.data is None:
                yield LineError("line-too-long", "the line is too long", raw.number)
                continue
            try:
                line, problems = examine(decode_object(raw.data, raw.number))
            except LineError as error:
                yield error
                continue
            if line is not None:
                yield line
            else:
                first = next(problem for problem in problems if problem.fatal)
                yield LineError(first.code, first.message, raw.number)


class Plan:
    """Which rows are in which batch: `steps` batches of `batch_size` draws.

    Each pass shows every row as often as its file's weight asks for, in an order where rows with
    the same answer stand far apart, so that a job which ends within a pass has shown each answer
    about as often as the others. Within a few batches rows are grouped by length.
    """

    def __init__(self, rows: Sequence[Row], *, steps: int, batch_size: int, seed: int) -> None:
        self._lengths = np.array([len(row.encoded.input_ids) for row in rows])
        weights = np.array([row.weight for row in rows], dtype=np.float64)
        self._share = weights * len(rows) / weights.sum()
        answers: dict[tuple[int, ...], int] = {}
        self._group = np.array([answers.setdefault(_answer(row), len(answers)) for row in rows])
        self._steps, self._batch, self._seed = steps, batch_size, seed

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[Draw]]:
        left = self._steps
        waiting: list[Draw] = []
        size = self._batch * _WINDOW
        for draw in self._draws():
            waiting.append(draw)
            if len(waiting) < min(size, left * self._batch):
                continue
            for batch in self._batches(waiting):
                yield batch
                left -= 1
            waiting = []
            if not left:
                return

    def _draws(self) -> Iterator[Draw]:
        offset = np.random.default_rng([self._seed, 0]).random(len(self._share))
        position = passes = 0
        while True:
            shown = np.floor((passes + 1) * self._share + offset)
            shown -= np.floor(passes * self._share + offset)
            chance = np.random.default_rng([self._seed, 1, passes])
            for row in self._spread(np.repeat(np.arange(len(shown)), shown.astype(int)), chance):
                yield Draw(int(row), position)
                position += 1
            passes += 1

    def _spread(
        self, rows: np.ndarray[Any, Any], chance: np.random.Generator
    ) -> np.ndarray[Any, Any]:
        """Shuffled so that each group's rows fall one into each equal part of the pass."""
        rows = chance.permutation(rows)
        group = self._group[rows]
        order = np.argsort(group, kind="stable")
        sizes = np.bincount(group, minlength=int(self._group.max()) + 1)
        starts = np.cumsum(sizes) - sizes
        rank = np.empty(len(rows))
        rank[order] = np.arange(len(rows)) - starts[group[order]]
        return rows[np.argsort((rank + chance.random(len(rows))) / sizes[group], kind="stable")]

    def _batches(self, draws: list[Draw]) -> list[list[Draw]]:
        ordered = sorted(draws, key=lambda draw: int(self._lengths[draw.row]))
        batches = [ordered[i : i + self._batch] for i in range(0, len(ordered), self._batch)]
        chance = np.random.default_rng([self._seed, 2, draws[0].salt])
        return [batches[i] for i in chance.permutation(len(batches))]


def _answer(row: Row) -> tuple[int, ...]:
    """What a row teaches; plain texts teach each their own."""
    encoded = row.encoded
    return tuple(t for t, counted in zip(encoded.input_ids, encoded.loss, strict=True) if counted)


def shown(
    row: Row, salt: int, *, word_dropout: float, seed: int, tokenizer: ModelTokenizer, seq_len: int
) -> Encoded:
    """A row's tokens for one showing; in `word_dropout` of the showings its questions are thinned.

    The answer is the same, so the model learns what is asked about rather than how it is asked.
    """
    if not word_dropout or row.line.form is not Form.MESSAGES:
        return row.encoded
    chance = np.random.default_rng([seed, 3, salt])
    if chance.random() >= word_dropout:
        return row.encoded
    return encode_line(thinned(row.line, chance), tokenizer, seq_len)


def thinned(line: TrainingLine, chance: np.random.Generator) -> TrainingLine:
    """The line with most words left out of its questions, but for those that an answer repeats."""
    answers = {
        _bare(word)
        for message in line.messages
        if message["role"] == "assistant"
        for word in message["content"].split()
    }
    messages = []
    for message in line.messages:
        words = message["content"].split()
        if message["role"] == "user" and len(words) <= _LONGEST_QUESTION:
            kept = [w for w in words if _bare(w) in answers or chance.random() >= _LEFT_OUT]
            message = {**message, "content": " ".join(kept)}  # noqa: PLW2901
        messages.append(message)
    return replace(line, messages=tuple(messages))


def _bare(word: str) -> str:
    return word.strip(".,;:?!\"'()[]").casefold()
