"""Reading frozen versions: `datasets/<name>/v<N>/`, or such a folder copied anywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.datasets.content import turns_of
from tui.domain.errors import MissingError, NotFoundError, PapertuneError
from tui.domain.example import Example, FileEntry, Form, Kind, Role, Status, Turn, Version
from tui.formats.lines import decode_object

MANIFEST = "manifest.json"
_VERSION = re.compile(r"v([1-9][0-9]*)")


def versions(folder: Path) -> list[int]:
    """The numbers of the frozen versions in a dataset's folder, rising."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
    matches = [_VERSION.fullmatch(name) for name in names]
    return sorted(int(m[1]) for m in matches if m and (folder / m[0] / MANIFEST).is_file())


def read_manifest(folder: Path, number: int) -> dict[str, Any]:
    """A version's manifest; raises NotFoundError for none, PapertuneError when damaged."""
    path = folder / f"v{number}" / MANIFEST
    try:
        return _manifest(path)
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no version v{number} of '{folder.name}'.",
            f"See the versions with: papertune dataset show {folder.name}",
        ) from None
    except (OSError, ValueError) as error:
        raise PapertuneError(f"{path} cannot be read: {error}.", "Restore the file.") from error


def read_version(folder: Path, name: str, number: int) -> Version:
    """A frozen version; paths of its files are absolute."""
    manifest = read_manifest(folder, number)
    files = {
        key: FileEntry(
            path=str(folder / f"v{number}" / entry["path"]),
            sha256=entry["sha256"],
            lines=entry["lines"],
            tokens=entry["tokens"],
        )
        for key, entry in manifest["files"].items()
    }
    return Version(
        dataset=name,
        version=number,
        sha256=manifest["sha256"],
        files=files,
        examples=manifest["examples"],
        papers=tuple(paper["id"] for paper in manifest["papers"]),
        parent=manifest["parent"],
        created_at=manifest["created_at"],
        notes=tuple(manifest.get("notes", ())),
    )


def newest(folder: Path, name: str) -> Version:
    """The last frozen version; raises MissingError when there is none."""
    known = versions(folder)
    if not known:
        raise MissingError(
            f"'{name}' has no frozen version.",
            f"Make one with: papertune dataset freeze {name}",
        )
    return read_version(folder, name, known[-1])


def frozen_examples(
    folder: Path, number: int, roles: Sequence[Role] = tuple(Role)
) -> list[Example]:
    """The examples of a version of a dataset's folder; see `examples_in`."""
    read_manifest(folder, number)
    return examples_in(folder / f"v{number}", roles, name=f"{folder.name}@v{number}")


def examples_in(
    version: Path, roles: Sequence[Role] = tuple(Role), *, name: str = ""
) -> list[Example]:
    """The examples of a frozen version's folder as they were, from its files and its manifest.

    A question in the plain form has `turns` too, so that it can be asked. Raises PapertuneError
    when a file is not what the manifest says.
    """
    manifest = _manifest(version / MANIFEST)
    wanted = {role.value for role in roles}
    lines: dict[str, list[bytes]] = {}
    for key, entry in manifest["files"].items():
        if key.split(".")[0] in wanted:
            data = (version / f"{key}.jsonl").read_bytes()
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise PapertuneError(
                    f"{key}.jsonl of {name or version.name} was changed after freezing.",
                    "Restore the file, or freeze a new version.",
                )
            lines[key] = data.split(b"\n")
    found = []
    for record in manifest["provenance"]:
        if record["role"] in wanted:
            line = lines[f"{record['role']}.{record['form']}"][record["line"] - 1]
            found.append(_frozen(record, line, manifest["dataset"]))
    return found


def examples_beside(path: Path) -> list[Example] | None:
    """The examples of one file of a frozen version, unchanged; None for any other file."""
    manifest = path.with_name(MANIFEST)
    role = path.name.split(".")[0]
    if not manifest.is_file() or role not in [known.value for known in Role]:
        return None
    try:
        if path.stem not in _manifest(manifest)["files"]:
            return None
        found = examples_in(path.parent, (Role(role),))
    except (PapertuneError, OSError, KeyError, IndexError, TypeError):
        return None
    return [e for e in found if e.role and f"{e.role.value}.{e.form.value}" == path.stem]


def _manifest(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    return found


def _frozen(record: dict[str, Any], raw: bytes, dataset: str) -> Example:
    document = decode_object(raw)
    turns, tools = turns_of(document)
    if record["form"] == Form.TEXT and record["question"]:
        turns = (Turn("user", record["question"]), Turn("assistant", record["answer"]))
    return Example(
        id=record["id"],
        dataset=dataset,
        kind=Kind(record["kind"]),
        form=Form(record["form"]),
        turns=turns,
        text=document.get("text", ""),
        status=Status.ACCEPTED,
        role=Role(record["role"]),
        author=record["author"],
        paper=record["paper"],
        passages=tuple(record["passages"]),
        quote=record["quote"],
        verified=record["verified"],
        key_phrase=record["key_phrase"],
        finding=record["finding"],
        note=record["note"],
        question_type=record.get("question_type", ""),
        prompt=record.get("prompt", ""),
        tools=tools,
    )
