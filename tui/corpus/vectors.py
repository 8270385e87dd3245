"""What passages mean, as vectors: 1-bit codes to search by, float16 vectors to rank what was found.

Rebuildable, so it lies beside the search index. A million vectors of 384 numbers are 48 MB of
codes, compared by exclusive or and a count of bits, and 768 MB of float16 on disk of which a
question reads a few hundred rows. Each row carries the hash of the passage's text, so a passage
that was read anew is embedded anew, and a stale row is never taken for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.errors import ConflictError
from tui.domain.identifiers import slug
from tui.storage import atomic
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STATE = "papertune.json"
_KEY = 16
_ID = 80
# So many of the nearest codes are ranked by their vectors: with 1-bit codes of 384 dimensions the
# true first ten are among the nearest few hundred.
RESCORED = 400
_PAPERS = 64
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Words:
    """A passage as far as its vector is concerned."""

    id: str
    paper: str
    text: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the library's passages have a vector, and by which model."""

    model: str
    embedded: int
    passages: int


class VectorStore:
    """The vectors of one model over one workspace; appended by one process, read by any.

    `rows` is written last, so what a crash leaves behind it is cut off at the next opening.
    """

    def __init__(self, workspace: Workspace, model: str) -> None:
        self._workspace = workspace
        self.model = model
        index = workspace.index
        self.folder = index.with_name(f"{index.name}-vectors") / slug(model)
        self._lock = threading.RLock()
        self._loaded: _Loaded | None = None

    # Asking

    def search(
        self,
        vector: Sequence[float],
        limit: int,
        papers: Collection[str] | None = None,
    ) -> list[tuple[str, float]]:
        """The passages nearest to `vector` as (passage id, cosine), best first.

        `papers` narrows to these. Ids whose passage is gone or has another text now are left out.
        """
        loaded = self._fresh()
        if loaded is None or limit <= 0 or (papers is not None and not papers):
            return []
        found = loaded.nearest(vector, max(limit, RESCORED), papers)
        return self._current(loaded, found, limit)

    def _current(
        self, loaded: _Loaded, found: list[tuple[int, float]], limit: int
    ) -> list[tuple[str, float]]:
        names = {row: loaded.name(row) for row, _ in found}
        known: dict[str, Words] = {}
        kept: list[tuple[str, float]] = []
        for start in range(0, len(found), limit):
            part = found[start : start + limit]
            wanted = [names[row] for row, _ in part]
            known.update((p.id, p) for p in self._passages("id", wanted))
            for row, score in part:
                passage = known.get(names[row])
                if passage is not None and key(passage.text) == loaded.key(row):
                    kept.append((passage.id, score))
            if len(kept) >= limit:
                break
        return list(dict(reversed(kept)).items())[::-1][:limit]

    def _passages(self, column: str, values: Sequence[str]) -> list[Words]:
        """The passages whose `column` is one of `values`, in the order of their papers."""
        found: list[Words] = []
        db = self._workspace.connection()
        for start in range(0, len(values), _AT_ONCE):
            batch = values[start : start + _AT_ONCE]
            rows = db.execute(
                f"SELECT id, paper, text FROM passage WHERE {column} IN "
                f"({','.join('?' * len(batch))}) ORDER BY paper, position",
                list(batch),
            )
            found += [Words(*row) for row in rows]
        return found

    def coverage(self) -> Coverage:
        """How far the filling is; stale rows count until the next filling."""
        loaded = self._fresh()
        (passages,) = (
            self._workspace.connection().execute("SELECT count(*) FROM passage").fetchone()
        )
        return Coverage(self.model, min(loaded.size if loaded else 0, passages), passages)

    @property
    def empty(self) -> bool:
        """Whether nothing was embedded yet."""
        return self._fresh() is None

    # Filling

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Be the only one who appends; raises ConflictError when another process does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError(
                    "Another papertune is embedding this library.", "Wait for it, then ask again."
                ) from None
            yield

    def missing(self) -> Iterator[tuple[list[Words], int]]:
        """What has no vector yet, a few papers at a time, with the change after which they come.

        Pass each position to `done` once its passages are appended: an interrupted filling then
        goes on behind it.
        """
        position = self._position()
        loaded = self._fresh()
        known = loaded.keys() if loaded else set()
        while True:
            # Asked for anew each time: whoever steps through this may change threads.
            db = self._workspace.connection()
            rows = db.execute(
                "SELECT seq, paper FROM change WHERE seq > ? ORDER BY seq LIMIT ?",
                (position, _PAPERS),
            ).fetchall()
            if not rows:
                return
            position = int(rows[-1][0])
            passages = self._passages("paper", [str(row[1]) for row in rows])
            fresh = [p for p in passages if _identity(p) not in known]
            known.update(map(_identity, fresh))
            yield [p for p in fresh if len(p.id.encode()) <= _ID], position

    def append(self, passages: Sequence[Words], vectors: Sequence[Sequence[float]]) -> None:
        """Add vectors; they are on disk before this returns. Call it under `filling` only."""
        if not passages:
            return
        import numpy as np

        array = np.asarray(vectors, dtype=np.float32)
        array /= np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12)
        with self._lock:
            rows = self._begin(array.shape[1])
            self._write("vectors", array.astype(np.float16).tobytes(), rows * array.shape[1] * 2)
            self._write("codes", _codes(array).tobytes(), rows * (-(-array.shape[1] // 64)) * 8)
            named = np.zeros(len(passages), dtype=_record())
            named["key"] = np.array([key(p.text) for p in passages], dtype=f"V{_KEY}")
            named["paper"] = [_paper(p.paper) for p in passages]
            named["id"] = [p.id.encode() for p in passages]
            self._write("rows", named.tobytes(), rows * _record().itemsize)
            self._loaded = None

    def done(self, position: int) -> None:
        """Everything up to this change has its vectors."""
        state = self._state() | {"position": position}
        atomic.write_json(self.folder / _STATE, state)

    def discard(self) -> None:
        """Forget all vectors; the next filling begins anew."""
        with self._lock:
            self._loaded = None
            for name in (_STATE, "rows", "codes", "vectors"):
                (self.folder / name).unlink(missing_ok=True)

    def _begin(self, dimensions: int) -> int:
        """How many rows there are; raises ConflictError when they have other dimensions."""
        state = self._state()
        if state and state.get("dimensions") != dimensions:
            raise ConflictError(
                f"{self.model} gives vectors of {dimensions} numbers now, "
                f"{state.get('dimensions')} before.",
                "Embed the library anew: papertune embed --again",
            )
        if not state:
            self.discard()
            self.folder.mkdir(parents=True, exist_ok=True)
            state = {
                "model": self.model,
                "library": self._library(),
                "dimensions": dimensions,
                "position": 0,
            }
            atomic.write_json(self.folder / _STATE, state)
        path = self.folder / "rows"
        return path.stat().st_size // _record().itemsize if path.exists() else 0

    def _write(self, name: str, data: bytes, at: int) -> None:
        """Write behind the known rows, over whatever an interrupted append left there."""
        path = self.folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            file.truncate(at)
            file.seek(at)
            file.write(data)
            os.fsync(file.fileno())

    # On disk

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        fits = isinstance(state, dict) and state.get("library") == self._library()
        return state if fits and state.get("model") == self.model else {}

    def _position(self) -> int:
        position = self._state().get("position", 0)
        newest = self._workspace.connection().execute("SELECT coalesce(max(seq), 0) FROM change")
        # A library that was restored from an older copy counts its changes anew.
        return position if isinstance(position, int) and position <= newest.fetchone()[0] else 0

    def _library(self) -> str:
        return str(self._workspace.connection().execute("SELECT id FROM library").fetchone()[0])

    def _fresh(self) -> _Loaded | None:
        with self._lock:
            try:
                status = (self.folder / "rows").stat()
            except OSError:
                return None
            stamp = (status.st_size, status.st_mtime_ns)
            if self._loaded is None or self._loaded.stamp != stamp:
                dimensions = self._state().get("dimensions")
                if not isinstance(dimensions, int) or not status.st_size:
                    return None
                self._loaded = _Loaded(self.folder, dimensions, stamp)
            return self._loaded if self._loaded.size else None


class _Loaded:
    """The files of a store, mapped into memory."""

    def __init__(self, folder: Path, dimensions: int, stamp: tuple[int, int]) -> None:
        import numpy as np

        self.stamp = stamp
        self._dimensions = dimensions
        words = -(-dimensions // 64)
        width = _record().itemsize
        sizes = [
            stamp[0] // width,
            _size(folder / "codes") // (words * 8),
            _size(folder / "vectors") // (dimensions * 2),
        ]
        self.size = min(sizes)
        if not self.size:
            return
        self._rows = np.memmap(folder / "rows", dtype=_record(), mode="r", shape=(self.size,))
        codes = np.memmap(folder / "codes", dtype=np.uint64, mode="r", shape=(self.size, words))
        # Held in memory, column by column: each question reads every one of them.
        self._codes = np.ascontiguousarray(codes.T)
        self._vectors = np.memmap(
            folder / "vectors", dtype=np.float16, mode="r", shape=(self.size, dimensions)
        )
        self._papers: Any = None

    def nearest(
        self, vector: Sequence[float], wide: int, papers: Collection[str] | None
    ) -> list[tuple[int, float]]:
        """Rows and cosines, best first: the `wide` nearest codes, ranked by their vectors."""
        import numpy as np

        asked = np.asarray(vector, dtype=np.float32)
        if asked.shape != (self._dimensions,):
            return []
        asked = asked / max(float(np.linalg.norm(asked)), 1e-12)
        rows: Any = None
        if papers is not None:
            if self._papers is None:
                self._papers = np.ascontiguousarray(self._rows["paper"])
            wanted = np.array([_paper(paper) for paper in papers], dtype=np.uint64)
            rows = np.flatnonzero(np.isin(self._papers, wanted))
            if not len(rows):
                return []
        code = _codes(asked[None, :])[0]
        distance = np.zeros(self.size if rows is None else len(rows), dtype=np.uint16)
        for column, bits in zip(self._codes, code, strict=True):
            part = column if rows is None else column[rows]
            distance += np.bitwise_count(part ^ bits)
        wide = min(wide, len(distance))
        near = np.argpartition(distance, wide - 1)[:wide]
        chosen = np.sort(near if rows is None else rows[near])
        scores = self._vectors[chosen].astype(np.float32) @ asked
        order = np.argsort(-scores, kind="stable")
        return [(int(chosen[place]), float(scores[place])) for place in order]

    def name(self, row: int) -> str:
        """The passage of a row."""
        return bytes(self._rows["id"][row]).rstrip(b"\0").decode(errors="replace")

    def key(self, row: int) -> bytes:
        """The hash of the text a row was made from."""
        return bytes(self._rows["key"][row]).ljust(_KEY, b"\0")

    def keys(self) -> set[bytes]:
        """Which passage with which text has a row, as `_identity` says it."""
        ids, hashes = self._rows["id"], self._rows["key"]
        return {
            bytes(hashes[row]).ljust(_KEY, b"\0") + bytes(ids[row]).rstrip(b"\0")
            for row in range(self.size)
        }


def key(text: str) -> bytes:
    """The hash a passage's vector is kept under."""
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_KEY).digest()


def _identity(passage: Words) -> bytes:
    return key(passage.text) + passage.id.encode()


def _paper(paper: str) -> int:
    return int.from_bytes(hashlib.blake2b(paper.encode(), digest_size=8).digest(), "little")


def _record() -> np.dtype[Any]:
    import numpy as np

    return np.dtype([("key", f"V{_KEY}"), ("paper", "<u8"), ("id", f"S{_ID}")])


def _codes(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """The signs of each vector's numbers, 64 to a word."""
    import numpy as np

    bits = np.packbits(vectors > 0, axis=1, bitorder="little")
    missing = -bits.shape[1] % 8
    if missing:
        bits = np.pad(bits, ((0, 0), (0, missing)))
    return np.ascontiguousarray(bits).view(np.uint64)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
