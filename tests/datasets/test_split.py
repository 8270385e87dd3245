"""Splitting: no transfer paper in training, ever; seeded; stable when papers are added."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.conftest import WriteLines, pair
from tui.datasets import Datasets
from tui.datasets.split import Item, SplitSettings, assign
from tui.domain.example import Example, Kind, Role, Status, Turn
from tui.domain.text import content_words

MEMORY_ROLES = [Role.TRAIN, Role.VALIDATION, Role.TEST_MEMORY]
TRANSFER_ROLES = [Role.VALIDATION_TRANSFER, Role.TEST_TRANSFER]


@st.composite
def item_lists(draw: st.DrawFn) -> list[Item]:
    items = []
    for paper in range(draw(st.integers(0, 9))):
        side = draw(st.sampled_from([None, None, None, MEMORY_ROLES, TRANSFER_ROLES]))
        for number in range(draw(st.integers(1, 6))):
            fixed = draw(st.none() | st.sampled_from(side)) if side else None
            kind = draw(st.sampled_from([Kind.QA, Kind.QA, Kind.SUMMARY, Kind.FULL_TEXT]))
            fact = f"fact {paper} {draw(st.integers(0, 1))}"
            question = " ".join(draw(st.lists(st.sampled_from("abcdefgh"), max_size=6)))
            items.append(Item(f"e{paper}-{number}", kind, f"p{paper}", fact, question, fixed))
    return items


settings = st.builds(
    SplitSettings,
    transfer=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    memory=st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    seed=st.integers(0, 3),
)


@given(item_lists(), settings)
def test_no_paper_is_on_both_sides_and_fixed_roles_stay(
    items: list[Item], asked: SplitSettings
) -> None:
    roles = assign(items, asked).roles
    sides = defaultdict(set)
    for item in items:
        sides[item.paper].add(roles[item.id].is_transfer)
        if item.fixed:
            assert roles[item.id] is item.fixed
    assert all(len(side) == 1 for side in sides.values())
    assert roles.keys() == {item.id for item in items}


@given(item_lists(), settings, st.randoms(use_true_random=False))
def test_the_order_of_the_examples_does_not_matter(
    items: list[Item], asked: SplitSettings, rng: Random
) -> None:
    roles = assign(items, asked).roles
    shuffled = list(items)
    rng.shuffle(shuffled)
    assert assign(shuffled, asked).roles == roles


@given(item_lists(), item_lists(), settings)
def test_adding_papers_moves_no_example(
    before: list[Item], more: list[Item], asked: SplitSettings
) -> None:
    roles = assign(before, asked).roles
    added = [
        Item(f"new-{i.id}", i.kind, f"new-{i.paper}", f"new {i.fact}", i.question, i.fixed)
        for i in more
    ]
    again = assign([*added, *before], asked, roles).roles
    assert {item.id: again[item.id] for item in before} == roles


@given(item_lists(), settings)
def test_a_drawn_test_wording_is_far_from_what_is_trained(
    items: list[Item], asked: SplitSettings
) -> None:
    roles = assign(items, asked).roles
    for test in items:
        if roles[test.id] is not Role.TEST_MEMORY or test.fixed:
            continue
        for other in items:
            if roles[other.id] is Role.TRAIN and other.fact == test.fact and other.kind is Kind.QA:
                mine, theirs = (set(content_words(i.question)) for i in (test, other))
                assert len(mine ^ theirs) >= 3


@given(item_lists(), settings, st.data())
def test_nothing_that_quotes_a_transfer_paper_is_trained_on(
    items: list[Item], asked: SplitSettings, data: st.DataObject
) -> None:
    names = sorted({item.paper for item in items} | {"other"})
    quoting = st.frozensets(st.sampled_from(names), max_size=2)
    items = [replace(item, sources=data.draw(quoting) - {item.paper}) for item in items]
    sides = data.draw(
        st.dictionaries(st.sampled_from([*names, "x", "y"]), st.none() | st.booleans())
    )
    drawn = assign(items, asked, papers=sides)
    away = {paper for paper, transfer in drawn.papers.items() if transfer}
    for item in items:
        if drawn.roles[item.id] is Role.TRAIN:
            assert item.paper not in away
            assert item.fixed or not item.sources & away
    assert drawn.papers.keys() == {item.paper for item in items} | sides.keys()
    fixed = {item.paper for item in items if item.fixed}
    for paper, given_side in sides.items():
        if given_side is not None and paper not in fixed:
            assert drawn.papers[paper] is given_side


def add_all(datasets: Datasets, write_lines: WriteLines, papers: range, wordings: int) -> None:
    pairs = [pair(n, k, w) for n in papers for k in range(5) for w in range(wordings)]
    assert datasets.add_pairs("answers", write_lines(*pairs)).failed == 0


def test_papers_and_wordings_are_set_apart(datasets: Datasets, write_lines: WriteLines) -> None:
    add_all(datasets, write_lines, range(7), 6)
    report = datasets.split("answers")
    assert report.notes == ()
    counts = {role: (count.papers, count.examples) for role, count in report.roles.items()}
    assert counts["train"] == (6, 6 * 5 * 4)
    assert counts["validation"] == (6, 30)
    assert counts["test-memory"] == (6, 30)
    assert counts["test-transfer"][0] == 1
    assert counts["test-transfer"][1] + counts["validation-transfer"][1] == 30
    assert counts["test-transfer"][1] > 0


def test_wordings_of_one_finding_on_a_transfer_paper_stay_together(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    add_all(datasets, write_lines, range(7), 6)
    datasets.split("answers", transfer=0.3)
    roles = defaultdict(set)
    for example in datasets.examples("answers"):
        if example.role and example.role.is_transfer:
            roles[example.finding].add(example.role)
    assert len(roles) == 10
    assert all(len(given) == 1 for given in roles.values())


def test_the_same_split_again_changes_nothing_and_another_seed_does(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    add_all(datasets, write_lines, range(5), 4)
    datasets.split("answers", seed=1)
    first = {example.id: example.role for example in datasets.examples("answers")}
    add_all(datasets, write_lines, range(5, 7), 4)
    datasets.split("answers", seed=1)
    second = {example.id: example.role for example in datasets.examples("answers")}
    assert {example: second[example] for example in first} == first
    drawn = set()
    for seed in range(8):
        datasets.split("answers", seed=seed)
        drawn.add(frozenset(e.paper for e in datasets.examples("answers", role=Role.TEST_TRANSFER)))
    assert len(drawn) > 1


def test_too_few_papers_are_said_not_pretended(datasets: Datasets, write_lines: WriteLines) -> None:
    add_all(datasets, write_lines, range(3), 6)
    report = datasets.split("answers")
    assert report.roles["test-transfer"].examples == 0
    assert "too few" in report.notes[0]


def test_findings_with_one_wording_give_no_memory_test(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    add_all(datasets, write_lines, range(6), 1)
    report = datasets.split("answers")
    assert report.roles["test-memory"].examples == 0
    assert any("memory test" in note for note in report.notes)


def test_text_and_summaries_of_a_transfer_paper_stay_out_of_training(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    add_all(datasets, write_lines, range(7), 2)
    datasets.add_from_corpus("answers", Kind.FULL_TEXT)
    datasets.add_from_corpus("answers", Kind.SUMMARY)
    datasets.split("answers", transfer=0.3)
    away = {e.paper for e in datasets.examples("answers", role=Role.TEST_TRANSFER)}
    assert len(away) == 2
    for example in datasets.examples("answers"):
        assert example.role is not None
        assert example.role.is_transfer == (example.paper in away)
        if example.kind is not Kind.QA:
            assert example.role in (Role.TRAIN, Role.VALIDATION_TRANSFER)


def test_without_questions_summaries_are_the_transfer_test(datasets: Datasets) -> None:
    datasets.add_from_corpus("answers", Kind.SUMMARY)
    datasets.add_from_corpus("answers", Kind.FULL_TEXT)
    report = datasets.split("answers")
    assert report.roles["test-transfer"].examples == 1
    assert any("memory test" in note for note in report.notes)


def test_papers_are_set_apart_before_anything_is_written(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    report = datasets.split("answers", transfer=0.3)
    away = datasets.transfer_papers("answers")
    assert set(report.transfer_papers) == away
    assert len(away) == 2
    assert "2 papers are set apart" in report.notes[-1]
    add_all(datasets, write_lines, range(7), 4)
    datasets.split("answers", transfer=0.3)
    tested = {e.paper for e in datasets.examples("answers") if e.role and e.role.is_transfer}
    assert tested == away == datasets.transfer_papers("answers")


def test_papers_with_questions_are_kept_for_the_test_first(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    add_all(datasets, write_lines, range(2), 4)
    datasets.add_from_corpus("answers", Kind.SUMMARY)
    report = datasets.split("answers", transfer=0.15)
    assert report.roles["test-transfer"].papers == 1
    assert report.transfer_papers[0] in ("p0", "p1")


def test_an_example_with_a_distractor_of_a_transfer_paper_only_watches(datasets: Datasets) -> None:
    away = sorted(set(datasets.split("answers").transfer_papers))[0]
    home = next(f"p{n}" for n in range(7) if f"p{n}" != away)
    talk = (Turn("user", "Which?"), Turn("assistant", "This."))
    datasets.add_examples(
        "answers",
        [
            Example("", "", Kind.RETRIEVAL, turns=talk, status=Status.ACCEPTED, paper=home,
                    passages=(f"{home}#1", f"{away}#1")),
            Example("", "", Kind.QA, turns=(Turn("user", "Why?"), Turn("assistant", "So.")),
                    status=Status.ACCEPTED, paper=home),
        ],
    )  # fmt: skip
    report = datasets.split("answers")
    assert [e.role for e in datasets.examples("answers")] == [Role.VALIDATION, Role.TRAIN]
    assert any("quote papers that are kept" in note for note in report.notes)


def test_moving_into_a_test_takes_siblings_out_of_training_and_says_so(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    near = {**pair(0, 0), "question": "At what temperature does substance 0x0 finally melt?"}
    datasets.add_pairs("answers", write_lines(near, *[pair(0, 0, w) for w in range(3)], pair(1, 0)))
    datasets.split("answers", transfer=0, memory=0)
    ids = {e.question: e.id for e in datasets.examples("answers")}
    report = datasets.move("answers", [ids[pair(0, 0)["question"]]], Role.TEST_MEMORY)
    assert (report.moved, report.aside) == (1, 1)
    assert "taken out of training" in report.notes[0]
    roles = {e.question: e.role for e in datasets.examples("answers")}
    assert roles[near["question"]] is Role.VALIDATION
    assert roles[pair(0, 0, 1)["question"]] is Role.TRAIN
    datasets.split("answers", transfer=0, memory=0)
    assert {e.question: e.role for e in datasets.examples("answers")} == roles
    datasets.freeze("answers")


def test_moving_into_the_transfer_test_takes_the_whole_paper_along(
    datasets: Datasets, write_lines: WriteLines
) -> None:
    add_all(datasets, write_lines, range(3), 3)
    datasets.split("answers")
    one = datasets.examples("answers", paper="p1")[0].id
    report = datasets.move("answers", [one], Role.TEST_TRANSFER)
    assert (report.moved, report.aside) == (1, 14)
    roles = [e.role for e in datasets.examples("answers", paper="p1")]
    assert roles.count(Role.TEST_TRANSFER) == 1
    assert all(role and role.is_transfer for role in roles)
    assert datasets.check("answers").leaks == 0
