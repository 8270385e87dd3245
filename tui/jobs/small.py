"""A tenth of a version as files of their own, to see in a minute whether the data are right."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from tui.domain.example import FileEntry, Version
from tui.jobs.suggest import small_lines
from tui.storage.atomic import write_bytes
from tui.storage.locations import cache_dir


def small(version: Version, paths: dict[str, Path]) -> tuple[Version, dict[str, Path]]:
    """The version and its files, cut to a tenth of the training and validation lines.

    Which lines stay is decided by their content, so the same version gives the same small files
    wherever it is asked for, and they come from all over the original.
    """
    folder = cache_dir() / "small" / version.sha256[:16]
    entries, found = {}, {}
    for key, path in paths.items():
        lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.strip()]
        kept = small_lines(len(lines))
        ranks = sorted(range(len(lines)), key=lambda n: hashlib.blake2b(lines[n]).digest())[:kept]
        content = b"".join(lines[number] for number in sorted(ranks))
        target = folder / path.name
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(target, content)
        tokens = round(version.files[key].tokens * kept / max(1, len(lines)))
        digest = hashlib.sha256(content).hexdigest()
        entries[key] = FileEntry(target.name, digest, kept, tokens)
        found[key] = target
    digest = hashlib.sha256(f"small {version.sha256}".encode()).hexdigest()
    return replace(version, sha256=digest, files=entries), found
