from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.domain.errors import UsageError
from tui.domain.usage import Amount
from tui.settings import EndpointSettings, Settings, load_settings, save_settings
from tui.settings.money import BudgetSettings, ModelPrice, PriceSettings

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
_NAME = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True).filter(lambda name: name != "local")
_URL = st.builds(
    "{}://{}.example:{}{}".format,
    st.sampled_from(["http", "https"]),
    _NAME,
    st.integers(1, 65535),
    st.sampled_from(["", "/api", "/team/engine"]),
)
_CURRENCY = st.sampled_from(["usd", "eur"])
_PRICE = st.floats(0, 1e6)
_AMOUNT = st.builds(Amount, st.floats(0, 1e9), st.sampled_from(["usd", "eur", "gpuh", "ktok"]))
_SETTINGS = st.builds(
    Settings,
    workspace=st.none() | _NAME.map(lambda name: Path("/data") / name),
    person=_TEXT,
    theme=_TEXT,
    endpoint=_NAME,
    model=_TEXT,
    endpoints=st.dictionaries(_NAME, st.builds(EndpointSettings, _URL, st.booleans()), max_size=3),
    consented=st.lists(_NAME, max_size=3).map(tuple),
    aliases=st.dictionaries(_TEXT, _TEXT, max_size=3),
    prices=st.builds(
        PriceSettings,
        _CURRENCY,
        st.none() | _PRICE,
        st.dictionaries(_TEXT, st.builds(ModelPrice, _PRICE, _PRICE, _CURRENCY), max_size=2),
    ),
    budget=st.builds(BudgetSettings, st.none() | _AMOUNT, st.none() | _AMOUNT),
)


@given(value=_SETTINGS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, value: Settings) -> None:
    path = tmp_path / "config.toml"
    save_settings(value, path)
    assert load_settings(path) == value


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path / "none" / "config.toml")
    assert loaded == Settings()
    assert loaded.endpoint == "local"


def test_the_config_directory_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERTUNE_CONFIG_DIR", str(tmp_path / "config"))
    save_settings(Settings(theme="papertune-light"))
    assert (tmp_path / "config" / "config.toml").is_file()
    assert load_settings().theme == "papertune-light"


def test_a_mistyped_key_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('endpiont = "mistral"\n')
    with pytest.raises(UsageError) as error:
        load_settings(path)
    assert str(path) in str(error.value)
    assert "'endpiont'" in str(error.value)
    assert "Did you mean 'endpoint'?" in str(error.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("theme = 3", "theme"),
        ('consented = "mistral"', "consented"),
        ('endpoints = "x"', "endpoints"),
        ('[endpoints.lab]\nurl = "http://lab"\ntrusted = "yes"', "endpoints.lab.trusted"),
        ('[endpoints.lab]\nurl = "http://lab"\ntrustd = true', "endpoints.lab.trustd"),
        ("[endpoints.lab]\ntrusted = true", "endpoints.lab"),
        ('[endpoints.lab]\nurl = "lab:8000"', "endpoints.lab.url"),
        ('[endpoints.lab]\nurl = "https://me:secret@lab"', "endpoints.lab.url"),
        ('[endpoints.local]\nurl = "http://lab"', "endpoints.local"),
        ("[aliases]\ncurrent = 1", "aliases.current"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        load_settings(path)
    assert f"'{key}'" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_broken_file_is_reported_with_its_line_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('theme = "a"\nmodel = \n')
    with pytest.raises(UsageError, match="line 2"):
        load_settings(path)
    with pytest.raises(UsageError, match="line 2"):
        save_settings(Settings(), path)
    assert path.read_text() == 'theme = "a"\nmodel = \n'


def test_keys_of_a_later_version_survive_a_save(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('theme = "a"\nfuture = 7\n')
    save_settings(Settings(model="m"), path)
    assert "future = 7" in path.read_text()
    assert "theme" not in path.read_text()


def test_settings_that_could_not_be_read_again_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(UsageError):
        save_settings(Settings(endpoints={"lab": EndpointSettings("ftp://lab")}), path)
    assert not path.exists()


@pytest.mark.parametrize("written", ["https://lab.example/v1", "https://lab.example/v1/"])
def test_the_version_is_taken_off_an_endpoints_url(tmp_path: Path, written: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[endpoints.lab]\nurl = "{written}"')
    assert load_settings(path).endpoints["lab"].url == "https://lab.example"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[prices]\ncurrency = "pounds"\n', "prices.currency"),
        ("[prices.models.m]\noutput = 1\n", "prices.models.m"),
        ("[prices.models.m]\ninput = -1\n", "prices.models.m.input"),
        ("[prices]\ngpuh = true\n", "prices.gpuh"),
        ("[prices]\ngpu = 1\n", "prices.gpu"),
        ("[budget]\nmonth = 20\n", "budget.month"),
        ('[budget]\nmonth = "20 apples"\n', "budget.month"),
        ('[budget]\nweek = "20usd"\n', "budget.week"),
    ],
)
def test_a_price_or_budget_that_cannot_be_is_named(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        load_settings(path)
    assert f"'{key}'" in error.value.message
