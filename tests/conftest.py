"""What every test stands on: places of its own, and the small real model fetched once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tui.domain.errors import PapertuneError

MODEL_ID = "smollm2-135m-instruct"
EMBEDDER_ID = "all-minilm-l6-v2"

# How long an example takes says how busy the machine is. CI draws the same examples every time.
settings.register_profile(
    "papertune",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("papertune")


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own settings, data, state or cache."""
    for place in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"PAPERTUNE_{place}_DIR", str(tmp_path / f"papertune-{place.lower()}"))
    monkeypatch.delenv("PAPERTUNE_WORKSPACE", raising=False)
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)


@pytest.fixture(scope="session")
def bundled_model_dir() -> Path:
    """The folder of the bundled model, fetched once into a cache outside the repository.

    Treat it as read-only, except for what the trainer makes there on first use. Skips, with the
    reason, where it cannot be fetched.
    """
    return _fetched(MODEL_ID)


@pytest.fixture(scope="session")
def embedding_model_dir() -> Path:
    """The folder of the model for embeddings, fetched once; read-only. Skips as above."""
    return _fetched(EMBEDDER_ID)


def _fetched(model_id: str) -> Path:
    from tui.engine.models.catalogue import known
    from tui.engine.models.pull import pull

    default = Path.home() / ".cache" / "papertune-tests" / "models"
    cache = Path(os.environ.get("PAPERTUNE_TEST_MODELS") or default).expanduser()
    try:
        return pull(known(model_id), cache, patience=240)
    except PapertuneError as error:
        pytest.skip(f"{model_id} is not here: {error}")


@pytest.fixture
def local_model(bundled_model_dir: Path, _own_places: None) -> str:
    """The bundled model, pulled already as far as this test's data folder knows; its id."""
    from tui.storage.locations import data_dir

    models = data_dir() / "models"
    models.mkdir(parents=True)
    (models / MODEL_ID).symlink_to(bundled_model_dir, target_is_directory=True)
    return MODEL_ID
