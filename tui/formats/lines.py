"""One line of a JSON Lines training file: read within bounds, decoded, told apart from nonsense.

Lines are decoded one by one, so every error carries its line, and a line longer than `MAX_LINE`
is passed over without being held in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.domain.errors import NotFoundError, PapertuneError, UsageError
from tui.domain.example import Form, ToolCall, Turn
from tui.text import visible

MAX_LINE = 16 * 1024 * 1024
BOM = b"\xef\xbb\xbf"

_DECODER = msgspec.json.Decoder()
# A closing quote and a colon: the end of a key, unless a string's content looks like one.
_KEY_END = re.compile(rb'(?<!\\)"[ \t\r]*:')
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_CONSTANT = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity)\b")


class LineError(UsageError):
    """A line that cannot be trained on: `line` counts from 1, `code` is stable for scripts."""

    def __init__(self, code: str, message: str, line: int = 0) -> None:
        super().__init__(f"Line {line}: {message}" if line else message)
        self.code = code
        self.reason = message
        self.line = line


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line as it lies in the file: `data` without its end; None when longer than allowed.

    `offset` and `size` are bytes; `crlf` says that it ended in `\\r\\n`.
    """

    number: int
    data: bytes | None
    offset: int
    size: int
    crlf: bool = False


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """A valid training line, in one shape whichever of the accepted spellings it came in.

    `messages` are dictionaries as chat templates take them (`role`, `content` as a string, perhaps
    `tool_calls` and `tool_call_id`); `weights` has one number per message: the loss counts only
    assistant messages of weight 1. A line of the form `text` has only `text`.
    """

    form: Form
    messages: tuple[dict[str, Any], ...] = ()
    text: str = ""
    weights: tuple[int, ...] = ()
    tools: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The messages as turns; a weight that is no exception is left open."""
        return tuple(map(_turn, self.messages, self.weights or (1,) * len(self.messages)))


def _turn(message: dict[str, Any], weight: int) -> Turn:
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls", ())
    )
    return Turn(
        message["role"],
        message["content"],
        0 if message["role"] == "assistant" and not weight else None,
        calls,
        message.get("tool_call_id", ""),
        message.get("name", ""),
    )


def read_raw(file: BinaryIO, limit: int = MAX_LINE) -> Iterator[RawLine]:
    """The lines of a file, never holding more than `limit` bytes; the BOM stays on the first."""
    number = offset = 0
    while chunk := file.readline(limit + 2):
        number += 1
        size = len(chunk)
        ended = chunk.endswith(b"\n")
        if not ended and size > limit:
            while more := file.readline(limit):
                size += len(more)
                if more.endswith(b"\n"):
                    break
            yield RawLine(number, None, offset, size)
        else:
            crlf = chunk.endswith(b"\r\n")
            data = chunk[:-2] if crlf else chunk[:-1] if ended else chunk
            yield RawLine(number, data if len(data) <= limit else None, offset, size, crlf)
        offset += size


def decode_object(data: bytes, number: int = 0) -> dict[str, Any]:
    """The JSON object of one line; raises LineError and nothing else.

    Refuses what readers disagree about: a byte order mark, NaN, lone surrogates and names that
    stand twice in one object (`json.loads` would keep the last without a word).
    """
    if not data.strip():
        raise LineError("empty-line", "the line is empty; remove it", number)
    if data.startswith(BOM):
        raise LineError("bom", "the file starts with a byte order mark; save it without", number)
    try:
        value = _DECODER.decode(data)
    except RecursionError:
        raise LineError("nesting", "the JSON is nested too deeply", number) from None
    except (ValueError, MemoryError) as error:
        raise _why(data, error, number) from None
    if not isinstance(value, dict):
        raise LineError("not-an-object", "the line is JSON but no object {…}", number)
    try:
        keys = _keys(value)
    except RecursionError:
        raise LineError("nesting", "the JSON is nested too deeply", number) from None
    if not _keys_once(data, keys):
        _refuse_duplicate_keys(data, number)
    return value


def _keys_once(data: bytes, keys: int) -> bool:
    """Whether counting proves that no key of the line stands twice, given the keys decoded.

    Every key ends in a quote and a colon, so as many of them as keys means that none was dropped;
    content that looks like a key's end only makes the count too high. A key that ends in a
    backslash would make it too low.
    """
    if b'\\\\"' in data:
        return False
    if b" :" in data or b"\t:" in data or b"\r:" in data:
        return len(_KEY_END.findall(data)) == keys
    return data.count(b'":') - data.count(b'\\":') == keys


def _keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(
            _keys(item) for item in value.values() if isinstance(item, dict | list)
        )
    return sum(_keys(item) for item in value if isinstance(item, dict | list))


def _refuse_duplicate_keys(data: bytes, number: int) -> None:
    def pairs(items: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in items:
            if key in seen:
                raise LineError(
                    "duplicate-key",
                    f'the key "{key[:40]}" stands twice in one object; readers keep only one',
                    number,
                )
            seen.add(key)

    try:
        json.loads(data, object_pairs_hook=pairs)
    except LineError:
        raise
    except (ValueError, RecursionError):
        raise LineError("nesting", "the JSON is nested too deeply", number) from None


def _why(data: bytes, error: Exception, number: int) -> LineError:
    """Which of the usual mistakes made a line unreadable."""
    try:
        data.decode()
    except UnicodeDecodeError as bad:
        hint = "; it looks like UTF-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
        return LineError(
            "encoding", f"the line is not UTF-8 (byte {bad.start + 1}{hint}); save as UTF-8", number
        )
    if b"}\r{" in data.replace(b" ", b""):
        return LineError("line-ends", "lines end in CR alone; save with LF line ends", number)
    if b"\x00" in data:
        return LineError("encoding", "the line holds NUL bytes; save the file as UTF-8", number)
    if _CONSTANT.search(data):
        return LineError("nan", "NaN and Infinity are not JSON", number)
    if _SURROGATE.search(data):
        return LineError("surrogate", "a \\u escape is half of a surrogate pair", number)
    return LineError("json", f"not valid JSON: {str(error).removeprefix('JSON is ')}", number)


def opened(path: Path) -> BinaryIO:
    """A file for reading. Raises NotFoundError, or PapertuneError when it may not be read."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {visible(str(path))}.") from None
    except OSError as error:
        raise PapertuneError(f"{visible(str(path))} cannot be read: {error.strerror}.") from error
