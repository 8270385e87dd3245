from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tui.domain.errors import ConflictError, MissingError, UsageError
from tui.engine.home import EngineHome
from tui.engine.models.library import ModelLibrary, TemplateMismatchError

BASE = "smollm2-135m-instruct"
TUNED = f"ft:{BASE}:0a1b2c3d:20261121:c7a2f9d4"


@pytest.fixture
def library(tmp_path: Path, bundled_model_dir: Path) -> ModelLibrary:
    models = tmp_path / "models"
    models.mkdir()
    (models / BASE).symlink_to(bundled_model_dir)
    home = EngineHome(tmp_path / "engine")
    home.create()
    return ModelLibrary(models, home, {"small": BASE})


def tuned(library: ModelLibrary, tmp_path: Path, **changes: Any) -> Path:
    base = library.find(BASE)
    assert base is not None
    folder = EngineHome(tmp_path / "engine").model(TUNED)
    folder.mkdir()
    card = {
        "id": TUNED,
        "base": BASE,
        "job": "c7a2f9d4",
        "created_at": 5,
        "template_sha256": base.template_sha256,
        "base_sha256": base.sha256,
        "lineage": {"dataset": "facts@v1", "papers": ["p1"], "job": "c7a2f9d4"},
    }
    (folder / "papertune.json").write_text(json.dumps(card | changes))
    (folder / "adapter.gguf").write_bytes(b"GGUF")
    return folder


def test_base_models_come_first_and_tuned_ones_know_their_lineage(
    library: ModelLibrary, tmp_path: Path
) -> None:
    tuned(library, tmp_path)
    base, fine = library.models()
    assert (base.id, base.root, base.trainable, base.license) == (BASE, "", True, "Apache-2.0")
    assert (fine.id, fine.root, fine.trainable) == (TUNED, BASE, False)
    assert fine.lineage["dataset"] == "facts@v1"
    assert fine.template_sha256 == base.template_sha256
    assert "Q8_0" in base.engine


def test_a_tuned_model_is_served_by_its_base_and_its_adapter(
    library: ModelLibrary, tmp_path: Path
) -> None:
    folder = tuned(library, tmp_path)
    served = library.served(TUNED)
    assert served.base == BASE
    assert served.weights == library.served(BASE).weights
    assert served.adapter == folder / "adapter.gguf"
    assert library.served(BASE).adapter is None


def test_a_name_is_resolved_only_as_the_user_wrote_it(library: ModelLibrary) -> None:
    assert library.served("small").id == BASE
    for name in ("open-mistral-7b", "smollm2", BASE.upper(), "ft:nothing"):
        assert library.find(name) is None
        with pytest.raises(MissingError, match="papertune model pull"):
            library.served(name)


def test_a_model_of_the_catalogue_that_is_missing_names_its_command(tmp_path: Path) -> None:
    empty = ModelLibrary(tmp_path / "none", EngineHome(tmp_path / "engine"))
    with pytest.raises(MissingError, match=f"papertune model pull {BASE}"):
        empty.trainable(BASE)
    assert empty.models() == []
    assert not any(entry["pulled"] for entry in empty.catalogue())


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "ft:../../x", "a\\b", "a\0b", ".x"])
def test_a_name_from_outside_is_never_a_path(library: ModelLibrary, name: str) -> None:
    with pytest.raises(MissingError):
        library.served(name)


@pytest.mark.parametrize("key", ["template_sha256", "base_sha256"])
def test_another_template_or_base_than_in_training_is_refused(
    library: ModelLibrary, tmp_path: Path, key: str
) -> None:
    tuned(library, tmp_path, **{key: "0" * 64})
    with pytest.raises(TemplateMismatchError, match="trained with another"):
        library.served(TUNED)


def test_a_tuned_model_is_no_start_for_training(library: ModelLibrary, tmp_path: Path) -> None:
    tuned(library, tmp_path)
    assert library.trainable(BASE).defaults["lora_rank"] == 16
    with pytest.raises(UsageError, match=BASE):
        library.trainable(TUNED)


def test_removing_a_tuned_model_leaves_its_base(
    library: ModelLibrary, tmp_path: Path, bundled_model_dir: Path
) -> None:
    folder = tuned(library, tmp_path)
    with pytest.raises(ConflictError, match="stand on"):
        library.remove(BASE)
    library.remove(TUNED)
    assert not folder.exists()
    library.remove(BASE)
    assert library.models() == []
    assert (bundled_model_dir / "model.gguf").is_file()


def test_a_damaged_card_hides_one_model_only(library: ModelLibrary, tmp_path: Path) -> None:
    folder = tuned(library, tmp_path)
    (folder / "papertune.json").write_text("{")
    assert [info.id for info in library.models()] == [BASE]
    assert library.find(TUNED) is None


async def test_pulling_a_model_that_is_there_ends_at_once(library: ModelLibrary) -> None:
    events = [event async for event in library.pull(BASE, None)]
    assert events[-1]["event"] == "done"
    assert events[-1]["license"] == "Apache-2.0"
