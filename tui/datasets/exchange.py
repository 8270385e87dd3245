"""Examples in and out of datasets: pairs, ready examples, files in other people's forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tui.datasets.content import cleaned, training_line
from tui.datasets.exporting import ExportReport, export
from tui.datasets.importing import frozen_at, read_foreign
from tui.datasets.pairs import AddFailure, AddReport, Grounding, ReadPair, ground, read_pairs
from tui.datasets.review import replay
from tui.datasets.reviewing import Reviewing
from tui.domain.example import Example, Form, Kind, Role, Status
from tui.formats.foreign import FileForm
from tui.formats.lines import LineError
from tui.formats.records import Columns
from tui.formats.rules import decode_line
from tui.text import shorten

# Of a file that is all wrong, the reasons of so many lines are kept; all are counted.
_KEPT_FAILURES = 10_000


class Exchange(Reviewing):
    """Datasets whose examples come from files and go into files."""

    def add_pairs(
        self, name: str, path: Path, *, form: Form = Form.MESSAGES, kind: Kind = Kind.QA
    ) -> AddReport:
        """Add a JSON Lines file of pairs or training lines; each is accepted or refused.

        Raises NotFoundError for a dataset or file that is not there.
        """
        self._store.require(name)
        grounding = self._grounding(name)
        pairs = read_pairs(path, grounding, form=form, kind=kind, author=self._person)
        return self._take(name, pairs)

    def import_file(
        self,
        name: str,
        path: Path,
        *,
        form: FileForm | None = None,
        columns: Columns | None = None,
        status: Status = Status.ACCEPTED,
    ) -> AddReport:
        """Add a file in any of the known forms, or a frozen version with its provenance.

        Without `form` every record's form is told by its keys. `columns` names those of a CSV
        file. What a version brings keeps its roles; a record of another file gets `status`. Raises
        NotFoundError for a dataset or file that is not there, UsageError for a file that cannot
        hold examples.
        """
        self._store.require(name)
        frozen = frozen_at(path) if form is None else None
        if frozen is not None:
            return self.add_examples(name, frozen)
        unknown: list[str] = []
        records = read_foreign(
            path,
            self._grounding(name),
            form=form,
            columns=columns or Columns(),
            author=self._person,
            status=status,
            unknown=unknown,
        )
        report = self._take(name, records)
        if not unknown:
            return report
        note = (
            f"{len(unknown)} texts name papers that the corpus lacks, e.g. "
            f"“{shorten(unknown[0], 60)}”; no split can keep those apart. Add the papers first: "
            "papertune corpus add PATH"
        )
        return replace(report, notes=(note,))

    def export(
        self,
        name: str,
        path: Path,
        form: FileForm,
        *,
        roles: Iterable[Role] = (),
        overwrite: bool = False,
    ) -> ExportReport:
        """Write a dataset's accepted examples, or those of a version (`name@v2`), to a file.

        `roles` narrows them. Raises NotFoundError, ConflictError when the file is there already.
        """
        wanted = frozenset(roles)
        if "@" in name:
            examples = self.frozen(self.version(name), *wanted)
        else:
            examples = [
                example
                for example in self.examples(name, status=Status.ACCEPTED)
                if not wanted or example.role in wanted
            ]
        return export(examples, path, form, self._corpus, replace=overwrite)

    def _take(self, name: str, records: Iterable[ReadPair]) -> AddReport:
        """Add what is good among records; count what was there and keep why others were refused."""
        failures: list[AddFailure] = []
        counts = Counter[str]()

        def good() -> Iterator[Example]:
            for record in records:
                if record.example is not None:
                    counts["good"] += 1
                    yield record.example
                    continue
                counts["failed"] += 1
                if len(failures) < _KEPT_FAILURES:
                    failures.append(AddFailure(record.line, record.reason))

        added = self._insert(name, good())
        return AddReport(added, counts["good"] - added, counts["failed"], tuple(failures))

    def add_examples(self, name: str, examples: Iterable[Example]) -> AddReport:
        """Add ready examples with the status and role they bring, e.g. of another version.

        A quote that stands in no passage is not kept.
        """
        self._store.require(name)
        grounding = self._grounding(name)
        failures: list[AddFailure] = []
        good = []
        for number, example in enumerate(examples, 1):
            try:
                good.append(self._grounded(cleaned(example), grounding))
            except LineError as error:
                failures.append(AddFailure(number, error.reason, example.paper))
        added = self._insert(name, good)
        return AddReport(added, len(good) - added, len(failures), tuple(failures))

    def _grounded(self, example: Example, grounding: Grounding) -> Example:
        example = replace(example, author=example.author or self._person)
        decode_line(training_line(example))
        try:
            return ground(example, grounding)
        except LineError as error:
            if error.code == "role":
                raise
        grounding.keep_apart(example.paper, example.role)
        return replace(example, quote="", verified=False)

    def _grounding(self, name: str) -> Grounding:
        return Grounding(self._corpus, self._store.paper_roles(name))

    def _insert(self, name: str, examples: Iterable[Example]) -> int:
        """Add examples; decisions that colleagues took on the same ones elsewhere count at once."""
        added = self._store.insert(name, examples)
        rows = self._store.connection.execute(
            "SELECT DISTINCT example FROM decided JOIN example e ON e.id = example "
            "WHERE e.dataset = ?",
            (name,),
        )
        decided = {row["example"] for row in rows}.intersection(added)
        if decided:
            with self._workspace.transaction() as connection:
                replay(connection, decided)
        return len(added)
