"""The process that computes embeddings: `python -m tui.engine.embeddings.worker`.

It reads lines of JSON from standard input: first `{"folder","pooling","context"}`, then requests
`{"texts","threads"}`. It answers each with a line, `{"ready"}` and then `{"tokens","rows"}`, the
latter followed by the vectors as little-endian float32. It ends when standard input is closed,
which the system does when the engine dies in whatever way. There is no port: nobody else can ask.

A text longer than the model's context is read in windows whose vectors are averaged by their
length, so that no text is cut off silently.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from tui.engine.embeddings.bert import Encoder, Floats

Ids = Sequence[int]


def main() -> None:
    """Serve one model."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    given = sys.stdin.buffer
    options = json.loads(given.readline())
    embed = _embedder(options)
    _answer(out, {"ready": True})
    while line := given.readline():
        request = json.loads(line)
        tokens, vectors = embed(request["texts"], int(request["threads"]))
        _answer(out, {"tokens": tokens, "rows": len(vectors)}, vectors.astype("<f4").tobytes())


def _answer(out: BinaryIO, head: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(head).encode() + b"\n" + data)
    out.flush()


def _embedder(options: dict[str, Any]) -> Callable[[Sequence[str], int], tuple[int, Floats]]:
    from tokenizers import Tokenizer

    from tui.engine.embeddings.bert import Encoder

    folder, context = Path(options["folder"]), int(options["context"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoder = Encoder(folder, options["pooling"])
    frame = [int(token) for token in tokenizer.encode("").ids]

    def embed(texts: Sequence[str], threads: int) -> tuple[int, Floats]:
        found = [text.ids for text in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        windows = [windows_of(ids, context - len(frame)) for ids in found]
        flat = [_framed(ids, frame) for parts in windows for ids in parts]
        vectors = _computed(encoder, flat, threads)
        return sum(map(len, flat)), averaged(vectors, [[len(w) for w in p] for p in windows])

    return embed


def _framed(ids: Ids, frame: Ids) -> list[int]:
    """The ids between the marks of beginning and end, e.g. `[CLS] … [SEP]`."""
    half = len(frame) // 2
    return [*frame[:half], *ids, *frame[half:]]


def windows_of(ids: Ids, width: int) -> list[Ids]:
    """Windows of at most `width` tokens, all about as long; one, maybe empty, at least."""
    count = max(1, -(-len(ids) // width))
    edges = [round(index * len(ids) / count) for index in range(count + 1)]
    return [ids[a:b] for a, b in pairwise(edges)]


def averaged(vectors: Floats, lengths: Sequence[Sequence[int]]) -> Floats:
    """One vector of length 1 a text, of those of its windows, weighted by their tokens."""
    import numpy as np

    out = np.empty((len(lengths), vectors.shape[1]), np.float32)
    at = 0
    for index, weights in enumerate(lengths):
        part = vectors[at : at + len(weights)]
        at += len(weights)
        out[index] = part[0] if len(part) == 1 else np.asarray(weights, np.float32) @ part
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), np.float32(1e-12))
    return out


def _computed(encoder: Encoder, texts: Sequence[Ids], threads: int) -> Floats:
    """Each thread takes texts of about as many tokens; matrix products release Python's lock."""
    import numpy as np

    threads = max(1, min(threads, len(texts)))
    if threads == 1:
        return encoder.embed(texts)
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    shares = [order[which::threads] for which in range(threads)]
    out = np.empty((len(texts), encoder.dimensions), np.float32)
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(lambda share: encoder.embed([texts[index] for index in share]), shares)
        for share, vectors in zip(shares, parts, strict=True):
            out[share] = vectors
    return out


if __name__ == "__main__":
    main()
