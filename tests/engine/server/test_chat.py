"""Chat: whole answers, streams, bounds, and clients that hang up."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.server import doubles
from tests.engine.server.conftest import TOKEN, Running, until
from tui.engine.server.chat_request import ChatIn

CHAT = "/v1/chat/completions"
QUESTION = {"model": doubles.BASE, "messages": [{"role": "user", "content": "How are you?"}]}


def events(text: str) -> list[Any]:
    lines = [line for line in text.split("\n\n") if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_a_question_is_answered_as_the_contract_says(server: Running) -> None:
    answer = server.client.post(CHAT, json=QUESTION)
    assert answer.status_code == 200
    document = answer.json()
    assert (document["object"], document["model"]) == ("chat.completion", doubles.BASE)
    assert document["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert document["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello there.",
                "tool_calls": None,
                "prefix": False,
            },
            "finish_reason": "stop",
        }
    ]
    assert server.voice.prompts == ["<user>How are you?</s><assistant>"]


def test_a_stream_ends_with_usage_and_done(server: Running) -> None:
    answer = server.client.post(CHAT, json={**QUESTION, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    chunks = events(answer.text)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    said = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert said == "Hello there."
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * 3
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 10
    assert all("usage" not in chunk for chunk in chunks[:-1])


def test_the_parameters_reach_what_answers(server: Running) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    asked = {
        **QUESTION,
        "temperature": 0,
        "top_p": 0.5,
        "max_tokens": 9,
        "random_seed": 5,
        "stop": ["a", "b"],
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "n": 2,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        "safe_prompt": False,
        "tools": None,
    }
    answer = server.client.post(CHAT, json=asked)
    assert answer.status_code == 200, answer.text
    assert [choice["index"] for choice in answer.json()["choices"]] == [0, 1]
    assert answer.json()["usage"]["completion_tokens"] == 6
    first, second = server.voice.samplings
    assert (first.temperature, first.top_p, first.max_tokens, first.seed) == (0, 0.5, 9, 5)
    assert (first.stop, first.schema, second.seed) == (("a", "b"), schema, 6)
    server.client.post(CHAT, json={**QUESTION, "stop": "x", "response_format": {"type": "text"}})
    assert server.voice.samplings[-1].stop == ("x",)
    assert server.voice.samplings[-1].schema is None


def test_a_prefix_starts_the_answer(server: Running) -> None:
    messages = [*QUESTION["messages"], {"role": "assistant", "content": "Well: ", "prefix": True}]
    answer = server.client.post(CHAT, json={**QUESTION, "messages": messages})
    assert answer.json()["choices"][0]["message"]["content"] == "Well: Hello there."
    assert server.voice.prompts[-1].endswith("<assistant>Well: ")


def test_text_may_come_in_chunks(server: Running) -> None:
    content = [{"type": "text", "text": "How are"}, {"type": "text", "text": " you?"}]
    body = {**QUESTION, "messages": [{"role": "user", "content": content}]}
    assert server.client.post(CHAT, json=body).status_code == 200
    assert server.voice.prompts == ["<user>How are you?</s><assistant>"]


def test_nothing_is_computed_for_no_tokens(server: Running) -> None:
    answer = server.client.post(CHAT, json={**QUESTION, "max_tokens": 0}).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 0
    assert server.voice.prompts == []


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"temperature": 1.6}, ["temperature"]),
        ({"top_p": 2}, ["top_p"]),
        ({"max_tokens": -1}, ["max_tokens"]),
        ({"random_seed": -1}, ["random_seed"]),
        ({"n": 0}, ["n"]),
        ({"presence_penalty": 3}, ["presence_penalty"]),
        ({"unknown": 1}, ["unknown"]),
        ({"messages": []}, ["messages"]),
        ({"stop": "\ud800"}, ["stop", "str"]),
        ({"messages": [{"role": "user", "content": "x", "extra": 1}]}, ["messages", 0, "extra"]),
        ({"messages": [{"role": "robot", "content": "x"}]}, ["messages", 0, "role"]),
        ({"messages": [{"role": "user"}]}, ["messages", 0, "content"]),
        ({"messages": [{"role": "assistant", "content": "x"}]}, ["messages"]),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, ["tools"]),
        ({"response_format": {"type": "json_schema"}}, ["response_format", "json_schema"]),
        ({"messages": [{"role": "user", "content": "x " * 5000}]}, ["messages"]),
    ],
)
def test_what_cannot_be_asked_is_refused_in_the_list_shape(
    server: Running, changes: dict[str, Any], location: list[str | int]
) -> None:
    content = json.dumps({**QUESTION, **changes})
    answer = server.client.post(CHAT, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", *location]


def test_a_model_that_is_not_there_is_refused_as_the_contract_says(server: Running) -> None:
    answer = server.client.post(CHAT, json={**QUESTION, "model": "gpt"})
    assert answer.status_code == 400
    assert answer.json() == {
        "object": "error",
        "message": "Invalid model: gpt. papertune model pull gpt",
        "type": "invalid_model",
        "param": None,
        "code": "1500",
    }


def test_a_model_that_falls_over_in_a_stream_ends_it_with_an_error(server: Running) -> None:
    server.voice.broken_after = 1
    chunks = events(server.client.post(CHAT, json={**QUESTION, "stream": True}).text)
    assert chunks[-1]["choices"][0]["finish_reason"] == "error"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_stops_the_computation(server: Running, stream: bool) -> None:
    server.voice.endless = True
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({**QUESTION, "stream": stream}).encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        until(lambda: server.voice.prompts)
    until(lambda: server.voice.closed == 1)


def test_what_the_engine_does_not_do_is_said(server: Running) -> None:
    for path in ("/v1/fim/completions", "/v1/classifications", "/v1/agents/completions"):
        answer = server.client.post(path, json={"model": "x", "input": "y"})
        assert answer.status_code == 422
        assert "this engine serves no" in answer.json()["detail"][0]["msg"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(sorted(ChatIn.model_fields))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.dictionaries(KEYS, JSON, max_size=4), content=st.text(st.characters()))
def test_whatever_is_asked_is_never_a_fault_of_the_server(
    server: Running, changes: dict[str, Any], content: str
) -> None:
    message = {"role": "user", "content": content}
    for body in ({**QUESTION, "messages": [message]}, {**QUESTION, **changes}):
        answer = server.client.post(
            CHAT, content=json.dumps(body), headers={"content-type": "application/json"}
        )
        assert answer.status_code in (200, 400, 422), answer.text
