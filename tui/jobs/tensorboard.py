"""Curves as event files that TensorBoard reads, without its 200 MB of packages.

An event file is a row of records (length, its checksum, data, its checksum, all little-endian;
checksums are CRC-32C, masked) of `Event` messages in protocol buffers' wire format. Both are stable
formats: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from tui.storage.atomic import write_bytes

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_MASK = 0xA282EAD8
_VERSION = b"brain.Event:2"


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The CRC-32C of data (RFC 3720, B.4)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def write_events(
    folder: Path, rows: Iterable[tuple[float, int, Mapping[str, float]]], *, name: str
) -> Path:
    """Write `(seconds since 1970, step, scalars by tag)` as one event file in `folder`.

    TensorBoard takes each folder for a run; `name` ends the file's name.
    """
    parts: list[bytes] = []
    began = 0.0
    for at, step, scalars in rows:
        if not parts:
            began = at
            parts.append(_record(_double(1, at) + _bytes(3, _VERSION)))
        values = b"".join(_bytes(1, _scalar(tag, value)) for tag, value in scalars.items())
        if values:
            parts.append(_record(_double(1, at) + _varint_field(2, step) + _bytes(5, values)))
    path = folder / f"events.out.tfevents.{int(began):010d}.{name}"
    write_bytes(path, b"".join(parts))
    return path


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _scalar(tag: str, value: float) -> bytes:
    return _bytes(1, tag.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", value)


def _double(number: int, value: float) -> bytes:
    return bytes([number << 3 | 1]) + struct.pack("<d", value)


def _bytes(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint_field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(max(0, value))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
