"""What goes out comes in again; a frozen version that is imported freezes to the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.conftest import WriteLines, finding, pair
from tests.datasets.library import PaperShelf
from tui.datasets import Datasets
from tui.domain.errors import ConflictError
from tui.domain.example import Example, Form, Kind, Role, Status, ToolCall, Turn, Version
from tui.domain.paper import Paper
from tui.formats.check import check_file
from tui.formats.foreign import FileForm
from tui.storage.workspace import Workspace

TOOLS = '[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]'
TALK = (
    Turn("system", "Be brief."),
    Turn("user", "Heat?"),
    Turn("assistant", "Let me see.", weight=0),
    Turn("user", "Well?", name="ada"),
    Turn("assistant", "", tool_calls=(ToolCall("abcdefghi", "f", '{"a": "ü\\n"}'),)),
    Turn("tool", "283", tool_call_id="abcdefghi", name="f"),
    Turn("assistant", "283 kelvin."),
)


def add(datasets: Datasets, *examples: Example) -> None:
    report = datasets.add_examples("answers", examples)
    assert report.failed == 0, report.failures


def ready(kind: Kind = Kind.QA, **values: Any) -> Example:
    return Example("", "", kind, status=Status.ACCEPTED, **values)


def again(datasets: Datasets, path: Path, form: FileForm) -> list[Example]:
    datasets.create("again")
    report = datasets.import_file("again", path, form=form)
    assert report.failed == 0, report.failures
    return datasets.examples("again")


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
@pytest.mark.parametrize("form", [FileForm.MISTRAL, FileForm.OPENAI, FileForm.SHAREGPT])
def test_a_conversation_with_tools_survives(
    form: FileForm, name: str, datasets: Datasets, tmp_path: Path
) -> None:
    talk = TALK if form is not FileForm.SHAREGPT else tuple(t for t in TALK if not t.name)
    if form is FileForm.SHAREGPT:
        talk = (*TALK[:3], Turn("user", "Well?"), TALK[4], Turn("tool", "283"), TALK[6])
        talk = (*talk[:5], Turn("tool", "283", tool_call_id="abcdefghi"), talk[6])
    add(datasets, ready(Kind.CONVERSATION, turns=talk, tools=TOOLS))
    assert datasets.export("answers", tmp_path / name, form).written == 1
    (example,) = again(datasets, tmp_path / name, form)
    assert example.tools == TOOLS
    if form is FileForm.SHAREGPT:  # which has no ids of calls
        assert [turn.content for turn in example.turns] == [turn.content for turn in talk]
        assert [turn.weight for turn in example.turns] == [turn.weight for turn in talk]
        assert example.turns[4].tool_calls[0].arguments == TALK[4].tool_calls[0].arguments
    else:
        assert example.turns == TALK


@pytest.mark.parametrize("form", list(FileForm))
def test_a_question_survives_every_form(
    form: FileForm, datasets: Datasets, write_lines: WriteLines, tmp_path: Path
) -> None:
    question, answer = 'Is it "warm",\nor =cold?', "Warm; in 9 of 10.\tYes. 200 kelvin"
    datasets.add_pairs("answers", write_lines(pair(0, 0, question=question, answer=answer)))
    path = tmp_path / f"out.{'csv' if form is FileForm.CSV else 'jsonl'}"
    assert datasets.export("answers", path, form).failed == 0
    (example,) = again(datasets, path, form)
    if form is FileForm.FROM_PAPER:
        assert (example.paper, example.text.endswith("Yes. 200 kelvin")) == ("p0", True)
        return
    asked = datasets.test_items(frozen(datasets, "again"), Role.TRAIN)[0]
    assert (asked.question, asked.answer) == (question, answer)
    if form in (FileForm.CSV, FileForm.PAIRS):
        assert (example.quote, example.paper, example.finding) == (finding(0, 0), "p0", "0x0")


def frozen(datasets: Datasets, name: str) -> Version:
    datasets.split(name, transfer=0, memory=0)
    return datasets.freeze(name)


def test_what_a_form_cannot_hold_is_named_and_the_rest_is_written(
    datasets: Datasets, tmp_path: Path
) -> None:
    add(
        datasets,
        ready(Kind.CONVERSATION, turns=TALK, tools=TOOLS),
        ready(turns=(Turn("user", "Heat?"), Turn("assistant", "283."))),
        ready(Kind.FULL_TEXT, form=Form.TEXT, text="Fens hold resin."),
    )
    for form, written in (
        (FileForm.MISTRAL, 2),
        (FileForm.TEXT, 2),
        (FileForm.QUESTION_ANSWER, 1),
        (FileForm.FROM_PAPER, 0),
        (FileForm.ALPACA, 1),
        (FileForm.SHAREGPT, 2),
        (FileForm.CSV, 1),
    ):
        report = datasets.export("answers", tmp_path / f"{form}.jsonl", form)
        assert (report.written, report.failed) == (written, 3 - written), form
        assert all(failure.reason.startswith("e") for failure in report.failures)
    assert check_file(tmp_path / "mistral.jsonl").ok


def test_a_file_that_is_there_is_not_overwritten_unasked(
    datasets: Datasets, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("mine")
    with pytest.raises(ConflictError):
        datasets.export("answers", path, FileForm.MISTRAL)
    assert path.read_text() == "mine"
    datasets.export("answers", path, FileForm.MISTRAL, overwrite=True)
    assert path.read_text() == ""


def test_drafts_stay_and_a_version_goes_out_by_role(
    datasets: Datasets, write_lines: WriteLines, tmp_path: Path
) -> None:
    datasets.add_pairs("answers", write_lines(*[pair(n, 0, w) for n in range(7) for w in range(6)]))
    datasets.split("answers")
    version = datasets.freeze("answers")
    datasets.decide("answers", [datasets.examples("answers")[0].id], Status.DRAFT)
    all_out = datasets.export("answers", tmp_path / "a.jsonl", FileForm.PAIRS)
    assert all_out.written == 41
    tests = datasets.export(
        "answers@v1", tmp_path / "b.jsonl", FileForm.PAIRS, roles=[Role.TEST_MEMORY]
    )
    assert tests.written == version.files["test-memory.messages"].lines
    records = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert {record["role"] for record in records} == {"test-memory"}


def test_one_file_of_a_version_brings_its_provenance(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    datasets.add_pairs("answers", write_lines(*[pair(n, 0, w) for n in range(7) for w in range(6)]))
    datasets.split("answers")
    version = datasets.freeze("answers")
    path = datasets.file(version, "test-memory.messages")
    datasets.create("again")
    datasets.import_file("again", path)
    found = datasets.examples("again")
    assert len(found) == version.files["test-memory.messages"].lines
    assert all(e.role is Role.TEST_MEMORY and e.verified and e.paper for e in found)


words = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z"))
    | st.sampled_from(' \n"\\{}'),
    min_size=1,
    max_size=30,
).filter(str.strip)
plain = st.builds(lambda q, a: (Turn("user", q), Turn("assistant", a)), words, words)
weighted = st.builds(
    lambda q, a, b, w: (
        Turn("system", "Be brief."),
        Turn("user", q),
        Turn("assistant", a, weight=w),
        Turn("user", q),
        Turn("assistant", b),
    ),
    words,
    words,
    words,
    st.sampled_from([None, 0]),
)
called = st.builds(
    lambda q, a: (
        Turn("user", q),
        Turn("assistant", "", tool_calls=(ToolCall("abcdefghi", "f", json.dumps({"x": a})),)),
        Turn("tool", a, tool_call_id="abcdefghi"),
        Turn("assistant", a),
    ),
    words,
    words,
)
conversations = st.builds(
    lambda turns, **values: ready(
        Kind.QA if len(turns) == 2 else Kind.CONVERSATION,
        turns=turns,
        tools=TOOLS if any(turn.tool_calls for turn in turns) else "",
        **values,
    ),
    plain | weighted | called,
    key_phrase=st.sampled_from(["", "283"]),
    author=st.sampled_from(["Ada", "model-x"]),
    question_type=st.sampled_from(["", "result"]),
)
texts = st.builds(lambda text: ready(Kind.FULL_TEXT, form=Form.TEXT, text=text), words)


@settings(max_examples=15, deadline=None)
@given(
    examples=st.lists(
        st.tuples(conversations | texts, st.integers(0, 6), st.sampled_from(list(Role))),
        min_size=1,
        max_size=12,
    )
)
def test_freezing_what_was_imported_from_a_version_gives_the_version_again(
    examples: list[tuple[Example, int, Role]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    shelf = PaperShelf()
    for n in range(7):
        shelf.add(Paper(f"p{n}", f"Paper {n}"), [finding(n, 0), "Some more words."])
    root = tmp_path_factory.mktemp("identity")
    workspace = Workspace.open(root / "workspace")
    datasets = Datasets(workspace, shelf, "Ada")
    datasets.create("answers")
    datasets.create("again")
    sided = [
        # Papers 0 to 3 are trained on, the others kept; somebody trains in any case.
        _placed(example, n, paper, role if role.is_transfer == (paper > 3) else None)
        for n, (example, paper, role) in enumerate(examples)
    ]
    datasets.add_examples("answers", [*sided, _placed(ready(turns=TALK, tools=TOOLS), 99, 0, None)])
    first = datasets.freeze("answers")
    report = datasets.import_file("again", Path(first.files["train.messages"].path).parent)
    assert (report.added, report.failed) == (first.examples, 0)
    second = datasets.freeze("again")
    assert second.sha256 == first.sha256
    assert second.files.keys() == first.files.keys()
    for key, entry in first.files.items():
        assert Path(second.files[key].path).read_bytes() == Path(entry.path).read_bytes()
    workspace.close()


def _placed(example: Example, number: int, paper: int, role: Role | None) -> Example:
    """An example on a paper, with a question and a finding that no other has."""
    fallback = Role.TEST_TRANSFER if paper > 3 else Role.TRAIN
    return replace(
        example,
        turns=tuple(
            replace(turn, content=f"{number}! {turn.content}") if turn.role == "user" else turn
            for turn in example.turns
        ),
        finding=f"fact {number}",
        paper=f"p{paper}",
        role=role or fallback,
        quote=finding(paper, 0),
        passages=(f"p{paper}#0",),
        verified=True,
    )
