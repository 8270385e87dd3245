"""The models on this machine, base and fine-tuned, and what each stands on.

A name means one set of weights. Only the user's own aliases lead from one name to another, and
nothing is fetched because somebody asked for it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tui.domain.errors import ConflictError, MissingError, PapertuneError, UsageError
from tui.engine.chat.backend import Served
from tui.engine.device import device
from tui.engine.home import EngineHome
from tui.engine.models.catalogue import CATALOGUE
from tui.engine.models.prepare import CARD, CHAT_WEIGHTS, HF
from tui.engine.models.pull import GGUF
from tui.engine.models.pulling import pulled
from tui.engine.server.ports import EncoderFiles, ModelInfo
from tui.engine.settings import Upstream
from tui.engine.supervisor.prepare import Trainable
from tui.formats.tokenizer import ModelTokenizer
from tui.text import shorten, visible

ADAPTER, PEFT_ADAPTER = "adapter.gguf", "adapter_model.safetensors"
# Longer contexts cost memory for each of the requests computed at once (23 kB a token for the
# bundled model), and prompts that long take minutes to read on a CPU.
CHAT_CONTEXT = 4096
_GPU_CONTEXT = 16_384


class TemplateMismatchError(ConflictError):
    """A fine-tuned model learnt another chat template than its base model has now."""


class ModelLibrary:
    """Finds models by name in `models` (base) and the engine's home (fine-tuned).

    `aliases` are the user's own: a name and the id that it stands for. `upstreams` are the models
    that other servers answer for, by their real names.
    """

    def __init__(
        self,
        models: Path,
        home: EngineHome,
        aliases: Mapping[str, str] | None = None,
        upstreams: Mapping[str, Upstream] | None = None,
    ) -> None:
        self._models = models
        self._home = home
        self._aliases = dict(aliases or {})
        self._upstreams: dict[str, Upstream] = {}
        for name, upstream in (upstreams or {}).items():
            if upstream.url:
                self._upstreams[upstream.model or name] = upstream
                if upstream.model:
                    self._aliases.setdefault(name, upstream.model)
        self._tokenizers: dict[Path, ModelTokenizer] = {}
        self._lock = threading.Lock()

    def models(self) -> list[ModelInfo]:
        """All models, base ones first; a folder that cannot be read is passed over."""
        found = []
        for folder in [*_folders(self._models), *_folders(self._home.models)]:
            with contextlib.suppress(PapertuneError):
                found.append(self._info(_card(folder)))
        found += [_relayed(name, upstream) for name, upstream in self._upstreams.items()]
        return sorted(found, key=lambda info: (bool(info.root), info.created, info.id))

    def find(self, model_id: str) -> ModelInfo | None:
        """One model, or None; an alias finds the model it stands for, under its own name."""
        name = self._aliases.get(model_id, model_id)
        if name in self._upstreams:
            return _relayed(name, self._upstreams[name])
        try:
            _, card = self._located(model_id)
        except MissingError:
            return None
        return self._info(card)

    def served(self, model_id: str) -> Served:
        """What answers under this name.

        Raises MissingError when it is not here, TemplateMismatchError when training and chat
        would use different chat templates or weights.
        """
        folder, card = self._located(model_id)
        if _kind(card) != "chat":
            raise UsageError(f"{card['id']} makes embeddings and does not chat.")
        if not _is_tuned(card):
            return Served(
                card["id"], card["id"], _weights(folder, card), _context(card), None, _engine(card)
            )
        base_folder, base = self._located(str(card["base"]))
        for key, what in (("template_sha256", "chat template"), ("base_sha256", "base model")):
            other = base["sha256" if key == "base_sha256" else key]
            if card.get(key) not in (None, "", other):
                raise TemplateMismatchError(
                    f"{visible(model_id)} was trained with another {what} than "
                    f"{base['id']} has here, so its answers would be wrong.",
                    f"Train it again, or pull the {what} it was made with.",
                )
        engine = _engine(base)
        whole = engine == "transformers"
        adapter = folder / (PEFT_ADAPTER if whole else ADAPTER)
        if not adapter.is_file():
            raise MissingError(f"{visible(model_id)} has no adapter for chat.", "Train it again.")
        return Served(
            card["id"],
            base["id"],
            _weights(base_folder, base),
            _context(base),
            folder if whole else adapter,
            engine,
        )

    def upstream(self, model_id: str) -> tuple[str, Upstream]:
        """The server that answers under this name, and the model's name there."""
        name = self._aliases.get(model_id, model_id)
        if name not in self._upstreams:
            raise _missing(model_id)
        return name, self._upstreams[name]

    def trainable(self, model_id: str) -> Trainable:
        """A base model by the name it was asked for; raises MissingError with the command."""
        if self._aliases.get(model_id, model_id) in self._upstreams:
            raise UsageError(
                f"{visible(model_id)} answers on another server; its weights are not here.",
                "Pull a model to train: papertune model pull",
            )
        folder, card = self._located(model_id)
        if _is_tuned(card):
            raise UsageError(
                f"{visible(model_id)} is fine-tuned already; training starts from a base model.",
                f"Choose its base: {card['base']}",
            )
        if _kind(card) != "chat":
            raise UsageError(
                f"{card['id']} makes embeddings; it cannot be trained here.",
                "Choose a model that chats: papertune model list",
            )
        return Trainable(card["id"], folder, dict(card.get("defaults") or {}))

    def encoder(self, model_id: str) -> EncoderFiles:
        """What makes embeddings under this name; raises MissingError when it is not here."""
        folder, card = self._located(model_id)
        if _kind(card) != "embedding":
            raise UsageError(f"{card['id']} chats and makes no embeddings.")
        return EncoderFiles(
            card["id"],
            folder / HF,
            str(card.get("pooling") or "mean"),
            int(card["context"]),
            int(card["dimensions"]),
        )

    def remedy(self, model_id: str) -> str:
        """What a person can do to get a model that is not here, with the command."""
        return _missing(model_id).remedy

    def tokenizer(self, model_id: str) -> ModelTokenizer:
        """The tokenizer and chat template of a model, those of its base if it is fine-tuned."""
        folder, card = self._located(model_id)
        if _is_tuned(card):
            folder, _ = self._located(str(card["base"]))
        with self._lock:
            if folder not in self._tokenizers:
                self._tokenizers[folder] = ModelTokenizer.from_folder(folder)
            return self._tokenizers[folder]

    def tokenizer_json(self, model_id: str) -> str:
        """The text of the model's `tokenizer.json`."""
        folder, card = self._located(model_id)
        if _is_tuned(card):
            folder, _ = self._located(str(card["base"]))
        return (folder / HF / "tokenizer.json").read_text(encoding="utf-8")

    def remove(self, model_id: str) -> None:
        """Delete a model's files; raises ConflictError while fine-tuned models stand on it."""
        folder, card = self._located(model_id)
        if not _is_tuned(card):
            users = [info.id for info in self.models() if info.root == card["id"]]
            if users:
                raise ConflictError(
                    f"{len(users)} fine-tuned models stand on {card['id']}, e.g. {users[0]}.",
                    "Delete those first: papertune model delete ID",
                )
        self._tokenizers.pop(folder, None)
        if folder.is_symlink():
            folder.unlink()
            return
        doomed = folder.with_name(f".{folder.name}.deleted")
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def catalogue(self) -> list[dict[str, Any]]:
        """The models that can be fetched."""
        return [
            {
                "id": model.id,
                "kind": model.kind,
                "title": model.title,
                "license": model.license,
                "source": model.source.requirement,
                "bytes": model.size,
                "parameters": model.parameters,
                "context": model.context,
                "defaults": dict(model.defaults),
                "pulled": (self._models / model.id / CARD).is_file(),
            }
            for model in CATALOGUE.values()
        ]

    def pull(self, model_id: str, source: str | None) -> AsyncGenerator[dict[str, Any], None]:
        """Fetch a model; see `pulled`."""
        return pulled(self._models, model_id, source)

    def _located(self, model_id: str) -> tuple[Path, dict[str, Any]]:
        name = self._aliases.get(model_id, model_id)
        safe = name.replace(":", "_")
        if safe.startswith(".") or "/" in safe or "\\" in safe or "\0" in safe or not safe:
            raise _missing(model_id)
        parent = self._home.models if name.startswith("ft:") else self._models
        folder = parent / safe
        if not (folder / CARD).is_file():
            raise _missing(model_id)
        card = _card(folder)
        if card["id"] != name:
            raise _missing(model_id)
        return folder, card

    def _info(self, card: dict[str, Any]) -> ModelInfo:
        root = str(card.get("base") or "")
        base: dict[str, Any] = card
        if root:
            with contextlib.suppress(PapertuneError):
                _, base = self._located(root)
        return ModelInfo(
            id=str(card["id"]),
            created=int(card.get("created") or card.get("created_at") or 0),
            context=_context(base) if _kind(base) == "chat" else int(base["context"]),
            root=root,
            title=str(card.get("title") or ""),
            license=str(base.get("license") or ""),
            sha256=str(base.get("sha256") or ""),
            template_sha256=str(card.get("template_sha256") or base.get("template_sha256") or ""),
            engine=_computed_by(base),
            lineage=dict(card.get("lineage") or {}),
            trainable=not root and _kind(base) == "chat",
            kind=_kind(base),
            dimensions=int(base.get("dimensions") or 0),
        )


def _relayed(name: str, upstream: Upstream) -> ModelInfo:
    host = urlsplit(upstream.url).netloc
    return ModelInfo(
        id=name,
        created=0,
        context=upstream.context,
        title=f"{name} on {host}",
        engine=f"upstream ({host})",
        trainable=False,
        upstream=True,
    )


def _missing(model_id: str) -> MissingError:
    name = shorten(visible(model_id), 100)
    if model_id in CATALOGUE:
        return MissingError(
            f"The model {name} is not on this machine.", f"Fetch it: papertune model pull {name}"
        )
    return MissingError(
        f"There is no model {name} on this machine.",
        f"See papertune model list; to be fetched: papertune model pull {' or '.join(CATALOGUE)}",
    )


def _folders(parent: Path) -> list[Path]:
    try:
        entries = sorted(parent.iterdir())
    except OSError:
        return []
    return [path for path in entries if not path.name.startswith(".") and (path / CARD).is_file()]


def _card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingError(
            f"The card of {visible(folder.name)} cannot be read.", "Delete the folder; pull again."
        ) from error
    if not isinstance(card, dict) or not isinstance(card.get("id"), str):
        raise MissingError(
            f"The card of {visible(folder.name)} names no model.", "Delete the folder; pull again."
        )
    return card


def _computed_by(card: dict[str, Any]) -> str:
    engine, weights = str(card.get("engine") or ""), str(card.get("weights") or "")
    if engine == "transformers":
        engine += " on a GPU" if device() != "cpu" else " on the CPU"
    return f"{engine} ({weights})" if engine and weights else engine


def _kind(card: dict[str, Any]) -> str:
    return str(card.get("kind") or "chat")


def _is_tuned(card: dict[str, Any]) -> bool:
    return bool(card.get("base"))


def _engine(card: dict[str, Any]) -> str:
    return str(card.get("engine") or "llama.cpp")


def _weights(folder: Path, card: dict[str, Any]) -> Path:
    if _engine(card) == "transformers":
        return folder / HF
    chat = folder / CHAT_WEIGHTS
    return chat if chat.is_file() else folder / GGUF


def _context(card: dict[str, Any]) -> int:
    most = _GPU_CONTEXT if _engine(card) == "transformers" and device() != "cpu" else CHAT_CONTEXT
    return min(int(card.get("context") or CHAT_CONTEXT), most)
