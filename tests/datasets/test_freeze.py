"""Freezing: immutable, byte-identical when repeated, read back as it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.conftest import WriteLines, pair
from tests.datasets.library import PaperShelf
from tui.datasets import Datasets, freeze
from tui.datasets.limits import fit_hosted
from tui.domain.errors import MissingError, NotFoundError, PapertuneError, UsageError
from tui.domain.example import Example, Form, Kind, Role, Status, Turn, Version
from tui.formats.check import check_file
from tui.storage.workspace import Workspace


def fill(datasets: Datasets, write_lines: WriteLines, form: Form = Form.MESSAGES) -> None:
    pairs = [pair(n, k, w) for n in range(7) for k in range(5) for w in range(5)]
    datasets.add_pairs("answers", write_lines(*pairs), form=form)
    datasets.split("answers")


def test_a_version_has_a_file_per_role_and_form_and_a_manifest(
    datasets: Datasets, write_lines: WriteLines, workspace: Workspace
) -> None:
    fill(datasets, write_lines)
    datasets.add_from_corpus("answers", Kind.FULL_TEXT)
    version = datasets.freeze("answers")
    assert version.name == "answers@v1"
    assert list(version.files) == [
        "train.messages",
        "train.text",
        "validation.messages",
        "test-memory.messages",
        "validation-transfer.messages",
        "validation-transfer.text",
        "test-transfer.messages",
    ]
    assert version.examples == datasets.count("answers")
    assert version.papers == tuple(f"p{n}" for n in range(7))
    folder = workspace.datasets / "answers" / "v1"
    for key, entry in version.files.items():
        path = datasets.file(version, key)
        assert path == folder / f"{key}.jsonl"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
        report = check_file(path)
        assert report.ok
        assert (report.lines, report.tokens) == (entry.lines, entry.tokens)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert len(manifest["provenance"]) == version.examples
    record = next(r for r in manifest["provenance"] if r["finding"] == "0x0")
    assert (record["paper"], record["passages"], record["page"]) == ("p0", ["p0#1"], 2)
    assert "answers v1" in (folder / "card.md").read_text()
    assert not (folder / "manifest.json").stat().st_mode & 0o222


def test_freezing_the_same_again_gives_the_same_version(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    fill(datasets, write_lines)
    first = datasets.freeze("answers")
    assert datasets.freeze("answers") == first
    datasets.add_pairs("answers", write_lines(pair(0, 0, 5)))
    second = datasets.freeze("answers")
    assert (second.version, second.parent) == (2, 1)
    extra = [e.id for e in datasets.examples("answers") if e.question == pair(0, 0, 5)["question"]]
    datasets.decide("answers", extra, Status.REJECTED)
    assert datasets.freeze("answers") == first
    assert [version.version for version in datasets.versions("answers")] == [1, 2]


def test_test_items_come_with_what_an_answer_must_hold(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    fill(datasets, write_lines)
    version = datasets.freeze("answers")
    items = datasets.test_items(version, Role.TEST_MEMORY)
    assert len(items) == version.files["test-memory.messages"].lines
    known = {example.id: example for example in datasets.examples("answers")}
    for item in items:
        original = known[item.id]
        assert (item.question, item.answer) == (original.question, original.answer)
        assert (item.key_phrase, item.finding) == (original.key_phrase, original.finding)
        assert (item.paper, item.passages) == (original.paper, original.passages)


def test_questions_in_the_plain_form_can_be_asked(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    fill(datasets, write_lines, Form.TEXT)
    version = datasets.freeze("answers")
    assert all(key.endswith(".text") for key in version.files)
    item = datasets.test_items(version, Role.TEST_MEMORY)[0]
    assert item.question.endswith(("?", "."))
    assert item.key_phrase in item.answer


def test_only_accepted_examples_are_frozen(datasets: Datasets, write_lines: WriteLines) -> None:
    fill(datasets, write_lines)
    ids = [example.id for example in datasets.examples("answers", role=Role.TRAIN)]
    datasets.decide("answers", ids[:2], Status.DRAFT)
    datasets.decide("answers", ids[2:3], Status.REJECTED)
    version = datasets.freeze("answers")
    assert version.examples == datasets.count("answers") - 3
    assert not {e.id for e in datasets.frozen(version)} & set(ids[:3])


def test_what_cannot_be_frozen_says_what_to_do(datasets: Datasets, write_lines: WriteLines) -> None:
    with pytest.raises(UsageError, match="dataset add"):
        datasets.freeze("answers")
    with pytest.raises(MissingError, match="dataset freeze"):
        datasets.version("answers")
    datasets.add_pairs("answers", write_lines(pair(0, 0)))
    with pytest.raises(UsageError, match="dataset split"):
        datasets.freeze("answers")
    with pytest.raises(NotFoundError):
        datasets.version("answers@v3")
    with pytest.raises(NotFoundError):
        datasets.version("nothing")
    with pytest.raises(UsageError):
        datasets.version("answers@latest")


def test_a_test_that_stands_in_training_is_refused(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    near = {**pair(0, 0), "question": "At what temperature did substance 0x0 melt down?"}
    datasets.add_pairs(
        "answers", write_lines(pair(0, 0, role="train"), {**near, "role": "test-memory"})
    )
    with pytest.raises(PapertuneError, match="stand in training"):
        datasets.freeze("answers")
    report = datasets.check("answers")
    assert (report.leaks, [error.code for error in report.errors]) == (1, ["leak-question"])


def test_a_changed_file_is_not_taken_for_the_version(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    fill(datasets, write_lines)
    version = datasets.freeze("answers")
    path = datasets.file(version, "test-memory.messages")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"kelvin", b"celsius"))
    with pytest.raises(PapertuneError, match="changed after freezing"):
        datasets.test_items(version, Role.TEST_MEMORY)
    with pytest.raises(NotFoundError, match=r"train\.messages"):
        datasets.file(version, "train.csv")


def test_a_failed_write_leaves_no_version_and_no_litter(
    datasets: Datasets,
    write_lines: WriteLines,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(datasets, write_lines)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(freeze, "_put", full)
    with pytest.raises(PapertuneError, match="No space left"):
        datasets.freeze("answers")
    assert list((workspace.datasets / "answers").iterdir()) == []
    monkeypatch.undo()
    assert datasets.freeze("answers").version == 1


def test_a_version_outlives_its_dataset_and_numbers_go_on(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    fill(datasets, write_lines)
    version = datasets.freeze("answers")
    datasets.remove("answers")
    assert datasets.version("answers@v1") == version
    datasets.create("answers")
    datasets.add_pairs("answers", write_lines(pair(0, 0, role="train")))
    assert datasets.freeze("answers").version == 2


def test_what_changed_between_versions_is_told(datasets: Datasets, write_lines: WriteLines) -> None:
    fill(datasets, write_lines)
    datasets.freeze("answers")
    gone = datasets.examples("answers", role=Role.TRAIN)[0]
    datasets.decide("answers", [gone.id], Status.REJECTED)
    datasets.add_pairs("answers", write_lines(pair(0, 0, 5, role="validation")))
    datasets.freeze("answers")
    found = datasets.diff("answers", 1, 2)
    assert [(change.words, change.after) for change in found.added] == [
        (pair(0, 0, 5)["question"], "validation")
    ]
    assert [change.id for change in found.removed] == [gone.id]
    assert found.moved == ()
    assert found.unchanged == datasets.version("answers@v1").examples - 1


wild = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() != "")


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([Kind.QA, Kind.CONVERSATION, Kind.FULL_TEXT]),
            st.sampled_from([Form.MESSAGES, Form.TEXT]),
            wild,
            wild,
            st.sampled_from([Role.TRAIN, Role.VALIDATION]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_freezing_what_was_frozen_gives_the_same_bytes(
    rows: list[tuple[Kind, Form, str, str, Role]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace = Workspace.open(tmp_path_factory.mktemp("identity"))
    datasets = Datasets(workspace, PaperShelf(), "Ada")
    examples = [Example("", "", Kind.QA, turns=(Turn("user", "first?"), Turn("assistant", "a.")))]
    for kind, form, a, b, role in rows:
        content: dict[str, Any] = (
            {"text": a} if form is Form.TEXT else {"turns": (Turn("user", a), Turn("assistant", b))}
        )
        examples.append(Example("", "", kind, form=form, role=role, **content))
    accepted = [
        Example("", "", e.kind, e.form, e.turns, e.text, Status.ACCEPTED, e.role or Role.TRAIN)
        for e in examples
    ]
    versions: list[Version] = []
    for name in ("one", "two"):
        datasets.create(name)
        datasets.add_examples(name, accepted if name == "one" else datasets.frozen(versions[0]))
        try:
            versions.append(datasets.freeze(name))
        except PapertuneError:  # the words that were drawn put a test into training
            assert datasets.check(name).leaks
            workspace.close()
            return
    assert versions[0].sha256 == versions[1].sha256
    hashes = [{key: entry.sha256 for key, entry in v.files.items()} for v in versions]
    assert hashes[0] == hashes[1]
    workspace.close()
    shutil.rmtree(workspace.root)


def test_a_version_for_the_hosted_service_fits_its_limits_and_says_how(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    fill(datasets, write_lines)
    free = datasets.freeze("answers")
    version = datasets.freeze("answers", hosted=True)
    sizes = {key: Path(entry.path).stat().st_size for key, entry in version.files.items()}
    watching = sum(size for key, size in sizes.items() if key.startswith("validation"))
    assert 0 < watching <= 0.05 * sizes["train.messages"]
    for key in ("train.messages", "test-memory.messages", "test-transfer.messages"):
        assert version.files[key].sha256 == free.files[key].sha256
    assert "were left out" in version.notes[0]
    assert (version.parent, datasets.freeze("answers", hosted=True)) == (1, version)
    card = Path(version.files["train.messages"].path).with_name("card.md").read_text()
    assert "Made after v1" in card
    assert version.notes[0] in card


def test_training_data_beyond_the_hosted_limit_is_refused(datasets: Datasets) -> None:
    talk = (Turn("user", "Heat?"), Turn("assistant", "283 kelvin."))
    example = Example("e1", "", Kind.QA, turns=talk, role=Role.TRAIN)
    with pytest.raises(UsageError, match="hosted service takes"):
        fit_hosted([example], limit=50)


def test_the_manifest_names_prompts_models_types_and_passages(datasets: Datasets) -> None:
    talk = (Turn("user", "Heat?"), Turn("assistant", "283 kelvin."))
    written = Example("", "", Kind.QA, turns=talk, status=Status.ACCEPTED, role=Role.TRAIN,
                      author="model-x", prompt="qa@1a2b", question_type="result", paper="p0",
                      passages=("p0#1", "p0#2"))  # fmt: skip
    datasets.add_examples("answers", [written])
    version = datasets.freeze("answers")
    folder = Path(version.files["train.messages"].path).parent
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["authors"] == {"model-x": 1}
    assert manifest["prompts"] == {"qa@1a2b": 1}
    assert manifest["question_types"] == {"result": 1}
    assert manifest["passages"] == 2
    assert "1 with qa@1a2b" in (folder / "card.md").read_text()
    (again,) = datasets.frozen(version)
    assert (again.prompt, again.question_type) == ("qa@1a2b", "result")
