"""Immutable versions: `datasets/<name>/v<N>/` with one file per role and form, and a manifest.

A version is written beside its place and renamed into it, so there is never half of one. Lines
stand in the order of their content's hash: the same examples give the same bytes, on any machine.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.datasets.card import card
from tui.datasets.content import (
    content_sha256,
    encode_content,
    question_and_answer,
    training_line,
)
from tui.datasets.frozen import MANIFEST, read_version, versions
from tui.domain.errors import PapertuneError
from tui.domain.example import Example, Kind, Role, Version
from tui.formats.check import TokenCounter, count_tokens
from tui.formats.rules import decode_line
from tui.storage.atomic import sync_directory

CARD = "card.md"
_FORMAT = 1
# What may differ between two versions that hold the same: where it was filed and looked up.
_INCIDENTAL = frozenset({"id", "page", "author", "note"})

PageOf = Callable[[str], int]


def freeze(
    folder: Path,
    name: str,
    examples: Sequence[Example],
    *,
    papers: Sequence[dict[str, Any]],
    split: dict[str, Any],
    page_of: PageOf,
    tokenizer: TokenCounter | None = None,
    notes: Sequence[str] = (),
) -> Version:
    """Write the next version of a dataset, or return the one that holds the same already.

    `examples` all have roles. Raises PapertuneError when the disk refuses; nothing is left behind.
    """
    files, provenance, tokens = _files(examples, page_of, tokenizer)
    sha256 = _identity(files, provenance)
    taken = 0
    while True:
        known = versions(folder)
        for number in reversed(known):
            version = read_version(folder, name, number)
            if version.sha256 == sha256:
                return version
        parent = known[-1] if known else None
        number = max(parent or 0, taken) + 1
        manifest = {
            "format": _FORMAT,
            "dataset": name,
            "version": number,
            "sha256": sha256,
            "created_at": time.time(),
            "parent": parent,
            "split": split,
            "examples": len(examples),
            "kinds": _counts(example.kind.value for example in examples),
            "question_types": _counts(example.question_type for example in examples),
            "authors": _counts(example.author for example in examples),
            "prompts": _counts(example.prompt for example in examples),
            "passages": len({passage for example in examples for passage in example.passages}),
            "papers": papers,
            "notes": list(notes),
            "token_count": "exact" if tokenizer else "estimate",
            "files": {
                key: {
                    "path": f"{key}.jsonl",
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "bytes": len(data),
                    "lines": data.count(b"\n"),
                    "tokens": tokens[key],
                }
                for key, data in files.items()
            },
        }
        try:
            _write(folder, number, files, manifest, provenance)
        except FileExistsError:
            taken = number  # somebody else froze at the same moment
            continue
        except OSError as error:
            raise PapertuneError(
                f"The version could not be written to {folder}: {error.strerror}.",
                "Make room or check the folder's permissions, then freeze again.",
            ) from error
        return read_version(folder, name, number)


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(value for value in values if value).items()))


def _files(
    examples: Sequence[Example], page_of: PageOf, tokenizer: TokenCounter | None
) -> tuple[dict[str, bytes], list[dict[str, Any]], Counter[str]]:
    """The files' bytes by key, a record per example in the same order, and tokens by key."""
    groups: dict[str, list[tuple[str, Example]]] = defaultdict(list)
    for example in examples:
        assert example.role is not None
        sha256 = content_sha256(example.form, encode_content(example))
        groups[f"{example.role.value}.{example.form.value}"].append((sha256, example))
    files: dict[str, bytes] = {}
    provenance: list[dict[str, Any]] = []
    tokens: Counter[str] = Counter()
    roles = list(Role)
    for key in sorted(groups, key=lambda key: (roles.index(Role(key.split(".")[0])), key)):
        lines = []
        ordered = sorted(groups[key], key=lambda pair: (pair[0], pair[1].id))
        for number, (sha256, example) in enumerate(ordered, 1):
            raw = training_line(example)
            tokens[key] += count_tokens(decode_line(raw, number), tokenizer)
            lines.append(raw + b"\n")
            provenance.append(_record(example, number, sha256, page_of))
        files[key] = b"".join(lines)
    return files, provenance, tokens


def _record(example: Example, line: int, sha256: str, page_of: PageOf) -> dict[str, Any]:
    question, answer = question_and_answer(example)
    asked = example.kind is not Kind.FULL_TEXT
    return {
        "id": example.id,
        "role": example.role and example.role.value,
        "form": example.form.value,
        "line": line,
        "kind": example.kind.value,
        "content_sha256": sha256,
        "question": question if asked else "",
        "answer": answer if asked else "",
        "key_phrase": example.key_phrase,
        "finding": example.finding,
        "paper": example.paper,
        "passages": example.passages,
        "page": page_of(example.passages[0]) if example.passages else 0,
        "quote": example.quote,
        "verified": example.verified,
        "author": example.author,
        "note": example.note,
        "question_type": example.question_type,
        "prompt": example.prompt,
    }


def _identity(files: dict[str, bytes], provenance: Sequence[dict[str, Any]]) -> str:
    """The hash of what a version holds: the files' bytes and where each line comes from."""
    digest = hashlib.sha256()
    for key, data in sorted(files.items()):
        digest.update(f"{key} {hashlib.sha256(data).hexdigest()}\n".encode())
    for record in provenance:
        kept = {key: value for key, value in record.items() if key not in _INCIDENTAL}
        digest.update(msgspec.json.encode(kept, order="sorted") + b"\n")
    return digest.hexdigest()


def _write(
    folder: Path,
    number: int,
    files: dict[str, bytes],
    manifest: dict[str, Any],
    provenance: Sequence[dict[str, Any]],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"v{number}"
    if target.exists():
        raise FileExistsError(target)
    temporary = folder / f".v{number}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    temporary.mkdir()
    try:
        for key, data in files.items():
            _put(temporary / f"{key}.jsonl", data)
        head = msgspec.json.format(msgspec.json.encode(manifest), indent=2).rstrip()
        records = b",\n    ".join(msgspec.json.encode(record) for record in provenance)
        _put(
            temporary / MANIFEST,
            head.removesuffix(b"}").rstrip()
            + b',\n  "provenance": [\n    '
            + records
            + b"\n  ]\n}\n",
        )
        _put(temporary / CARD, card(manifest, provenance).encode())
        sync_directory(temporary)
        try:
            temporary.rename(target)
        except OSError:
            if target.exists():
                raise FileExistsError(target) from None
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(folder)


def _put(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(path.stat().st_mode & ~0o222)
