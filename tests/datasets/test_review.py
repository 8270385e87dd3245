"""Reviewing: on disk first, undone without limit, merged in any order to the same state."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.conftest import WriteLines, pair
from tests.datasets.library import PaperShelf
from tui.datasets import Datasets
from tui.domain.errors import ConflictError, NotFoundError, UsageError
from tui.domain.example import Example, Kind, Status, Turn
from tui.formats.lines import LineError
from tui.storage.workspace import Workspace


def drafts(datasets: Datasets, count: int = 3) -> list[str]:
    """Add drafts and give their ids."""
    datasets.add_examples(
        "answers",
        [
            Example("", "", Kind.QA, turns=(Turn("user", f"Q{n}?"), Turn("assistant", f"A{n}.")))
            for n in range(count)
        ],
    )
    return [example.id for example in datasets.examples("answers")]


def state(datasets: Datasets) -> list[tuple[str, Status, str, str, str]]:
    return sorted(
        (e.id, e.status, f"{e.reason}|{e.note}", e.question, e.answer)
        for e in datasets.examples("answers")
    )


def test_a_decision_is_in_the_persons_file_and_in_the_database(
    datasets: Datasets, workspace: Workspace
) -> None:
    one, two, _ = drafts(datasets)
    changed = datasets.decide("answers", [one, two[:6]], Status.REJECTED, reason="vague")
    assert [(e.status, e.reason) for e in changed] == [(Status.REJECTED, "vague")] * 2
    lines = (workspace.reviews / "ada.jsonl").read_text().splitlines()
    record = json.loads(lines[0])
    assert (record["by"], record["action"], record["examples"]) == ("Ada", "reject", [one, two])


def test_decisions_survive_a_database_that_lost_them(
    datasets: Datasets, workspace: Workspace
) -> None:
    ids = drafts(datasets)
    datasets.decide("answers", ids[:2], Status.ACCEPTED)
    before = state(datasets)
    with workspace.transaction() as connection:
        connection.execute("DELETE FROM decision")
        connection.execute("DELETE FROM review_file")
        connection.execute("UPDATE example SET status = 'draft'")
    assert state(datasets) == before


def test_undo_takes_back_one_decision_after_the_other(datasets: Datasets) -> None:
    ids = drafts(datasets)
    first = state(datasets)
    datasets.decide("answers", ids[:1], Status.ACCEPTED)
    second = state(datasets)
    datasets.edit("answers", ids[0], answer="Another.")
    third = state(datasets)
    datasets.note("answers", ids[:1], "see page 3")
    datasets.undo("answers")
    assert state(datasets) == third
    assert [example.id for example in datasets.undo("answers")] == ids[:1]
    assert state(datasets) == second
    datasets.undo("answers")
    assert state(datasets) == first
    with pytest.raises(NotFoundError):
        datasets.undo("answers")


def test_undo_takes_back_ones_own_decisions_only(
    datasets: Datasets, workspace: Workspace, library: PaperShelf
) -> None:
    ids = drafts(datasets)
    datasets.decide("answers", ids, Status.ACCEPTED)
    Datasets(workspace, library, "Grace").decide("answers", ids[:1], Status.REJECTED)
    datasets.undo("answers")
    statuses = [example.status for example in datasets.examples("answers")]
    assert statuses == [Status.REJECTED, Status.DRAFT, Status.DRAFT]


def test_two_people_who_differ_are_listed(
    datasets: Datasets, workspace: Workspace, library: PaperShelf
) -> None:
    ids = drafts(datasets)
    grace = Datasets(workspace, library, "Grace")
    datasets.decide("answers", ids, Status.ACCEPTED)
    grace.decide("answers", ids[:2], Status.REJECTED)
    grace.decide("answers", ids[1:2], Status.ACCEPTED)
    (found,) = datasets.disagreements("answers")
    assert found.example == ids[0]
    assert found.verdicts == {"Ada": Status.ACCEPTED, "Grace": Status.REJECTED}
    assert found.words == "Q0?"
    grace.undo("answers")
    assert len(grace.disagreements("answers")) == 2


def test_examples_are_filtered_by_kind_paper_reason_and_author(
    datasets: Datasets, write_lines: WriteLines, workspace: Workspace, library: PaperShelf
) -> None:
    grace = Datasets(workspace, library, "Grace")
    grace.add_pairs("answers", write_lines(*[pair(n, 0) for n in range(3)]))
    ids = drafts(datasets, 4)[3:]
    datasets.decide("answers", ids[:2], Status.REJECTED, reason="vague")
    datasets.decide("answers", ids[2:3], Status.REJECTED, reason="quote: it has five words only")
    found = datasets.filters("answers")
    assert found["kind"] == [("qa", 7)]
    assert found["status"] == [("accepted", 3), ("rejected", 3), ("draft", 1)]
    assert found["author"] == [("Ada", 4), ("Grace", 3)]
    assert found["reason"] == [("vague", 2), ("quote", 1)]
    assert found["paper"] == [("p0", 1), ("p1", 1), ("p2", 1)]
    assert datasets.count("answers", paper="p1") == 1
    assert datasets.count("answers", reason="vague") == 2
    assert datasets.count("answers", author="Ada", status=Status.DRAFT) == 1
    assert [e.id for e in datasets.examples("answers", reason="quote")] == ids[2:3]
    assert [e.paper for e in datasets.examples("answers", author="Grace", paper="p1")] == ["p1"]


def test_deciding_about_all_of_a_reason_is_one_decision_and_one_undo(datasets: Datasets) -> None:
    ids = drafts(datasets, 5)
    datasets.decide("answers", ids[:3], Status.REJECTED, reason="vague")
    before = state(datasets)
    assert datasets.decide_all("answers", Status.ACCEPTED, refused="vague") == 3
    assert datasets.count("answers", status=Status.ACCEPTED) == 3
    assert datasets.decide_all("answers", Status.ACCEPTED, refused="nothing") == 0
    assert len(datasets.undo("answers")) == 3
    assert state(datasets) == before


def test_a_reason_and_a_note_stand_side_by_side_and_accepting_drops_the_reason(
    datasets: Datasets,
) -> None:
    one = drafts(datasets)[:1]
    datasets.decide("answers", one, Status.REJECTED, reason="vague")
    (noted,) = datasets.note("answers", one, "see page 3")
    assert (noted.reason, noted.note) == ("vague", "see page 3")
    (accepted,) = datasets.decide("answers", one, Status.ACCEPTED)
    assert (accepted.reason, accepted.note) == ("", "see page 3")


def test_the_last_decision_is_repeated_on_another_example(
    datasets: Datasets, workspace: Workspace, library: PaperShelf
) -> None:
    one, two, three = drafts(datasets)
    with pytest.raises(NotFoundError):
        datasets.repeat("answers", [one])
    datasets.decide("answers", [one], Status.REJECTED, reason="vague")
    Datasets(workspace, library, "Grace").decide("answers", [three], Status.ACCEPTED)
    (second,) = datasets.repeat("answers", [two])
    assert (second.status, second.reason) == (Status.REJECTED, "vague")
    datasets.note("answers", [one], "mind the unit")
    assert datasets.repeat("answers", [three])[0].note == "mind the unit"
    datasets.edit("answers", one, answer="Another.")
    with pytest.raises(UsageError):
        datasets.repeat("answers", [two])


def test_what_became_of_an_example_can_be_read_back(
    datasets: Datasets, workspace: Workspace, library: PaperShelf
) -> None:
    one = drafts(datasets)[0]
    datasets.decide("answers", [one], Status.REJECTED, reason="vague")
    datasets.undo("answers")
    datasets.decide("answers", [one], Status.ACCEPTED)
    Datasets(workspace, library, "Grace").note("answers", [one], "fine")
    found = [(d.person, d.action, d.value) for d in datasets.decisions("answers", one)]
    assert found == [("Ada", "accept", ""), ("Grace", "note", "fine")]


def test_a_clock_that_is_set_back_does_not_reorder_ones_decisions(
    datasets: Datasets,
    workspace: Workspace,
    library: PaperShelf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = drafts(datasets)[0]
    datasets.decide("answers", [one], Status.ACCEPTED)
    monkeypatch.setattr("tui.datasets.review.time.time", lambda: 1_000.0)
    later = Datasets(workspace, library, "Ada")
    assert later.decide("answers", [one], Status.REJECTED)[0].status is Status.REJECTED
    later.undo("answers")
    assert later.example(one).status is Status.ACCEPTED


def test_an_edit_keeps_id_and_source_and_obeys_the_rules(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    datasets.add_pairs("answers", write_lines(pair(0, 0), pair(0, 0, 1)))
    one, two = datasets.examples("answers")
    changed = datasets.edit("answers", one.id, question="At which heat\x1b[0m does it melt?")
    assert changed.question == "At which heat does it melt?"
    assert (changed.id, changed.quote, changed.status) == (one.id, one.quote, Status.ACCEPTED)
    with pytest.raises(LineError):
        datasets.edit("answers", one.id, answer="   ")
    with pytest.raises(ConflictError):
        datasets.edit("answers", one.id, question=two.question, answer=two.answer)
    with pytest.raises(UsageError):
        datasets.edit("answers", one.id)
    with pytest.raises(UsageError):
        datasets.edit("answers", one.id, text="plain")


def test_an_edited_example_is_not_added_again_as_it_was(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    path = write_lines(pair(0, 0))
    datasets.add_pairs("answers", path)
    datasets.edit("answers", datasets.examples("answers")[0].id, question="What is its heat?")
    assert datasets.add_pairs("answers", path).skipped == 1
    assert datasets.count("answers") == 1


def test_plain_text_is_edited_as_text_or_as_question_and_answer(datasets: Datasets) -> None:
    datasets.add_from_corpus("answers", Kind.FULL_TEXT, query="number 1")
    text = datasets.examples("answers")[0]
    with pytest.raises(UsageError):
        datasets.edit("answers", text.id, answer="x")
    assert datasets.edit("answers", text.id, text="Other words.").text == "Other words."


def test_a_wrong_or_ambiguous_id_decides_nothing(datasets: Datasets, workspace: Workspace) -> None:
    ids = drafts(datasets)
    with pytest.raises(NotFoundError):
        datasets.decide("answers", [ids[0], "nothing"], Status.ACCEPTED)
    with pytest.raises(NotFoundError):
        datasets.decide("answers", ["%"], Status.ACCEPTED)
    with pytest.raises(UsageError, match="Several"):
        datasets.decide("answers", ["e"], Status.ACCEPTED)
    assert not (workspace.reviews / "ada.jsonl").exists()
    assert datasets.count("answers", status=Status.DRAFT) == 3


def test_torn_and_foreign_lines_in_a_review_file_do_no_harm(
    datasets: Datasets, workspace: Workspace
) -> None:
    ids = drafts(datasets)
    datasets.decide("answers", ids[:1], Status.ACCEPTED)
    good = (workspace.reviews / "ada.jsonl").read_bytes()
    record = json.loads(good)
    bad: list[object] = [
        [],
        {"id": 3},
        {**record, "id": "x1", "at": float("nan")},
        {**record, "id": "x2", "action": "delete"},
        {**record, "id": "x3", "examples": ["unknown"]},
        {**record, "id": "x4", "action": "undo", "undoes": "unknown", "examples": []},
    ]
    lines = b"".join(json.dumps(value).encode() + b"\n" for value in bad)
    later = json.dumps({**record, "id": "y", "at": record["at"] + 1, "examples": ids[1:2]}).encode()
    other = workspace.reviews / "grace.jsonl"
    other.write_bytes(b"[" * 100_000 + b"\n\xff\xfe\n" + lines + later[:20])
    assert datasets.count("answers", status=Status.ACCEPTED) == 1
    with other.open("ab") as file:  # the torn line is completed
        file.write(later[20:] + b"\n")
    assert datasets.count("answers", status=Status.ACCEPTED) == 2


def test_colleagues_decisions_find_an_example_that_comes_later(
    tmp_path: Path, library: PaperShelf, write_lines: WriteLines
) -> None:
    path = write_lines(pair(0, 0), pair(0, 1))
    here, there = (Workspace.open(tmp_path / name) for name in ("here", "there"))
    ada, grace = Datasets(here, library, "Ada"), Datasets(there, library, "Grace")
    grace.create("answers")
    grace.add_pairs("answers", path)
    grace.decide("answers", [grace.examples("answers")[0].id], Status.REJECTED, reason="twice")
    here.reviews.mkdir()
    (here.reviews / "grace.jsonl").write_bytes((there.reviews / "grace.jsonl").read_bytes())
    ada.create("answers")
    assert ada.list()[0].examples == 0
    ada.add_pairs("answers", path)
    assert state(ada) == state(grace)


steps = st.lists(
    st.tuples(
        st.sampled_from(["Ada", "Grace", "Lin"]),
        st.sampled_from(["accept", "reject", "draft", "note", "edit", "undo"]),
        st.integers(0, 2),
        st.sampled_from(["x", "y"]),
    ),
    max_size=10,
)


@settings(max_examples=15, deadline=None)
@given(steps=steps)
def test_files_of_several_people_merge_in_any_order_to_the_same_state(
    steps: list[tuple[str, str, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("merge")
    source = Workspace.open(root / "source")
    people = {name: Datasets(source, PaperShelf(), name) for name in ("Ada", "Grace", "Lin")}
    people["Ada"].create("answers")
    ids = drafts(people["Ada"])
    for person, action, which, word in steps:
        datasets = people[person]
        try:
            _act(datasets, action, ids[which], word)
        except (NotFoundError, ConflictError):
            continue
    expected = state(people["Ada"])
    files = sorted(source.reviews.glob("*.jsonl"))
    for number, order in enumerate(itertools.permutations(files)):
        target = Workspace.open(root / f"target{number}")
        datasets = Datasets(target, PaperShelf(), "Reader")
        datasets.create("answers")
        drafts(datasets)
        target.reviews.mkdir(exist_ok=True)
        for file in order:
            (target.reviews / file.name).write_bytes(file.read_bytes())
            datasets.list()  # merges what is there
        assert state(datasets) == expected
        target.close()
    source.close()


def _act(datasets: Datasets, action: str, example: str, word: str) -> None:
    if action == "undo":
        datasets.undo("answers")
    elif action == "note":
        datasets.note("answers", [example], word)
    elif action == "edit":
        datasets.edit("answers", example, answer=f"{word}.")
    else:
        status = {"accept": Status.ACCEPTED, "reject": Status.REJECTED, "draft": Status.DRAFT}
        datasets.decide("answers", [example], status[action], reason=word)
