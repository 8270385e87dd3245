from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest


def papertune(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def _engine(local_model: str) -> Iterator[None]:
    done = papertune("engine", "start")
    assert done.returncode == 0, done.stderr
    yield
    papertune("engine", "stop")


@pytest.mark.parametrize("arguments", [("list",), ("show", "x"), ("delete", "x"), ("archive", "x")])
def test_without_an_engine_the_command_that_starts_it_is_named(arguments: tuple[str, ...]) -> None:
    done = papertune("model", *arguments)
    assert done.returncode == 3
    assert "papertune engine start" in done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("_engine")
def test_models_are_listed_shown_and_guarded(local_model: str) -> None:
    (card,) = json.loads(papertune("model", "list", "--json").stdout)
    assert (card["id"], card["type"], card["endpoint"]) == (local_model, "base", "local")
    assert card["lineage"] is None
    shown = json.loads(papertune("model", "show", local_model, "--json").stdout)
    assert shown["license"] == "Apache-2.0"
    assert "Q8_0" in shown["engine"]
    pulled = json.loads(papertune("model", "pull", local_model, "--json").stdout)
    assert (pulled["id"], pulled["license"]) == (local_model, "Apache-2.0")
    unknown = papertune("model", "pull", "open-mistral-7b")
    assert unknown.returncode == 2
    assert local_model in unknown.stderr
    for refused in (("delete", local_model), ("archive", local_model), ("show", "nothing")):
        assert papertune("model", *refused).returncode == 2
    assert json.loads(papertune("model", "list", "--json").stdout)[0]["id"] == local_model
