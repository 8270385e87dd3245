"""A training file mended into a new one: what is safe is changed, what is not is left out.

Safe is what changes how a line is written and not what is learnt from it. Lines that stay invalid
are named, so that a person can mend them by hand; the file itself is never touched.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.domain.errors import ConflictError, PapertuneError
from tui.domain.example import Finding, FixReport, Form
from tui.formats.check import MAX_FINDINGS
from tui.formats.likeness import content_key
from tui.formats.lines import BOM, MAX_LINE, LineError, RawLine, decode_object, opened, read_raw
from tui.formats.repairs import repair
from tui.formats.rules import examine
from tui.storage.atomic import replacing
from tui.text import visible


def fix_file(path: Path, target: Path, *, limit: int = MAX_LINE) -> FixReport:
    """Write the lines of `path` that can be trained on, mended where needed, to a new file.

    Raises NotFoundError when there is no such file, ConflictError when `target` is there already,
    PapertuneError when one of them cannot be read or written.
    """
    if target.exists():
        raise ConflictError(
            f"{visible(str(target))} is there already.", "Name a new file after --fix."
        )
    file = opened(path)
    work = _Fix()
    try:
        with file, replacing(target) as out:
            work.run(file, out, limit)
    except OSError as error:
        raise PapertuneError(
            f"{visible(str(path))} could not be mended: {error.strerror}.", "Check both paths."
        ) from error
    return FixReport(
        path=str(target),
        written=work.written,
        fixed=dict(sorted(work.fixed.items())),
        left_out=work.unfit,
        failures=tuple(work.failures),
    )


@dataclass(slots=True)
class _Fix:
    written: int = 0
    unfit: int = 0
    fixed: Counter[str] = field(default_factory=Counter)
    failures: list[Finding] = field(default_factory=list)
    form: Form | None = None
    seen: set[int] = field(default_factory=set)

    def run(self, file: BinaryIO, out: BinaryIO, limit: int) -> None:
        for raw in read_raw(file, limit):
            try:
                line = self._line(raw, limit)
            except LineError as error:
                self.unfit += 1
                if len(self.failures) < MAX_FINDINGS:
                    self.failures.append(Finding(raw.number, error.code, visible(error.reason)))
                continue
            if line is not None:
                out.write(line + b"\n")
                self.written += 1

    def _line(self, raw: RawLine, limit: int) -> bytes | None:
        """The line as it is written; None for one that is dropped as empty or repeated."""
        if raw.data is None:
            raise LineError("line-too-long", f"the line is longer than {limit / 1e6:,.0f} MB")
        data = raw.data
        done = ["crlf"] if raw.crlf else []
        if data.startswith(BOM):
            data = data.removeprefix(BOM)
            done.append("bom")
        if not data.strip():
            self.fixed["empty-line"] += 1
            return None
        document, how = _document(data)
        mended, more = repair(document, cut=True)
        line, problems = examine(mended)
        if line is None:
            fault = next(problem for problem in problems if problem.fatal)
            raise LineError(fault.code, fault.message)
        if self.form is not None and line.form is not self.form:
            raise LineError(
                "mixed-forms", f'the line has the form "{line.form}", the file "{self.form}"'
            )
        self.form = line.form
        key = content_key(line)
        if key in self.seen:
            self.fixed["duplicate"] += 1
            return None
        self.seen.add(key)
        self.fixed.update([*done, *how, *more])
        return msgspec.json.encode(mended) if how or more or mended != document else data


def _document(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """The object of a line; a key that stands twice with one value is no contradiction."""
    try:
        return decode_object(data), []
    except LineError as error:
        if error.code != "duplicate-key" or not _agree(data):
            raise
    document: dict[str, Any] = msgspec.json.decode(data)
    return document, ["duplicate-key"]


def _agree(data: bytes) -> bool:
    """Whether keys that stand twice have one value each time."""
    agree = True

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal agree
        value: dict[str, Any] = {}
        for key, item in items:
            agree = agree and value.get(key, item) == item
            value[key] = item
        return value

    json.loads(data, object_pairs_hook=pairs)
    return agree
