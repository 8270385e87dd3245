from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save

from tests.engine.models.gguf_bytes import tiny_model
from tests.engine.models.hub_server import COMMIT, FakeHub, serving
from tests.engine.server.doubles import TEMPLATE, tokenizer_json
from tui.domain.errors import ConflictError, MissingError, NotFoundError, UsageError
from tui.engine.models.errors import ChecksumError, PullError
from tui.engine.models.foreign import pull_from_hub, pull_from_path
from tui.engine.models.hub import Hub
from tui.engine.models.pull import PullProgress
from tui.engine.models.pulling import pulled
from tui.engine.models.wanted import Reference, choose, parse_reference
from tui.formats.tokenizer import ModelTokenizer

REPO = Reference("org/Tiny-Chat")
WEIGHTS = save({"model.embed.weight": np.ones((300, 200), np.float32)})


def chat_files() -> dict[str, bytes]:
    config = {"model_type": "llama", "max_position_embeddings": 512}
    settings = {"chat_template": TEMPLATE, "eos_token": "</s>"}
    return {
        "README.md": b"# Tiny",
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": tokenizer_json().encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"\x80\x04.",
        "modeling_tiny.py": b"raise SystemExit",
        "onnx/model.onnx": b"x",
    }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving(FakeHub(chat_files())) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield running


def files_of(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_only_weights_and_what_reads_them_are_taken(hub: FakeHub, tmp_path: Path) -> None:
    folder = pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")
    assert files_of(folder) == {
        "papertune.json",
        "hf/config.json",
        "hf/tokenizer.json",
        "hf/tokenizer_config.json",
        "hf/model.safetensors",
    }
    card = json.loads((folder / "papertune.json").read_text())
    assert (card["id"], card["license"], card["kind"]) == ("Tiny-Chat", "apache-2.0", "chat")
    assert card["source"] == f"org/Tiny-Chat@{COMMIT[:12]}"
    assert (card["parameters"], card["context"]) == (60_000, 512)
    assert card["template_sha256"] == ModelTokenizer.from_folder(folder).template.sha256
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == ["Tiny-Chat"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = {"model.safetensors": WEIGHTS, **hub.files}
    hub.cut_after = 1000
    with Hub() as connection:
        repository = connection.repository(REPO)
        target = tmp_path / "weights"
        connection.fetch(
            repository,
            repository.file("model.safetensors"),
            target,
            lambda _: None,
            lambda: False,
        )
    assert target.read_bytes() == WEIGHTS
    assert ("/cdn/model.safetensors", "bytes=1000-") in hub.asked


def test_a_stopped_pull_goes_on_where_it_was(hub: FakeHub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    partial = models / ".Tiny-Chat.partial"
    with pytest.raises(PullError, match="goes on"):
        pull_from_hub("Tiny-Chat", REPO, models, cancelled=(partial / "hf/config.json").exists)
    kept = files_of(partial)
    assert "hf/config.json" in kept
    (partial / "hf" / "model.safetensors.part").write_bytes(WEIGHTS[:5000])  # as a kill leaves it
    hub.asked.clear()
    seen: list[PullProgress] = []
    folder = pull_from_hub("Tiny-Chat", REPO, models, on_progress=seen.append)
    assert (folder / "hf" / "model.safetensors").read_bytes() == WEIGHTS
    assert ("/cdn/model.safetensors", "bytes=5000-") in hub.asked
    assert not [path for path, _ in hub.asked if path.endswith("/config.json")]
    assert [item.step for item in seen][-2:] == ["prepare", "done"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_was_changed_on_the_way_is_refused(
    hub: FakeHub, tmp_path: Path, name: str
) -> None:
    hub.spoiled = name
    with pytest.raises(ChecksumError, match=name):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")
    assert not (tmp_path / "models" / "Tiny-Chat").exists()
    assert not list(tmp_path.rglob(name))


def test_a_model_that_needs_its_own_code_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    config = {"model_type": "tiny", "auto_map": {"AutoModel": "modeling_tiny.Tiny"}}
    hub.files["config.json"] = json.dumps(config).encode()
    with pytest.raises(PullError, match="never run"):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")
    assert not [path for path, _ in hub.asked if path.endswith((".py", ".bin", ".safetensors"))]


def test_pickled_weights_alone_are_refused(hub: FakeHub, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]
    with pytest.raises(PullError, match="pickled"):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")


def test_names_that_leave_the_folder_are_not_taken() -> None:
    names = ["../config.json", "a/../../tokenizer.json", "/etc/vocab.json", "model.safetensors"]
    assert choose(names, REPO) == ["model.safetensors"]


def test_one_gguf_file_is_named(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = {"Tiny.Q4_1.gguf": tiny_model(), "Tiny.Q8_0.gguf": b"GGUF"}
    with pytest.raises(PullError, match=r"papertune model pull org/Tiny-Chat:Tiny.Q4_1.gguf"):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")


def test_a_gated_repository_says_how_to_get_in(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.gated = True
    with pytest.raises(MissingError, match="terms"):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")
    assert hub.tokens == ["Bearer hf_secret"]


def test_what_is_not_there_is_said(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match="HF_TOKEN"):
        pull_from_hub("Other", Reference("org/Other"), tmp_path / "models")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PullError, match="HF_ENDPOINT"):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")


def test_a_disk_without_room_is_told_before_the_weights(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(PullError, match="MB are free"):
        pull_from_hub("Tiny-Chat", REPO, tmp_path / "models")
    assert not [path for path, _ in hub.asked if "resolve" in path]


def test_a_name_means_one_model(hub: FakeHub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = pull_from_hub("Tiny-Chat", REPO, models)
    assert pull_from_hub("Tiny-Chat", REPO, models) == first
    with pytest.raises(ConflictError, match="Choose a name"):
        pull_from_hub("Tiny-Chat", Reference("elsewhere/Tiny-Chat"), models)
    for name in ("../up", "ft:x", "a/b", ".hidden", ""):
        with pytest.raises(UsageError):
            pull_from_hub(name, REPO, models)


def test_a_local_folder_is_copied_by_the_same_rules(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    for name, content in chat_files().items():
        if "/" not in name:
            (source / name).write_bytes(content)
    folder = pull_from_path("mine", source, tmp_path / "models")
    assert "hf/model.safetensors" in files_of(folder)
    assert not [name for name in files_of(folder) if name.endswith((".py", ".bin", ".md"))]
    damaged = tmp_path / "damaged"
    shutil.copytree(source, damaged)
    (damaged / "model.safetensors").write_bytes(WEIGHTS[:-10])
    with pytest.raises(PullError, match="cut short"):
        pull_from_path("damaged", damaged, tmp_path / "models")
    assert not (tmp_path / "models" / "damaged").exists()
    with pytest.raises(NotFoundError):
        pull_from_path("none", tmp_path / "nowhere", tmp_path / "models")


async def test_the_stream_ends_with_the_real_name_and_its_licence(
    hub: FakeHub, tmp_path: Path
) -> None:
    events = [event async for event in pulled(tmp_path / "models", "org/Tiny-Chat", None)]
    assert events[-1]["id"] == "Tiny-Chat"
    assert events[-1]["license"] == "apache-2.0"
    assert {"download", "prepare"} <= {event.get("step") for event in events}
    renamed = [e async for e in pulled(tmp_path / "models", "our-tiny", "hf:org/Tiny-Chat@main")]
    assert renamed[-1]["id"] == "our-tiny"
    assert renamed[-1]["source"].startswith("org/Tiny-Chat@")


@pytest.mark.parametrize(
    ("text", "repo"),
    [
        ("org/Model-1.5B", "org/Model-1.5B"),
        ("org/m@v1:x.Q4_0.gguf", "org/m"),
        ("smollm2-135m-instruct", None),
        ("a/b/c", None),
        ("../b", None),
        ("org/m:x.bin", None),
        ("org/m@../../etc", None),
    ],
)
def test_a_reference_is_read_strictly(text: str, repo: str | None) -> None:
    found = parse_reference(text)
    assert (found.repo if found else None) == repo
