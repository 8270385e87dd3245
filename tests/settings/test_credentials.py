from __future__ import annotations

import copy
import json
import pickle
import stat
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tui.domain.errors import MissingError, PapertuneError, UsageError
from tui.settings import Credentials, SecretStr

KEY = "sk-Test/Key+0123456789wxyz"


class Ring(ModuleType):
    """A keyring in memory; `gate` can make it hang like a locked desktop keyring."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.stored: dict[tuple[str, str], str] = {}
        self.gate = threading.Event()
        self.gate.set()

    def get_password(self, service: str, name: str) -> str | None:
        self.gate.wait()
        return self.stored.get((service, name))

    def set_password(self, service: str, name: str, value: str) -> None:
        self.stored[service, name] = value

    def delete_password(self, service: str, name: str) -> None:
        del self.stored[service, name]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    ring = Ring()
    monkeypatch.setitem(sys.modules, "keyring", ring)
    yield ring
    ring.gate.set()


@pytest.fixture
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_a_key_shows_only_its_last_four_characters() -> None:
    secret = SecretStr(KEY)
    assert str(secret) == "…wxyz"
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret:>30}", f"{[secret]!r}"):
        assert KEY not in shown
        assert "…wxyz" in shown
    assert secret.reveal() == KEY


def test_a_short_key_shows_nothing() -> None:
    assert str(SecretStr("abcdefgh")) == "…"


def test_a_key_cannot_leave_by_pickle_json_or_attributes() -> None:
    secret = SecretStr(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"key": secret})
    with pytest.raises(TypeError):
        vars(secret)
    assert copy.deepcopy(secret) is secret
    assert secret == SecretStr(KEY)
    assert len({secret, SecretStr(KEY)}) == 1


def test_a_traceback_with_local_variables_does_not_show_a_key() -> None:
    def fail(secret: SecretStr) -> None:
        raise RuntimeError(f"failed with {secret}")

    try:
        fail(SecretStr(KEY))
    except RuntimeError as error:
        shown = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert "…wxyz" in shown
        assert KEY not in shown


def test_environment_goes_before_keyring_and_keyring_before_file(
    tmp_path: Path, ring: Ring
) -> None:
    environment = {"MISTRAL_API_KEY": "key-from-environment"}
    credentials = Credentials(tmp_path, environment)
    credentials.set("mistral", "key-from-file-00", "file")
    credentials.set("mistral", "key-from-keyring", "keyring")
    assert credentials.where("mistral") == "environment"
    environment.clear()
    assert credentials.where("mistral") == "keyring"
    assert credentials.get("mistral") == SecretStr("key-from-keyring")
    ring.stored.clear()
    assert credentials.where("mistral") == "file"
    credentials.forget("mistral")
    assert credentials.get("mistral") is None
    assert credentials.where("mistral") is None


def test_the_key_of_mistral_is_not_given_to_another_endpoint(tmp_path: Path, no_ring: None) -> None:
    credentials = Credentials(
        tmp_path, {"MISTRAL_API_KEY": KEY, "PAPERTUNE_KEY_LAB_GPU": "key-of-the-lab"}
    )
    assert credentials.get("lab") is None
    assert credentials.get("lab-gpu") == SecretStr("key-of-the-lab")


def test_the_file_is_its_owners_alone(tmp_path: Path, no_ring: None) -> None:
    folder = tmp_path / "config"
    credentials = Credentials(folder, {})
    credentials.set("mistral", KEY, "file")
    assert stat.S_IMODE(credentials.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert credentials.get("mistral") == SecretStr(KEY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused_with_the_command(
    tmp_path: Path, no_ring: None, mode: int
) -> None:
    credentials = Credentials(tmp_path, {})
    credentials.set("mistral", KEY, "file")
    credentials.file.chmod(mode)
    with pytest.raises(UsageError, match=f"chmod 600 {credentials.file}") as error:
        credentials.get("mistral")
    assert KEY not in str(error.value)


def test_a_broken_file_is_reported_without_quoting_it(tmp_path: Path, no_ring: None) -> None:
    credentials = Credentials(tmp_path, {})
    credentials.set("mistral", KEY, "file")
    credentials.file.write_text(f"mistral = {KEY}\n")
    with pytest.raises(UsageError) as error:
        credentials.get("mistral")
    assert KEY not in "".join(traceback.format_exception(error.value))


def test_without_a_keyring_storing_in_it_says_what_to_do(tmp_path: Path, no_ring: None) -> None:
    credentials = Credentials(tmp_path, {})
    with pytest.raises(MissingError, match="keyring"):
        credentials.set("mistral", KEY, "keyring")
    assert credentials.get("mistral") is None


def test_a_keyring_that_hangs_is_passed_over_and_asked_once(tmp_path: Path, ring: Ring) -> None:
    ring.gate.clear()
    credentials = Credentials(tmp_path, {}, keyring_seconds=0.01)
    credentials.set("mistral", KEY, "file")
    assert credentials.where("mistral") == "file"
    asking = [thread for thread in threading.enumerate() if thread.name == "keyring"]
    assert credentials.get("mistral") == SecretStr(KEY)
    assert len([t for t in threading.enumerate() if t.name == "keyring"]) == len(asking)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "ümlaut", "a\x00b"])
def test_what_cannot_be_a_key_is_refused(tmp_path: Path, no_ring: None, key: str) -> None:
    with pytest.raises(UsageError):
        Credentials(tmp_path, {}).set("mistral", key, "file")
    assert not (tmp_path / "credentials.toml").exists()


def test_a_key_in_the_environment_cannot_be_forgotten_here(tmp_path: Path, no_ring: None) -> None:
    credentials = Credentials(tmp_path, {"MISTRAL_API_KEY": KEY})
    with pytest.raises(PapertuneError, match="unset MISTRAL_API_KEY") as error:
        credentials.forget("mistral")
    assert KEY not in str(error.value)
