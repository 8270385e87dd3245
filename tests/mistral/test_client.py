from __future__ import annotations

import asyncio
import base64
import json
import logging
import traceback
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.mistral.conftest import KEY
from tests.mistral.faults import Answer, FaultServer, Request, answer, chunk, completion, sse
from tui.domain.chat import Usage
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import PapertuneError
from tui.domain.example import Turn
from tui.mistral import (
    AbsentError,
    ApiError,
    AuthError,
    ChatRequest,
    Client,
    CutStream,
    Delta,
    DuplicateError,
    Ledger,
    QuotaError,
    RefusedError,
    RetiredError,
    RetryPolicy,
    ServerError,
    Unreachable,
)

CHAT = "/v1/chat/completions"
JOBS = "/v1/fine_tuning/jobs"
ASK = ChatRequest("m", (Turn("user", "What is it?"),), max_tokens=20, temperature=0.0)
CARD = {"id": "m", "object": "model", "capabilities": {"completion_chat": True}, "type": "base"}
HTML = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"


async def collect(client: Client, request: ChatRequest = ASK) -> list[Delta]:
    async with aclosing(client.stream(request)) as deltas:
        return [delta async for delta in deltas]


async def test_an_answer_comes_with_its_usage_and_is_in_the_ledger(
    server: FaultServer, client: Client, ledger: Ledger
) -> None:
    server.on("POST", CHAT, answer(completion("Hello there.")))
    reply = await client.chat(ASK)
    assert (reply.text, reply.usage, reply.finish_reason) == ("Hello there.", Usage(12, 4), "stop")
    sent = server.requests[0].json()
    assert sent["messages"] == [{"role": "user", "content": "What is it?"}]
    assert (sent["max_tokens"], sent["temperature"]) == (20, 0.0)
    assert "random_seed" not in sent
    [row] = ledger.rows()
    assert (row.endpoint, row.model, row.purpose) == ("mistral", "m", "chat")
    assert (row.prompt_tokens, row.completion_tokens, row.workspace) == (12, 4, "/team/papers")


async def test_an_answer_that_nobody_waits_for_is_in_the_ledger_too(
    connect: Callable[..., Client], server: FaultServer, ledger: Ledger
) -> None:
    asked = asyncio.Event()

    def hanging(request: Request) -> Answer:
        asked.set()
        return sse(chunk("Hello"), done=False, hang=True)

    server.on("POST", CHAT, hanging)
    task = asyncio.create_task(connect(EndpointKind.LOCAL).chat(ASK))
    await asyncio.wait_for(asked.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [row] = ledger.rows()
    assert row.prompt_tokens > 0
    assert row.device_seconds > 0


async def test_a_prefix_is_sent_as_the_beginning_of_the_answer(
    server: FaultServer, client: Client
) -> None:
    server.on("POST", CHAT, answer(completion("x")))
    await client.chat(ChatRequest("m", (Turn("user", "Q"),), prefix="Well,"))
    last = server.requests[0].json()["messages"][-1]
    assert last == {"role": "assistant", "content": "Well,", "prefix": True}


async def test_a_schema_is_sent_as_the_form_of_the_answer(
    server: FaultServer, client: Client
) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["b"]}}}
    server.on("POST", CHAT, answer(completion("{}")))
    await client.chat(ChatRequest("m", (Turn("user", "Q"),), schema=schema))
    sent = server.requests[0].json()["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == schema


async def test_a_stream_arrives_in_pieces_and_ends_with_reason_and_usage(
    server: FaultServer, client: Client, ledger: Ledger
) -> None:
    server.on(
        "POST", CHAT, sse(chunk("Hel"), b": ping\n\n", chunk("lo"), chunk("", "stop", (9, 2)))
    )
    deltas = await collect(client)
    assert "".join(delta.text for delta in deltas) == "Hello"
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage == Usage(9, 2)
    assert [row.completion_tokens for row in ledger.rows()] == [2]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (sse(chunk("Hello"), done=True), "ended in the middle"),
        (sse(chunk("Hello"), done=False), "ended in the middle"),
        (sse(chunk("Hello"), done=False, cut=True), "broke the connection"),
        (sse(chunk("Hello"), b"data: {broken\n\n"), "broke off"),
        (
            sse(chunk("Hello"), b'data: {"object":"error","message":"out of memory"}\n\n'),
            "out of memory",
        ),
    ],
    ids=["early-end", "no-done", "cut", "bad-json", "error-object"],
)
async def test_a_stream_that_breaks_off_gives_back_what_had_come(
    server: FaultServer, client: Client, ledger: Ledger, reply: Answer, why: str
) -> None:
    server.on("POST", CHAT, reply)
    seen = []
    with pytest.raises(CutStream, match=why) as error:
        async for delta in client.stream(ASK):
            seen.append(delta.text)
    assert "".join(seen) == error.value.partial == "Hello"
    assert [row.completion_tokens for row in ledger.rows()] == [2]
    assert len(server.requests) == 1


async def test_a_stream_without_end_is_cut_off(server: FaultServer, client: Client) -> None:
    server.on("POST", CHAT, sse(*[chunk("x" * 500)] * 10, done=False, hang=True))
    with pytest.raises(CutStream, match="without end"):
        await collect(client)


async def test_leaving_a_stream_closes_the_request(
    server: FaultServer, client: Client, ledger: Ledger
) -> None:
    server.on("POST", CHAT, sse(chunk("Hello"), done=False, hang=True))
    async with aclosing(client.stream(ASK)) as deltas:
        assert (await anext(deltas)).text == "Hello"
    await asyncio.wait_for(server.requests[0].closed.wait(), 10)
    assert len(list(ledger.rows())) == 1


async def test_cancelling_the_task_closes_the_request(server: FaultServer, client: Client) -> None:
    server.on("POST", CHAT, sse(chunk("Hello"), done=False, hang=True))
    started = asyncio.Event()

    async def read() -> None:
        async for _ in client.stream(ASK):
            started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.requests[0].closed.wait(), 10)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (answer({"detail": "Unauthorized"}, 401), AuthError, "Unauthorized"),
        (answer({"message": "Unauthorized", "request_id": "r"}, 401), AuthError, "Unauthorized"),
        (Answer(429), QuotaError, "limit"),
        (answer({"message": "Rate limit exceeded", "code": "1300"}, 429), QuotaError, "Rate limit"),
        (Answer(500), ServerError, "500"),
        (Answer(502, HTML, {"content-type": "text/html"}), ServerError, "HTML"),
        (answer({"detail": "Not Found"}, 404), AbsentError, "Not Found"),
        (
            answer({"message": "Invalid model: x", "type": "invalid_model"}, 400),
            RefusedError,
            "Invalid model: x",
        ),
        (
            answer({"detail": [{"type": "t", "loc": ["body", "top_p"], "msg": "too large"}]}, 422),
            RefusedError,
            "top_p: too large",
        ),
        (answer({"detail": "Invalid file format."}, 422), RefusedError, "Invalid file format"),
        (
            Answer(302, headers={"location": "https://elsewhere.example"}),
            ServerError,
            "not the API",
        ),
        (Answer(200, HTML, {"content-type": "text/html"}), ServerError, "not the API"),
        (Answer(400, b"\x1b]52;c;QQ==\x07plain"), RefusedError, "plain"),
    ],
)
async def test_every_shape_of_error_becomes_one_sentence(
    server: FaultServer,
    client: Client,
    streamed: bool,
    reply: Answer,
    kind: type[ApiError],
    said: str,
) -> None:
    server.on("POST", CHAT, reply)
    with pytest.raises(kind, match=said) as error:
        await (collect(client) if streamed else client.chat(ASK))
    assert "\x1b" not in str(error.value)
    assert "\n" not in str(error.value)


async def test_json_that_is_none_is_an_error_not_a_crash(
    server: FaultServer, client: Client
) -> None:
    server.on("POST", CHAT, Answer(200, b"{broken", {"content-type": "application/json"}))
    server.on("GET", f"{JOBS}/x", Answer(200, b"[" * 5000, {"content-type": "application/json"}))
    with pytest.raises(ServerError, match="not the API"):
        await client.chat(ASK)
    with pytest.raises(ServerError, match="not the API"):
        await client.jobs.get("x")


async def test_passing_faults_are_repeated_until_it_works(
    server: FaultServer, client: Client
) -> None:
    server.on(
        "POST",
        CHAT,
        Answer(503),
        Answer(429, headers={"retry-after": "0"}),
        answer(completion("ok")),
    )
    assert (await client.chat(ASK)).text == "ok"
    assert len(server.requests) == 3


async def test_a_wish_for_a_long_wait_is_told_and_not_waited_for(
    server: FaultServer, client: Client
) -> None:
    server.on("POST", CHAT, Answer(429, headers={"retry-after": "3600"}))
    with pytest.raises(QuotaError, match="3600 s") as error:
        await client.chat(ASK)
    assert error.value.retry_after == 3600
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_date(
    server: FaultServer, connect: Callable[..., Client], header: str, seconds: float | None
) -> None:
    server.on("POST", CHAT, Answer(429, headers={"retry-after": header}))
    with pytest.raises(QuotaError) as error:
        await connect(policy=RetryPolicy(attempts=1)).chat(ASK)
    assert error.value.retry_after == seconds


async def test_a_silent_server_becomes_a_sentence(
    server: FaultServer, connect: Callable[..., Client]
) -> None:
    server.on("POST", CHAT, Answer(silent=True))
    with pytest.raises(Unreachable, match=r"said nothing for 0\.2 s") as error:
        await connect(seconds=0.2).chat(ASK)
    assert error.value.reached


async def test_a_server_that_is_off_becomes_a_sentence_with_the_command(
    server: FaultServer, connect: Callable[..., Client]
) -> None:
    client = connect(EndpointKind.LOCAL)
    await server.stop()
    with pytest.raises(Unreachable, match="papertune engine start") as error:
        await client.check()
    assert not error.value.reached
    assert error.value.exit_code == 3


@pytest.mark.parametrize("status", [410, 422])
async def test_the_retired_service_is_told_in_plain_words(
    server: FaultServer, client: Client, status: int
) -> None:
    detail = "Model not available for this type of fine-tuning (completion)."
    server.on("POST", JOBS, answer({"detail": detail}, status))
    with pytest.raises(RetiredError, match=r"retired.*papertune engine start"):
        await client.jobs.create({"model": "open-mistral-7b"})


async def test_a_job_is_never_created_twice_by_a_retry(
    server: FaultServer, connect: Callable[..., Client]
) -> None:
    server.on("POST", JOBS, Answer(silent=True))
    with pytest.raises(Unreachable) as error:
        await connect(seconds=0.2).jobs.create({"model": "m"})
    assert error.value.reached
    assert len(server.requests) == 1
    server.on("POST", JOBS, answer({"detail": "busy"}, 409))
    with pytest.raises(DuplicateError):
        await connect().jobs.create({"model": "m"})


async def test_no_key_is_in_any_error_or_log(
    server: FaultServer,
    client: Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MISTRAL_DEBUG", "1")
    caplog.set_level(logging.DEBUG)
    upload = tmp_path / "train.jsonl"
    upload.write_text("{}\n")
    forms = [KEY, base64.b64encode(KEY.encode()).decode(), quote(KEY, safe="")]
    echo = {"detail": f"key {forms[0]} or {forms[1]} or {forms[2]} is wrong"}
    replies = [
        answer(echo, 401),
        answer(echo, 422),
        answer(echo, 500),
        Answer(429),
        Answer(silent=True),
    ]
    replies.append(Answer(200, json.dumps(echo).encode(), {"content-type": "application/json"}))
    calls: list[Callable[[], Any]] = [
        lambda: client.chat(ASK),
        lambda: collect(client),
        client.check,
        lambda: client.upload(upload),
        lambda: client.jobs.get("x"),
        lambda: client.embed(["a"], "m"),
    ]
    client._connection.seconds = 0.2
    shown = []
    for reply in replies:
        for route in (
            ("POST", CHAT),
            ("GET", "/v1/models"),
            ("POST", "/v1/files"),
            ("GET", f"{JOBS}/x"),
            ("POST", "/v1/embeddings"),
        ):
            server.on(*route, reply)
        for call in calls:
            try:
                await call()
            except ApiError as error:
                shown += traceback.format_exception(error)
            except Exception as error:  # whatever else it is, it shows no key either
                raise AssertionError("not normalised") from error
    server.on("POST", CHAT, sse(chunk("x"), b"data: " + json.dumps(echo).encode() + b"\n\n"))
    with pytest.raises(CutStream) as cut:
        await collect(client)
    captured = capsys.readouterr()
    everything = "".join(shown) + str(cut.value) + repr(client.__dict__) + caplog.text
    everything += captured.out + captured.err
    for form in forms:
        assert form not in everything
    assert any(KEY in request.headers["authorization"] for request in server.requests)


async def test_the_environments_key_does_not_go_to_another_server(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "key-of-mistral-0001")
    server.on("GET", "/v1/models", answer({"object": "list", "data": [CARD]}))
    client = Client(Endpoint("lab", EndpointKind.URL, server.url), None)
    await client.check()
    await client.aclose()
    assert "key-of-mistral-0001" not in str(server.requests[0].headers)


async def test_models_come_with_their_lineage_from_an_engine(
    server: FaultServer, connect: Callable[..., Client]
) -> None:
    tuned = {
        **CARD,
        "id": "ft:m:0a1b:20261121:c7a2",
        "type": "fine-tuned",
        "job": "j1",
        "root": "m",
        "archived": False,
        "max_context_length": 8192,
    }
    server.on("GET", "/v1/models", answer({"object": "list", "data": [CARD, tuned]}))
    server.on(
        "GET",
        "/local/models/ft:m:0a1b:20261121:c7a2",
        answer({"lineage": {"job": "j1", "dataset": "answers@v1", "papers": ["a", "b"]}}),
    )
    base, card = await connect(EndpointKind.LOCAL).models()
    assert (base.id, base.tuned) == ("m", False)
    assert (card.tuned, card.root, card.job, card.context) == (True, "m", "j1", 8192)
    assert card.lineage.dataset == "answers@v1"
    assert card.lineage.papers == ("a", "b")
    hosted = await connect().models()
    assert hosted[1].lineage.dataset == ""


async def test_a_file_goes_up_whole_and_its_size_is_checked(
    server: FaultServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"text": "a"}\n' * 100)
    document = {
        "id": "5f0c0a52-3c0e-4f37-9d0e-6f9f4c6f2b11",
        "object": "file",
        "bytes": 1400,
        "created_at": 1795280000,
        "filename": "x.jsonl",
        "purpose": "fine-tune",
        "sample_type": "pretrain",
        "source": "upload",
        "num_lines": 100,
    }
    server.on("POST", "/v1/files", answer(document), answer({**document, "bytes": 700}))
    file = await client.upload(path, name="x.jsonl")
    assert (file.id, file.bytes, file.lines, file.sample_type) == (
        document["id"],
        1400,
        100,
        "pretrain",
    )
    assert path.read_bytes() in server.requests[0].body
    assert b'filename="x.jsonl"' in server.requests[0].body
    with pytest.raises(ServerError, match="700 bytes"):
        await client.upload(path, name="x.jsonl")


async def test_vectors_come_in_the_order_of_the_texts(server: FaultServer, client: Client) -> None:
    rows = [
        {"object": "embedding", "index": 1, "embedding": [2.0]},
        {"object": "embedding", "index": 0, "embedding": [1.0]},
    ]
    body: dict[str, Any] = {"id": "e", "object": "list", "model": "m", "data": rows}
    body["usage"] = {"prompt_tokens": 6, "completion_tokens": 0, "total_tokens": 6}
    server.on("POST", "/v1/embeddings", answer(body))
    assert await client.embed(["a", "b"], "m") == [[1.0], [2.0]]
    with pytest.raises(ServerError, match="2 vectors for 1 texts"):
        await client.embed(["a"], "m")


async def test_a_model_that_cannot_be_fetched_says_why(
    server: FaultServer, connect: Callable[..., Client]
) -> None:
    failure = {
        "event": "error",
        "message": "The disk is full.",
        "remedy": "Make room.",
        "exit_code": 1,
    }
    server.on("POST", "/local/models/pull", sse({"event": "progress", "done": 1}, failure))
    seen = []
    with pytest.raises(PapertuneError, match=r"The disk is full\. Make room\."):
        async for event in connect(EndpointKind.LOCAL).local.pull("m"):
            seen.append(event)
    assert seen == [{"event": "progress", "done": 1}]


async def test_nothing_is_repeated_once_the_time_for_it_is_over(
    server: FaultServer, connect: Callable[..., Client]
) -> None:
    server.on("POST", CHAT, Answer(503))
    with pytest.raises(ServerError):
        await connect(policy=RetryPolicy(attempts=5, first=1.0, total=0.0)).chat(ASK)
    assert len(server.requests) == 1


async def test_a_client_works_in_one_event_loop_after_another(server: FaultServer) -> None:
    server.on("GET", "/v1/models", answer({"object": "list", "data": [CARD]}))
    client = Client(Endpoint("lab", EndpointKind.URL, server.url), None)
    assert await client.check() == 1

    def elsewhere() -> int:
        return asyncio.run(client.check())

    assert await asyncio.to_thread(elsewhere) == 1
    assert await client.check() == 1
    await client.aclose()
