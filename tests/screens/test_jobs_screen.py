"""Jobs by keys: launching with an estimate, following, stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Static

from screens.jobs import JobsScreen
from screens.jobs.detail import JobView
from screens.jobs.new_job import NewJob
from tests.screens.engine_double import BASE, JOB, EngineDouble, point
from tests.screens.pilots import dialog, footer, status, until
from tui.app import PapertuneApp
from tui.domain.example import Kind, Status
from tui.domain.job import Job, JobStatus, LossPoint
from tui.services import Services
from widgets.dialogs import Confirm, TextInput
from widgets.status import StatusLine

Make = Callable[..., PapertuneApp]
MEMORY, TRANSFER = "m" * 8, "t" * 8


@pytest.fixture
def frozen(services: Services) -> str:
    """A frozen version of the team's dataset, all of it for training."""
    datasets = services.datasets
    ids = [example.id for example in datasets.examples("answers", kind=Kind.QA)]
    datasets.decide("answers", ids, Status.ACCEPTED)
    datasets.split("answers", transfer=0, memory=0)
    return datasets.freeze("answers").name


async def jobs(pilot: Pilot[object]) -> JobsScreen:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(pilot.app.screen, JobsScreen))
    await until(pilot, lambda: "engine" in status(pilot))
    screen = pilot.app.screen
    assert isinstance(screen, JobsScreen)
    return screen


async def form(pilot: Pilot[object]) -> NewJob:
    await pilot.press("n")
    await until(pilot, lambda: isinstance(pilot.app.screen, NewJob))
    dialog = pilot.app.screen
    assert isinstance(dialog, NewJob)
    return dialog


def estimate(dialog: NewJob) -> str:
    return str(dialog.query_one("#estimate", Static).render())


async def test_without_jobs_the_next_keys_are_named(make_app: Make, engine: EngineDouble) -> None:
    engine.on = False
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await jobs(pilot)
        words = str(screen.query_one("#empty", Static).render())
        assert "Press n to fine-tune" in words and "e starts it" in words
        await pilot.press("e")
        await until(pilot, lambda: "engine on cuda" in status(pilot) or "runs on" in status(pilot))


async def test_the_form_says_what_a_job_takes_and_what_is_wrong_with_it(
    make_app: Make, engine: EngineDouble, frozen: str
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await jobs(pilot)
        dialog = await form(pilot)
        dialog.query_one("#model", TextInput).value = BASE
        await until(pilot, lambda: "epochs over 3 examples" in estimate(dialog))
        assert dialog.query_one("#dataset", TextInput).value == "answers"
        dialog.query_one("#steps", TextInput).value = "7"
        await until(pilot, lambda: estimate(dialog).startswith("7 steps"))
        for field, value, words in (
            ("steps", "0", "at least 1"),
            ("steps", "many", "no whole number"),
            ("learning_rate", "[/x]", "no number"),
            ("suffix", "a-word-that-is-far-too-long", "longer than 18"),
            ("budget", "0.01ktok", "more than the budget"),
            ("budget", "much", "not an amount"),
            ("dataset", "nothing", "nothing"),
        ):
            dialog.query_one(f"#{field}", TextInput).value = value
            await until(pilot, lambda words=words: words in estimate(dialog))  # type: ignore[misc]
            await pilot.press("enter")
            assert app.screen is dialog
            dialog.query_one(f"#{field}", TextInput).value = {"dataset": "answers"}.get(field, "")
        await pilot.press("escape")
    assert not engine.server.asked("POST", "/v1/fine_tuning/jobs")


async def test_a_launched_job_is_opened_and_followed_on_every_screen(
    make_app: Make, engine: EngineDouble, frozen: str
) -> None:
    engine.takes_jobs()
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await jobs(pilot)
        dialog = await form(pilot)
        dialog.query_one("#model", TextInput).value = BASE
        await pilot.press("enter")
        await until(pilot, lambda: screen.view is not None)
        assert screen.has_class("-reading") and screen.view is not None
        assert screen.view.dataset == frozen
        engine.points = [point(10, 2.5)]
        engine.jobs[JOB]["status"] = "RUNNING"
        await pilot.press("1")
        line = app.screen.query_one(StatusLine)
        await until(pilot, lambda: f"job {JOB[:8]} running 10/120" in line.status.job)
        engine.points.append(point(20, 1.5))
        engine.jobs[JOB] |= {"status": "SUCCESS", "fine_tuned_model": "ft:tiny"}
        await until(pilot, lambda: f"Job {JOB[:8]} ended: success." in status(pilot))
        await pilot.press("3")
        await until(pilot, lambda: "ft:tiny" in str(screen.query_one("#head", Static).render()))
        assert [p.step for p in screen.view.points] == [10, 20]
    sent = engine.server.asked("POST", "/v1/fine_tuning/jobs")
    assert len(sent) == 1 and sent[0].json()["model"] == BASE


async def test_the_job_in_view_shows_its_curves_and_what_happened(
    make_app: Make, engine: EngineDouble
) -> None:
    engine.points = [point(step, 3.0 / step, **{MEMORY: 2.0 / step}) for step in range(1, 60)]
    engine.has_job("RUNNING", validation_files=[MEMORY], events=_events("RUNNING"))
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await jobs(pilot)
        await until(pilot, lambda: screen.view is not None and screen.view.points)
        await until(pilot, lambda: "memory" in drawn(screen))
        assert "train" in drawn(screen) and "step 120" in drawn(screen)
        assert "running" in str(screen.query_one("#events", Static).render())
        await pilot.press("l")
        await until(pilot, lambda: "log" in drawn(screen))
        await pilot.press("s")
        await until(pilot, lambda: "smoothed" in drawn(screen))


async def test_a_job_is_stopped_only_after_a_yes(make_app: Make, engine: EngineDouble) -> None:
    engine.has_job("RUNNING")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await jobs(pilot)
        await until(pilot, lambda: "Stop" in footer(pilot))
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))
        assert not engine.server.asked("POST", f"/v1/fine_tuning/jobs/{JOB}/cancel")
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "Stop" not in footer(pilot))
    assert len(engine.server.asked("POST", f"/v1/fine_tuning/jobs/{JOB}/cancel")) == 1


async def test_names_and_messages_of_a_job_are_only_text(
    make_app: Make, engine: EngineDouble
) -> None:
    hostile = "[/foo] \x1b]0;title\x07 [@click=app.quit]x[/]"
    engine.has_job(
        "FAILED",
        model=hostile,
        suffix=hostile,
        events=[{"name": hostile, "created_at": 1, "data": {"message": hostile}}],
    )
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await jobs(pilot)
        await until(pilot, lambda: screen.view is not None)
        await until(pilot, lambda: "[/foo]" in str(screen.query_one("#events", Static).render()))
        assert "\x1b" not in app.export_screenshot() and app.is_running


def drawn(screen: JobsScreen) -> str:
    """The plot as text."""
    plot = screen.query_one("#detail").query_one("LossPlot")
    strips = plot.render_lines(plot.size.region)
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def _events(*statuses: str) -> list[dict[str, Any]]:
    return [
        {"name": "status-updated", "created_at": 1_795_280_100 + n, "data": {"status": status}}
        for n, status in enumerate(statuses)
    ]


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 9)), max_size=30))
def test_points_fold_in_step_order_and_the_last_word_on_a_step_counts(
    said: list[tuple[int, float]],
) -> None:
    view = JobView(Job("j", "m", JobStatus.RUNNING, 0, 0))
    for step, loss in said:
        view = view.with_point(LossPoint(step, 0.0, train_loss=loss))
    assert [p.step for p in view.points] == sorted({step for step, _ in said})
    assert {p.step: p.train_loss for p in view.points} == dict(said)
