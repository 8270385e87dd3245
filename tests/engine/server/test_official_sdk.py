"""The official Python SDK, unmodified, against the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from mistralai.client.models import (
    BaseModelCard,
    CompletionFineTunedModel,
    FTModelCard,
    UserMessage,
)

from tests.engine.server import doubles
from tests.engine.server.conftest import TOKEN, Running, chat_lines


@pytest.fixture
def sdk(server: Running) -> Iterator[Mistral]:
    with Mistral(api_key=TOKEN, server_url=server.url) as client:
        yield client


def test_files(sdk: Mistral, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(chat_lines(5))
    with path.open("rb") as content:
        file = sdk.files.upload(
            file={"file_name": "train.jsonl", "content": content}, purpose="fine-tune"
        )
    assert (file.size_bytes, file.num_lines, file.sample_type) == (
        len(chat_lines(5)),
        5,
        "instruct",
    )
    assert sdk.files.retrieve(file_id=file.id).deleted is False
    listed = sdk.files.list(page_size=10, sample_type=["instruct"], search="train")
    assert [entry.id for entry in listed.data] == [file.id]
    assert sdk.files.download(file_id=file.id).read() == chat_lines(5)
    assert sdk.files.get_signed_url(file_id=file.id).url.startswith("http://127.0.0.1")
    assert sdk.files.delete(file_id=file.id).deleted is True
    with pytest.raises(SDKError):
        sdk.files.retrieve(file_id=file.id)


def test_models(sdk: Mistral, server: Running) -> None:
    job = server.create_job().json()
    name = server.wait(job["id"], "SUCCESS")["fine_tuned_model"]
    listed = sdk.models.list()
    assert listed.data is not None
    cards = [entry for entry in listed.data if isinstance(entry, BaseModelCard | FTModelCard)]
    assert [(entry.id, entry.type) for entry in cards] == [
        (doubles.BASE, "base"),
        (name, "fine-tuned"),
    ]
    card = sdk.models.retrieve(model_id=name)
    assert isinstance(card, FTModelCard)
    assert (card.type, card.capabilities.completion_chat) == ("fine-tuned", True)
    updated = sdk.models.update(model_id=name, name="Ours")
    assert isinstance(updated, CompletionFineTunedModel)
    assert updated.name == "Ours"
    assert sdk.models.archive(model_id=name).archived is True
    assert sdk.models.unarchive(model_id=name).archived is False
    assert sdk.models.delete(model_id=name).deleted is True


def test_chat(sdk: Mistral) -> None:
    answer = sdk.chat.complete(
        model=doubles.BASE, messages=[UserMessage(content="Hello?")], max_tokens=5
    )
    assert answer is not None
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "Hello there."
    assert answer.usage.total_tokens == 10
    with pytest.raises(HTTPValidationError):
        sdk.chat.complete(model=doubles.BASE, messages=[UserMessage(content="x")], temperature=9)


def test_streamed_chat(sdk: Mistral) -> None:
    stream = sdk.chat.stream(model=doubles.BASE, messages=[UserMessage(content="Hello?")])
    with stream as events:
        chunks = [event.data for event in events]
    assert "".join(str(chunk.choices[0].delta.content) for chunk in chunks) == "Hello there."
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
