"""Settings by keys: what changes counts at once, and a key is seen nowhere."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from screens.settings import SettingsScreen
from tests.mistral.faults import answer
from tests.screens.engine_double import TUNED, EngineDouble
from tests.screens.pilots import dialog, footer, status, until, write
from tui.app import PapertuneApp
from tui.keymap import check
from tui.services import Services
from tui.settings import EndpointSettings, load_settings
from widgets.dialogs import Choose, Confirm, Prompt, TextInput

Make = Callable[..., PapertuneApp]
KEY = "sk-visible-to-nobody-9f3a"


async def settings(pilot: Pilot[object], row: str = "person") -> SettingsScreen:
    """The settings with the cursor on a row."""
    await pilot.press("6")
    await until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, SettingsScreen)
    await until(pilot, lambda: screen.listing.count > 5)
    await go_to(pilot, row)
    return screen


async def go_to(pilot: Pilot[object], key: str) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, SettingsScreen)
    listing = screen.listing
    rows = [listing.row(index) for index in range(listing.count)]
    listing.cursor = [row.key if row else "" for row in rows].index(key)
    await pilot.pause()


def cell(screen: SettingsScreen, key: str) -> str:
    """The value of a row."""
    rows = (screen.listing.row(index) for index in range(screen.listing.count))
    return next((row.cells[2] for row in rows if row and row.key == key), "")


async def test_the_person_changes_for_reviews_and_feedback_at_once(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    app = make_app()
    feedback, datasets = services.feedback, services.datasets
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot, "person")
        await pilot.press("enter")
        await dialog(pilot, Prompt)
        await pilot.press("ctrl+a", "ctrl+k")
        await write(pilot, "grace")
        await pilot.press("enter")
        await until(pilot, lambda: cell(screen, "person") == "grace")
    assert load_settings().person == services.settings.person == "grace"
    assert feedback.person == datasets.person == "grace"


async def test_another_theme_is_drawn_and_saved(make_app: Make, engine: EngineDouble) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot, "theme")
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("j", "enter")
        await until(pilot, lambda: cell(screen, "theme") == "papertune-light")
        assert app.theme == "papertune-light"
    assert load_settings().theme == "papertune-light"


async def test_a_key_is_stored_for_its_owner_only_and_never_drawn(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    app = make_app()
    pictures = []
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await settings(pilot, "endpoint:mistral")
        await pilot.press("enter")
        await dialog(pilot, Prompt)
        app.screen.query_one(TextInput).value = KEY
        await pilot.pause()
        pictures.append(app.export_screenshot())
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("end", "enter")
        await until(pilot, lambda: "…9f3a (file)" in cell(screen, "endpoint:mistral"))
        await until(pilot, lambda: "t tests it" in status(pilot))
        pictures.append(app.export_screenshot())
        await pilot.press("f")
        await dialog(pilot, Confirm)
        pictures.append(app.export_screenshot())
        mode = stat.S_IMODE(services.credentials.file.stat().st_mode)
        await pilot.press("y")
        await until(pilot, lambda: "no key" in cell(screen, "endpoint:mistral"))
        assert "Forget key" not in footer(pilot)
    assert mode == 0o600
    assert services.credentials.get("mistral") is None
    assert "9f3a" in pictures[1]
    for picture in pictures:
        assert KEY not in picture and "visible-to-nobody" not in picture


async def test_a_key_from_the_environment_is_told_and_cannot_be_forgotten_here(
    make_app: Make, engine: EngineDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot, "endpoint:mistral")
        assert "key …9f3a (environment)" in cell(screen, "endpoint:mistral")
        await pilot.press("f")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "unset MISTRAL_API_KEY" in status(pilot))


async def test_an_endpoint_is_added_tested_and_removed_with_all_that_hangs_on_it(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot)
        await pilot.press("a")
        await dialog(pilot, Prompt)
        await write(pilot, "mistral")
        await pilot.press("enter")
        assert "already" in str(app.screen.query_one(".note").render())
        app.screen.query_one(TextInput).value = "lab"
        await pilot.press("enter")
        await until(pilot, lambda: "Its URL" in str(app.screen.query_one(".question").render()))
        await write(pilot, "nonsense")
        await pilot.press("enter")
        assert "http" in str(app.screen.query_one(".note").render())
        app.screen.query_one(TextInput).value = engine.server.url + "/v1/"
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("enter")
        await until(pilot, lambda: engine.server.url in cell(screen, "endpoint:lab"))
        await go_to(pilot, "endpoint:lab")
        await pilot.press("t")
        await until(pilot, lambda: status(pilot) == "lab answers: 2 models.")
        await pilot.press("d")
        await until(pilot, lambda: cell(screen, "endpoint") == "lab")
        assert app.status.endpoint == services.endpoints.get().name == "lab"
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: cell(screen, "endpoint") == "local")
    assert load_settings().endpoints == {}


async def test_a_wrong_key_is_told_by_the_test_and_not_repeated(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    lab = {"lab": EndpointSettings(engine.server.url)}
    services.settings = replace(services.settings, endpoints=lab)
    services.credentials.set("lab", KEY, "file")
    engine.server.on("GET", "/v1/models", answer({"message": f"Bad key {KEY}"}, 401))
    app = make_app()
    async with app.run_test(size=(120, 24)) as pilot:
        await settings(pilot, "endpoint:lab")
        await pilot.press("t")
        await until(pilot, lambda: "key" in status(pilot).lower())
        assert KEY not in status(pilot) and KEY not in app.export_screenshot()


async def test_trust_is_given_after_a_yes_and_taken_without_one(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    lab = {"lab": EndpointSettings(engine.server.url)}
    services.settings = replace(services.settings, endpoints=lab)
    gate = services.gate
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settings(pilot, "endpoint:lab")
        await pilot.press("p")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert not services.endpoints.get("lab").trusted
        await pilot.press("p")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: services.endpoints.get("lab").trusted)
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("p")
        await until(pilot, lambda: not services.endpoints.get("lab").trusted)
        await pilot.press("c")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: gate.settings.consented == ("lab",))


async def test_the_model_that_is_asked_first_is_one_of_the_endpoint_s(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot, "model")
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: cell(screen, "model") == TUNED)
    assert services.settings.model == TUNED


async def test_the_engine_is_started_and_stopped_by_keys(
    make_app: Make, engine: EngineDouble
) -> None:
    engine.on = False
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot)
        assert "Start" in footer(pilot) and "Stop" not in footer(pilot)
        await pilot.press("e")
        await until(pilot, lambda: cell(screen, "engine") == "on, cuda, no jobs")
        await pilot.press("E")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: cell(screen, "engine") == "off")


async def test_lines_of_the_keymap_that_cannot_be_used_are_told(
    make_app: Make, engine: EngineDouble
) -> None:
    app = make_app(keymap=check({"corpus.ad": "A"}))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot, "keymap")
        await until(pilot, lambda: "corpus.add" in str(screen.query_one("#about").render()))


async def test_a_key_file_that_others_can_read_is_told_in_its_row(
    make_app: Make, engine: EngineDouble, services: Services
) -> None:
    services.credentials.set("mistral", KEY, "file")
    services.credentials.file.chmod(0o644)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await settings(pilot, "endpoint:mistral")
        await until(
            pilot, lambda: "can be read by others" in str(screen.query_one("#about").render())
        )
        assert KEY not in app.export_screenshot()
