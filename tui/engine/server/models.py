"""`/v1/models` and `/v1/fine_tuning/models`: cards, names, archive, deletion."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tui.engine.server.errors import refused, unprocessable
from tui.engine.server.ports import ModelInfo
from tui.engine.server.state import Engine
from tui.engine.store.models import StoredModel
from tui.text import clean, visible

DEFAULT_TEMPERATURE = 0.3
_WORKSPACE = "local"


class ModelUpdate(BaseModel):
    """What can be changed of a fine-tuned model."""

    name: Annotated[str, Field(max_length=256)] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None


def routes(engine: Engine) -> APIRouter:
    """The routes of models; an id may hold colons."""
    router = APIRouter(tags=["models"])
    tuned = "/v1/fine_tuning/models/{model_id}"

    @router.get("/v1/models")
    async def list_models(provider: str | None = None, model: str | None = None) -> dict[str, Any]:
        """Every model on this machine, base models first."""
        known = {stored.id for stored in engine.models.all()}
        # An adapter whose job is only just being finished is no model yet.
        infos = [info for info in engine.library.models() if not info.root or info.id in known]
        cards = [card(engine, info) for info in infos]
        if provider is not None:
            cards = [entry for entry in cards if entry["owned_by"] == provider]
        if model is not None:
            cards = [entry for entry in cards if entry["id"] == model]
        return {"object": "list", "data": cards}

    @router.get("/v1/models/{model_id}")
    async def retrieve_model(model_id: str) -> dict[str, Any]:
        """One card."""
        return card(engine, found(engine, model_id))

    @router.delete("/v1/models/{model_id}")
    async def delete_model(model_id: str) -> dict[str, Any]:
        """Delete a fine-tuned model; base models stay."""
        stored = _tuned(engine, model_id)
        engine.models.delete(stored.id)
        await asyncio.to_thread(engine.library.remove, stored.id)
        return {"id": stored.id, "object": "model", "deleted": True}

    @router.patch(tuned)
    async def update_model(model_id: str, update: ModelUpdate) -> dict[str, Any]:
        """Name or describe a fine-tuned model."""
        stored = _tuned(engine, model_id)
        values = {
            name: None if value is None else clean(value)
            for name, value in update.model_dump(exclude_unset=True).items()
        }
        engine.models.describe(stored.id, values)
        return _tuned_document(engine, _tuned(engine, model_id))

    @router.post(f"{tuned}/archive")
    async def archive_model(model_id: str) -> dict[str, Any]:
        """Take a fine-tuned model out of use; its files stay."""
        stored = _tuned(engine, model_id)
        engine.models.archive(stored.id, True)
        return {"id": stored.id, "object": "model", "archived": True}

    @router.delete(f"{tuned}/archive")
    async def unarchive_model(model_id: str) -> dict[str, Any]:
        """Bring an archived model back."""
        stored = _tuned(engine, model_id)
        engine.models.archive(stored.id, False)
        return {"id": stored.id, "object": "model", "archived": False}

    return router


def found(engine: Engine, model_id: str) -> ModelInfo:
    """A model that is here and was not deleted, or a 404."""
    info = engine.library.find(model_id)
    stored = engine.models.get(model_id) if info is not None and info.root else None
    if info is None or (info.root and stored is None):
        raise refused(404, "Not Found", f"There is no model {visible(model_id)[:100]} here.")
    return info


def card(engine: Engine, info: ModelInfo) -> dict[str, Any]:
    """A model as the API lists it."""
    stored = engine.models.get(info.id) if info.root else None
    value: dict[str, Any] = {
        "id": info.id,
        "object": "model",
        "created": info.created,
        "owned_by": _WORKSPACE,
        "capabilities": {
            **_capabilities(info),
            "vision": False,
            "ocr": False,
        },
        "name": stored.name if stored else info.title or None,
        "description": stored.description if stored else None,
        "max_context_length": info.context,
        "aliases": [],
        "deprecation": None,
        "deprecation_replacement_model": None,
        "default_model_temperature": DEFAULT_TEMPERATURE,
        "type": "fine-tuned" if info.root else "base",
    }
    if stored is not None:
        value |= {"job": stored.job, "root": stored.root, "archived": stored.archived}
    return value


def _capabilities(info: ModelInfo) -> dict[str, bool]:
    return {
        "completion_chat": info.kind == "chat",
        "function_calling": False,
        "completion_fim": False,
        "fine_tuning": info.trainable and not info.root,
        "classification": False,
    }


def _tuned(engine: Engine, model_id: str) -> StoredModel:
    info = found(engine, model_id)
    stored = engine.models.get(info.id)
    if stored is None:
        raise unprocessable(
            ["path", "model_id"], "Value error, only fine-tuned models can be changed.", model_id
        )
    return stored


def _tuned_document(engine: Engine, stored: StoredModel) -> dict[str, Any]:
    info = found(engine, stored.id)
    return {
        "id": stored.id,
        "object": "model",
        "created": stored.created_at,
        "owned_by": _WORKSPACE,
        "workspace_id": _WORKSPACE,
        "root": stored.root,
        "root_version": info.sha256[:12] or "1",
        "archived": stored.archived,
        "name": stored.name,
        "description": stored.description,
        "capabilities": _capabilities(info),
        "max_context_length": info.context,
        "aliases": [],
        "job": stored.job,
        "model_type": "completion",
    }
