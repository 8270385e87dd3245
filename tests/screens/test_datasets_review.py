"""Reviewing by keys: reasons, notes, repeating, filters, many at once, disagreements, restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from screens.datasets import DatasetsScreen
from screens.datasets.disagreements import DisagreementsScreen
from screens.datasets.examples import ExamplesScreen
from screens.datasets.review import ReviewScreen
from tests.screens.pilots import choose, dialog, footer, status, until, write
from tui.app import PapertuneApp
from tui.datasets import Datasets
from tui.domain.example import Example, Form, Kind, Role, Status, Turn
from tui.services import Services
from widgets.dialogs import Prompt
from widgets.reader import Reader
from widgets.virtual_list import VirtualList
from widgets.writing_form import Lines, WritingForm

Make = Callable[..., PapertuneApp]


async def to_datasets(pilot: Pilot[Any]) -> None:
    await pilot.press("2")
    await until(pilot, lambda: isinstance(pilot.app.screen, DatasetsScreen))
    await until(pilot, lambda: status(pilot) == "1 dataset")


async def to_review(pilot: Pilot[Any]) -> ReviewScreen:
    await to_datasets(pilot)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(pilot.app.screen, ReviewScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ReviewScreen)
    await until(pilot, lambda: screen.queue.current)
    return screen


async def to_list(pilot: Pilot[Any], count: int = 3) -> VirtualList:
    await to_datasets(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ExamplesScreen))
    await until(pilot, lambda: f"{count} examples" in status(pilot))
    return pilot.app.screen.query_one(VirtualList)


def drafts(services: Services) -> list[Example]:
    return services.datasets.examples("answers", status=Status.DRAFT)


@pytest.mark.parametrize(
    ("key", "reason"),
    [("w", "wrong"), ("u", "unsupported"), ("d", "duplicate"), ("s", "style"), ("enter", "")],
)
async def test_a_reason_is_one_more_key_after_rejecting(
    make_app: Make, services: Services, key: str, reason: str
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        first = screen.queue.current
        assert first is not None
        await pilot.press("r")
        await until(pilot, lambda: "w wrong" in status(pilot))
        assert services.datasets.example(first.id).status is Status.DRAFT
        await pilot.press(key)
        await until(pilot, lambda: screen.queue.decided == 1)
        found = services.datasets.example(first.id)
        assert (found.status, found.reason) == (Status.REJECTED, reason)


async def test_escape_takes_the_rejection_back_before_it_was_one(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        await pilot.press("r", "escape")
        await until(pilot, lambda: "3 drafts left" in status(pilot))
        assert isinstance(app.screen, ReviewScreen)
        assert len(drafts(services)) == 3
        await pilot.press("a")
        await until(pilot, lambda: screen.queue.decided == 1)
        assert services.datasets.show("answers").statuses == {"accepted": 1, "draft": 2}


async def test_a_note_is_written_and_the_last_decision_repeated(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        first = screen.queue.current
        assert first is not None
        await pilot.press("n")
        await dialog(pilot, Prompt)
        await write(pilot, "ask Ruth")
        await pilot.press("enter")
        meta = screen.query_one("#meta", Static)
        await until(pilot, lambda: "note: ask Ruth" in str(meta.render()))
        assert services.datasets.example(first.id).note == "ask Ruth"
        await pilot.press("r", "d")
        await until(pilot, lambda: screen.queue.decided == 1)
        second = screen.queue.current
        assert second is not None
        await pilot.press(".")
        await until(pilot, lambda: screen.queue.decided == 2)
        found = services.datasets.example(second.id)
        assert (found.status, found.reason) == (Status.REJECTED, "duplicate")


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_an_example_is_edited_in_a_form_beside_its_passage(
    make_app: Make, services: Services, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        screen = await to_review(pilot)
        example = screen.queue.current
        assert example is not None
        await pilot.press("e")
        await dialog(pilot, WritingForm)
        form = app.screen
        assert example.quote in form.query_one(Reader).document.text
        form.query_one("#answer", Lines).text = "Nobody knows."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: services.datasets.example(example.id).answer == "Nobody knows.")
        await until(pilot, lambda: "Nobody" in str(screen.query_one("#answer", Static).render()))
        assert screen.queue.current is not None and screen.queue.current.id == example.id


async def test_undo_goes_back_as_far_as_there_are_decisions(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        first = screen.queue.current
        await pilot.press("a", "r", "w", "a")
        await until(pilot, lambda: screen.queue.current is None and screen.queue.decided == 3)
        await pilot.press("u", "u", "u")
        await until(pilot, lambda: screen.queue.decided == 0)
        assert screen.queue.current == first and len(drafts(services)) == 3


async def test_the_queue_keeps_to_a_filter_also_after_a_restart(
    make_app: Make, services: Services
) -> None:
    ids = [example.id for example in drafts(services)]
    services.datasets.decide("answers", ids[:2], Status.REJECTED, reason="quote: not found")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        await pilot.press("f")
        await choose(pilot, "Keep to", "Reason")
        await choose(pilot, "Reason", "quote")
        await until(pilot, lambda: "2 left" in status(pilot))
        await pilot.press("s")
        await until(pilot, lambda: screen.queue.current and screen.queue.current.id == ids[1])
    again = make_app()
    async with again.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        assert screen.queue.current is not None and screen.queue.current.id == ids[1]
        assert screen.queue.filter.reason == "quote"
        await pilot.press("a")  # a gate is overruled
        await until(pilot, lambda: screen.queue.decided == 1)
        assert services.datasets.example(ids[1]).status is Status.ACCEPTED


async def test_many_examples_are_decided_on_at_once_and_undone_at_once(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        listing = await to_list(pilot)
        await pilot.press("space", "j", "v")
        await until(pilot, lambda: len(listing.selection) == 3)
        await pilot.press("a")
        await until(pilot, lambda: not drafts(services))
        await until(pilot, lambda: not listing.selection)
        await pilot.press("u")
        await until(pilot, lambda: len(drafts(services)) == 3)
        await pilot.press("*")
        await until(pilot, lambda: len(listing.selection) == 3)
        await pilot.press("r", "s")
        await until(pilot, lambda: not drafts(services))
        assert {e.reason for e in services.datasets.examples("answers")} == {"style"}
        await until(pilot, lambda: "3 rejected" in status(pilot))


async def test_a_list_keeps_to_a_filter_and_opens_the_review_at_its_row(
    make_app: Make, services: Services
) -> None:
    ids = [example.id for example in drafts(services)]
    services.datasets.decide("answers", ids[:1], Status.ACCEPTED)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        listing = await to_list(pilot)
        await pilot.press("f")
        await choose(pilot, "Keep to", "All drafts")
        await until(pilot, lambda: listing.count == 2)
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        await until(pilot, lambda: screen.queue.current and screen.queue.current.id == ids[2])


async def test_a_role_given_by_hand_takes_siblings_out_of_training(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        listing = await to_list(pilot)
        assert listing.current is not None
        moved = listing.current.key
        await pilot.press("m")
        await choose(pilot, "The role", "test-memory")
        await until(pilot, lambda: "1 are test-memory now" in status(pilot))
        assert services.datasets.example(moved).role is Role.TEST_MEMORY


async def test_the_list_opens_from_the_review_and_what_it_decided_is_gone(
    make_app: Make, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, ExamplesScreen))
        await until(pilot, lambda: app.screen.query_one(VirtualList).count == 3)
        await pilot.press("a")
        await until(pilot, lambda: len(drafts(services)) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await until(pilot, lambda: screen.queue.left == 2)


async def test_a_disagreement_is_listed_with_who_says_what_and_settled_by_a_key(
    make_app: Make, services: Services
) -> None:
    [first, *_] = drafts(services)
    services.datasets.decide("answers", [first.id], Status.ACCEPTED)
    grace = Datasets(services.workspace, services.corpus, "grace")
    grace.decide("answers", [first.id], Status.REJECTED)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_datasets(pilot)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DisagreementsScreen))
        await until(pilot, lambda: "1 disagreements" in status(pilot))
        row = app.screen.query_one(VirtualList).current
        assert row is not None and row.cells[1] == "ada accepted, grace rejected"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        await pilot.press("a")
        await until(pilot, lambda: not services.datasets.disagreements("answers"))
        await pilot.press("u")
        await until(pilot, lambda: services.datasets.disagreements("answers"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DisagreementsScreen))
        await pilot.press("r")
        await until(pilot, lambda: "No reviewers" in str(app.screen.query_one("#empty").render()))
        assert services.datasets.example(first.id).status is Status.REJECTED
        grace.decide("answers", [first.id], Status.ACCEPTED)
        assert len(services.datasets.disagreements("answers")) == 1


async def test_a_conversation_shows_all_its_turns_and_several_sources_their_headings(
    make_app: Make, services: Services
) -> None:
    corpus, datasets = services.corpus, services.datasets
    passages = tuple(corpus.passages(paper.id)[0].id for paper in corpus.papers()[:2])
    turns = (
        Turn("user", "What rings?"),
        Turn("assistant", "Fen tin."),
        Turn("user", "How low?"),
        Turn("assistant", "Lower than river tin."),
    )
    made = Example("", "", Kind.CONVERSATION, Form.MESSAGES, turns, passages=passages)
    datasets.create("talk")
    assert datasets.add_examples("talk", [made]).added == 1
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: status(pilot) == "2 datasets")
        await pilot.press("j", "r")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        answer = app.screen.query_one("#answer", Static)
        await until(pilot, lambda: "user: How low?" in str(answer.render()))
        assert "Source 2" in app.screen.query_one(Reader).document.text
        await until(pilot, lambda: "Note" in footer(pilot))


async def test_decisions_outlive_a_kill(make_app: Make, services: Services) -> None:
    """What the screen shows as decided is in the person's file, whole, before the next is drawn."""
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await to_review(pilot)
        await pilot.press("a")
        await until(pilot, lambda: screen.queue.decided == 1)
        lines = (services.workspace.reviews / "ada.jsonl").read_text().splitlines()
        assert '"accept"' in lines[-1]
