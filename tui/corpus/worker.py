"""The process that reads hostile files: limited in memory, killed by its parent when slow.

It takes one request a line on stdin and answers each with a length and a MessagePack message on
stdout. It keeps no state, so its parent may kill and replace it at any time.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass

import msgspec

from tui.corpus.document import Extracted, Unreadable
from tui.domain.paper import FileKind

MEMORY_BYTES = 2 * 1024**3
_LENGTH = struct.Struct("<Q")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One file to read."""

    path: bytes
    kind: FileKind
    archive: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of it: a text, or the reason why there is none."""

    extracted: Extracted | None = None
    reason: str = ""


def answer(request: Request) -> Reply:
    """Read one file; every failure becomes a reason."""
    from tui.corpus.extract import extract

    try:
        path = os.fsdecode(request.path)
        return Reply(extract(path, request.kind, request.archive, request.seconds))
    except Unreadable as refusal:
        return Reply(reason=str(refusal))
    except MemoryError:
        return Reply(reason="needs more than 2 GB of memory to read")
    except RecursionError:
        return Reply(reason="nested too deeply")
    except Exception as error:
        return Reply(reason=f"damaged: the reader stopped ({type(error).__name__})")


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent is killed, even in the middle of a file."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Serve requests until stdin ends."""
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not be taken for an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    decoder = msgspec.msgpack.Decoder(Request)
    encoder = msgspec.msgpack.Encoder()
    source = sys.stdin.buffer
    while header := source.read(_LENGTH.size):
        if len(header) < _LENGTH.size:
            return
        reply = encoder.encode(answer(decoder.decode(source.read(_LENGTH.unpack(header)[0]))))
        try:
            output.write(_LENGTH.pack(len(reply)) + reply)
            output.flush()
        except BrokenPipeError:
            return
        if len(reply) > 5_000_000:
            gc.collect()


if __name__ == "__main__":
    main()
