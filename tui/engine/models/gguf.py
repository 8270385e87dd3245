"""A reader for the header of a GGUF file: its metadata and where its tensors lie.

Format: the GGUF specification in ggml's documentation, versions 2 and 3, little-endian. A model
file comes from outside, so every count is checked against the bytes that are there before anything
is allocated: a hostile header costs a clear error, never memory.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from tui.domain.errors import PapertuneError
from tui.text import visible

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
_MAX_HEADER = 512 * 2**20
_MAX_ITEMS = 4_000_000  # array elements in all; the largest vocabulary with its merges has < 1 M
_MAX_NAME = 65_535
_MAX_DIMENSIONS = 4


class GgufError(PapertuneError):
    """The file is not a GGUF file, or it is truncated or damaged."""


class ValueType(IntEnum):
    """Types of metadata values, as numbered by the specification."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


_SCALARS: dict[ValueType, str] = {
    ValueType.UINT8: "B",
    ValueType.INT8: "b",
    ValueType.UINT16: "H",
    ValueType.INT16: "h",
    ValueType.UINT32: "I",
    ValueType.INT32: "i",
    ValueType.FLOAT32: "f",
    ValueType.BOOL: "?",
    ValueType.UINT64: "Q",
    ValueType.INT64: "q",
    ValueType.FLOAT64: "d",
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: `dimensions` fastest first, `kind` as ggml numbers its types.

    `offset` counts bytes from the start of the file.
    """

    name: str
    dimensions: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What stands before the tensors.

    `metadata_end` is where the metadata ends and the list of tensors begins, `data_offset` where
    their data begins; both in bytes from the start of the file.
    """

    version: int
    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    metadata_end: int
    data_offset: int
    alignment: int = DEFAULT_ALIGNMENT

    def text(self, key: str, default: str = "") -> str:
        """A metadata value that must be text."""
        value = self.metadata.get(key, default)
        if not isinstance(value, str):
            raise GgufError(f"The GGUF file's '{visible(key)}' is not text.", _REMEDY)
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """A metadata value that must be a whole number; required when there is no default."""
        value = self.metadata.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise GgufError(f"The GGUF file has no number '{visible(key)}'.", _REMEDY)
        return value

    def strings(self, key: str) -> list[str]:
        """A metadata value that must be a list of texts."""
        value = self.metadata.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise GgufError(f"The GGUF file has no list of texts '{visible(key)}'.", _REMEDY)
        return value


_REMEDY = "Fetch the model again, or name another file."


def read_header(path: Path) -> GgufHeader:
    """The header of the GGUF file at `path`, without reading its tensors.

    Raises GgufError when the file is something else, truncated or damaged, or of a version or
    byte order that is not supported, and PapertuneError when it cannot be opened.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view,
        ):
            return _Reader(view, path.name).header()
    except ValueError as error:  # an empty file cannot be mapped
        raise GgufError(f"{visible(path.name)} is empty.", _REMEDY) from error
    except OSError as error:
        raise PapertuneError(
            f"{visible(str(path))} cannot be read: {error.strerror}.", "Check the path."
        ) from error


class _Reader:
    """A cursor over the mapped file that refuses to step outside it."""

    def __init__(self, view: mmap.mmap, name: str) -> None:
        self._view = view
        self._name = visible(name)
        self._size = len(view)
        self._end = min(self._size, _MAX_HEADER)
        self._at = 0
        self._items = 0

    def header(self) -> GgufHeader:
        if self._bytes(4) != MAGIC:
            raise self._fail("is not a GGUF file")
        version = self._scalar("I")
        if version not in (2, 3):
            raise self._fail(f"has GGUF version {version}; versions 2 and 3 are supported")
        tensor_count, value_count = self._scalar("Q"), self._scalar("Q")
        # the shortest tensor entry takes 24 bytes, the shortest metadata entry 13
        if tensor_count * 24 + value_count * 13 > self._end - self._at:
            raise self._fail("is truncated or damaged: it announces more than it holds")
        metadata: dict[str, Any] = {}
        for _ in range(value_count):
            key = self._string(_MAX_NAME)
            if key in metadata:
                raise self._fail(f"is damaged: '{visible(key)}' stands in it twice")
            metadata[key] = self._value(self._type())
        metadata_end = self._at
        infos = [self._tensor() for _ in range(tensor_count)]
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 8 <= alignment <= 2**20 or alignment % 8:
            raise self._fail("is damaged: its alignment is impossible")
        start = -(-self._at // alignment) * alignment
        tensors = tuple(
            TensorInfo(info.name, info.dimensions, info.kind, start + info.offset) for info in infos
        )
        if any(tensor.offset >= self._size for tensor in tensors):
            raise self._fail("is truncated: its tensors are not all there")
        return GgufHeader(version, metadata, tensors, metadata_end, start, alignment)

    def _tensor(self) -> TensorInfo:
        name = self._string(_MAX_NAME)
        count = self._scalar("I")
        if not 1 <= count <= _MAX_DIMENSIONS:
            raise self._fail(f"is damaged: a tensor has {count} dimensions")
        dimensions = tuple(self._scalar("Q") for _ in range(count))
        return TensorInfo(name, dimensions, self._scalar("I"), self._scalar("Q"))

    def _value(self, kind: ValueType) -> Any:
        if kind is ValueType.STRING:
            return self._string(self._end)
        if kind is ValueType.ARRAY:
            return self._array()
        return self._scalar(_SCALARS[kind])

    def _array(self) -> list[Any]:
        kind, count = self._type(), self._scalar("Q")
        if kind is ValueType.ARRAY:
            raise self._fail("holds a list of lists, which no known model has")
        self._items += count
        smallest = 8 if kind is ValueType.STRING else struct.calcsize("<" + _SCALARS[kind])
        if self._items > _MAX_ITEMS or count * smallest > self._end - self._at:
            raise self._fail("is truncated or damaged: a list is longer than the file")
        if kind is ValueType.STRING:
            return [self._string(self._end) for _ in range(count)]
        code = _SCALARS[kind]
        return list(struct.unpack(f"<{count}{code}", self._bytes(count * smallest)))

    def _type(self) -> ValueType:
        number = self._scalar("I")
        try:
            return ValueType(number)
        except ValueError:
            raise self._fail(f"is damaged: it has a value of unknown type {number}") from None

    def _scalar(self, code: str) -> Any:
        return struct.unpack("<" + code, self._bytes(struct.calcsize("<" + code)))[0]

    def _string(self, longest: int) -> str:
        length = self._scalar("Q")
        if length > longest:
            raise self._fail("is truncated or damaged: a text is longer than the file")
        return self._bytes(length).decode("utf-8", "replace")

    def _bytes(self, count: int) -> bytes:
        if count > self._end - self._at:
            raise self._fail("is truncated")
        start, self._at = self._at, self._at + count
        return self._view[start : self._at]

    def _fail(self, what: str) -> GgufError:
        return GgufError(f"{self._name} {what}.", _REMEDY)
