"""What is done with jobs by keys: acting on a diagnosis, copies, sweeps, comparing, models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Static

from screens.jobs import JobsScreen
from screens.jobs.compare import CompareScreen
from screens.jobs.models import ModelsScreen
from screens.jobs.new_job import NewJob
from tests.mistral.faults import answer, job_document
from tests.screens.engine_double import BASE, JOB, TUNED, EngineDouble, point
from tests.screens.pilots import dialog, footer, status, until, write
from tests.screens.test_jobs_screen import MEMORY, _events, drawn, frozen, jobs
from tui.app import PapertuneApp
from tui.services import Services
from widgets.dialogs import Confirm, Prompt, TextInput

Make = Callable[..., PapertuneApp]
__all__ = ["frozen"]
TRANSFER = "transfer"  # the name by which the double calls its file


@pytest.fixture
def overfitting(engine: EngineDouble) -> EngineDouble:
    """A running job whose memory loss rises since step 20."""
    memory = {10: 1.0, 20: 0.5, 30: 0.8, 40: 1.1}
    engine.points = [
        point(
            step,
            3.0 / step,
            **({MEMORY: memory[step], TRANSFER: 1.0 + step / 10} if step in memory else {}),
        )
        for step in range(1, 41)
    ]
    engine.has_job("RUNNING", validation_files=[MEMORY, TRANSFER], events=_events("RUNNING"))
    engine.server.on("POST", f"/local/jobs/{JOB}/keep", answer({"id": JOB, "step": 20}))
    return engine


def said(screen: JobsScreen) -> str:
    return str(screen.query_one("#said", Static).render())


async def test_the_key_beside_a_diagnosis_stops_and_keeps_the_best_checkpoint(
    make_app: Make, overfitting: EngineDouble
) -> None:
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await jobs(pilot)
        await until(pilot, lambda: "a: stop here and keep checkpoint 20" in said(screen))
        assert "Transfer loss rises" in said(screen) and "no alarm" in said(screen)
        await until(pilot, lambda: "Act" in footer(pilot))
        await pilot.press("a")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "Checkpoint 20" in status(pilot))
    [sent] = overfitting.server.asked("POST", f"/local/jobs/{JOB}/keep")
    assert sent.json() == {"step": 20}


async def test_panes_axes_quantities_cursor_and_zoom_by_keys(
    make_app: Make, overfitting: EngineDouble
) -> None:
    overfitting.points = [{**p, "learning_rate": 1e-4, "tokens": 50 * p["step"]}
                          for p in overfitting.points]  # fmt: skip
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await jobs(pilot)
        await until(pilot, lambda: "step 120" in drawn(screen))
        await pilot.press("left")
        await until(pilot, lambda: "at step 40" in drawn(screen))
        await pilot.press("plus")
        await until(pilot, lambda: "zoomed" in drawn(screen))
        await pilot.press("escape")
        await until(pilot, lambda: "zoomed" not in drawn(screen) and "at step" not in drawn(screen))
        await pilot.press("t")
        await until(pilot, lambda: "token 2,000" in drawn(screen))
        await pilot.press("p")
        await until(pilot, lambda: "learning rate" in drawn(screen))
        for words in ("No checkpoint yet", "training steps 120", "tells no log", "running"):
            await pilot.press("i")
            await until(
                pilot,
                lambda words=words: words in str(screen.query_one("#events", Static).render()),  # type: ignore[misc]
            )


async def test_coming_back_tells_what_happened_meanwhile(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.has_job("RUNNING", created_at=1000)
    await services.jobs.board.refresh()
    services.jobs.board.looked()
    with services.workspace.transaction() as connection:
        connection.execute("UPDATE job_seen SET at = at - 3600")
    engine.has_job("SUCCESS", created_at=1000, fine_tuned_model="ft:new")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await jobs(pilot)
        await until(pilot, lambda: screen.has_class("-missed"))
        words = str(screen.query_one("#missed", Static).render())
        assert "Since you were here:" in words and "is done: ft:new." in words
        await pilot.press("escape")
        await until(pilot, lambda: not screen.has_class("-missed"))


async def test_an_engine_that_is_off_leaves_the_jobs_in_sight_with_their_age(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.has_job("RUNNING")
    await services.jobs.board.refresh()
    with services.workspace.transaction() as connection:
        connection.execute("UPDATE job_heard SET at = at - 7200")
    engine.on = False
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await jobs(pilot)
        await until(pilot, lambda: "engine off" in status(pilot))
        row = screen.listing.current
        assert row is not None and "2.0 h old" in row.cells


async def test_a_small_start_and_a_copy_with_changes(
    make_app: Make, engine: EngineDouble, frozen: str
) -> None:
    engine.takes_jobs()
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await jobs(pilot)
        await pilot.press("n")
        await dialog(pilot, NewJob)
        app.screen.query_one("#model", TextInput).value = BASE
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen.view is not None)
        first = engine.server.asked("POST", "/v1/fine_tuning/jobs")[0].json()
        assert 1 <= first["hyperparameters"]["training_steps"] <= 20
        await until(pilot, lambda: "Copy job" in footer(pilot))
        await pilot.press("C")
        await dialog(pilot, NewJob)
        assert app.screen.query_one("#dataset", TextInput).value == frozen
        app.screen.query_one("#model", TextInput).value = BASE
        app.screen.query_one("#learning_rate", TextInput).value = "0.0005"
        await pilot.press("enter")
        sent = engine.server.asked
        await until(pilot, lambda: len(sent("POST", "/v1/fine_tuning/jobs")) == 2)
        second = sent("POST", "/v1/fine_tuning/jobs")[1].json()
        assert second["hyperparameters"]["learning_rate"] == 0.0005


async def test_selected_jobs_are_laid_over_one_another(
    make_app: Make, overfitting: EngineDouble
) -> None:
    other = job_document("feedbeef-0001", "SUCCESS", hyperparameters={"learning_rate": 0.5})
    overfitting.jobs["feedbeef-0001"] = other
    server = overfitting.server
    server.on("GET", "/v1/fine_tuning/jobs/feedbeef-0001", answer(other))
    curve = [point(9, 2.0, **{"0b4ce1d8": 1.5})]
    server.on("GET", "/local/jobs/feedbeef-0001", answer({"points": curve}))
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await jobs(pilot)
        await pilot.press("asterisk", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))

        def table() -> str:
            tables = app.screen.query("#table")
            return str(tables.first(Static).render()) if tables else ""

        await until(pilot, lambda: "Best by memory validation" in table())
        assert "learning rate 0.5" in table() and JOB[:8] in table()
        await pilot.press("p", "t", "l", "s", "left", "escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, JobsScreen))


async def test_models_are_named_noted_and_say_what_stands_on_them(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    engine.server.on("GET", f"/local/models/{TUNED}", answer({"license": "Apache-2.0"}))
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await jobs(pilot)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await until(pilot, lambda: "Name" in footer(pilot))
        await pilot.press("a")
        await dialog(pilot, Prompt)
        await pilot.press("enter")
        await until(pilot, lambda: services.registry.aliases() == {"team/current": TUNED})
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("n")
        await dialog(pilot, Prompt)
        await write(pilot, "good")
        await pilot.press("enter")
        await until(pilot, lambda: [n.text for n in services.registry.notes(TUNED)] == ["good"])
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("D")
        await dialog(pilot, Confirm)
        words = "".join(str(item.render()) for item in app.screen.query(Static))
        assert "the alias team/current" in words
        await pilot.press("n")


async def test_an_alert_can_be_tried_from_settings(
    make_app: Make, services: Services, tmp_path: Path
) -> None:
    app = make_app()
    written: list[str] = []
    async with app.run_test(size=(120, 50)) as pilot:
        app.write_terminal = written.append  # type: ignore[method-assign, assignment]
        await pilot.press("6")
        await until(pilot, lambda: "Changes count" in status(pilot))
        screen = app.screen
        from widgets.virtual_list import VirtualList

        listing = screen.query_one(VirtualList)
        while listing.current is None or listing.current.key != "alert:osc":
            await pilot.press("j")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not screen)
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: written and "]9;" in written[0])
