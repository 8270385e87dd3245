"""Files: what a client uploads is what it gets back."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from tests.engine.server.conftest import TOKEN, Running, chat_lines, until
from tui.engine.settings import Quota

TEXT = b'{"text":"**From paper X:** water is wet."}\n'


def test_an_uploaded_file_is_described_and_given_back_byte_by_byte(server: Running) -> None:
    content = chat_lines(64)
    file = server.upload(content)
    assert file["object"] == "file"
    assert file["bytes"] == len(content)
    assert file["filename"] == "train.jsonl"
    assert (file["purpose"], file["sample_type"]) == ("fine-tune", "instruct")
    assert (file["source"], file["num_lines"]) == ("upload", 64)
    assert file["signature"] == hashlib.sha256(content).hexdigest()
    got = server.client.get(f"/v1/files/{file['id']}").json()
    assert got == {**file, "deleted": False}
    answer = server.client.get(f"/v1/files/{file['id']}/content")
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"


def test_the_content_decides_the_sample_type(server: Running) -> None:
    assert server.upload(TEXT, "text.jsonl")["sample_type"] == "pretrain"
    assert server.upload(chat_lines(1))["sample_type"] == "instruct"


def test_the_last_line_counts_without_a_line_end(server: Running) -> None:
    assert server.upload(chat_lines(3).rstrip(b"\n"))["num_lines"] == 3


def test_the_same_name_and_content_give_back_the_same_file(server: Running) -> None:
    first = server.upload(chat_lines(2))
    assert server.upload(chat_lines(2)) == first
    assert server.upload(chat_lines(2), "other.jsonl")["id"] != first["id"]
    assert server.upload(chat_lines(3))["id"] != first["id"]
    assert len(list(server.home.files.iterdir())) == 3


def test_files_are_listed_newest_first_filtered_and_paged(server: Running) -> None:
    chat = server.upload(chat_lines(2), "Chat-A.jsonl")["id"]
    text = server.upload(TEXT, "text.jsonl")["id"]
    last = server.upload(chat_lines(3), "chat-b.jsonl")["id"]

    def ids(**query: str | int | list[str]) -> list[str]:
        answer = server.client.get("/v1/files", params=query).json()
        return [file["id"] for file in answer["data"]]

    assert ids() == [last, text, chat]
    assert ids(page_size=2, page=1) == [chat]
    assert ids(sample_type="pretrain") == [text]
    assert ids(sample_type=["pretrain", "instruct"]) == [last, text, chat]
    assert ids(search="CHAT") == [last, chat]
    assert ids(source="repository") == []
    assert ids(mimetypes="application/jsonl") == [last, text, chat]
    assert ids(purpose="batch") == []
    page = server.client.get("/v1/files", params={"page_size": 1}).json()
    assert (page["object"], page["total"], len(page["data"])) == ("list", 3, 1)
    assert server.client.get("/v1/files?include_total=false").json()["total"] is None


def test_a_deleted_file_is_gone(server: Running) -> None:
    file = server.upload(chat_lines(2))["id"]
    answer = server.client.delete(f"/v1/files/{file}")
    assert answer.json() == {"id": file, "object": "file", "deleted": True}
    assert server.client.get(f"/v1/files/{file}").status_code == 404
    assert server.client.get(f"/v1/files/{file}/content").status_code == 404
    assert list(server.home.files.iterdir()) == []


def test_a_file_in_use_is_not_deleted(server: Running) -> None:
    server.behave("hold")
    job = server.create_job().json()
    answer = server.client.delete(f"/v1/files/{job['training_files'][0]}")
    assert answer.status_code == 409
    assert job["id"] in answer.json()["detail"]


def test_a_link_works_without_the_token_for_that_file_only(server: Running) -> None:
    file = server.upload(chat_lines(2))
    other = server.upload(chat_lines(3))
    url = server.client.get(f"/v1/files/{file['id']}/url", params={"expiry": 1}).json()["url"]
    assert httpx2.get(url).content == chat_lines(2)
    assert httpx2.get(url.replace(file["id"], other["id"])).status_code == 401
    assert httpx2.get(url + "0").status_code == 401
    assert httpx2.get(url.replace("expires=1", "expires=9")).status_code == 401
    assert httpx2.get(url.replace("/content", "")).status_code == 401


def test_what_is_no_training_file_is_refused_and_leaves_nothing(server: Running) -> None:
    for name, content in (
        ("train.txt", chat_lines(1)),
        ("empty.jsonl", b""),
        ("broken.jsonl", b"{not json}\n"),
        ("other.jsonl", b'{"prompt":"x"}\n'),
        ("nul.jsonl", b"\x00" * 100),
    ):
        answer = server.client.post("/v1/files", files={"file": (name, content)})
        assert answer.status_code == 422, name
        assert answer.json()["detail"] == "Invalid file format."
        assert answer.json()["message"]
    assert list(server.home.files.iterdir()) == []


def test_a_form_without_a_file_is_refused_in_the_list_shape(server: Running) -> None:
    for answer in (
        server.client.post("/v1/files", data={"purpose": "fine-tune"}),
        server.client.post("/v1/files", json={"file": "x"}),
        server.client.post("/v1/files", files={"other": ("a.jsonl", TEXT)}),
    ):
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "file"]
    bad = server.client.post(
        "/v1/files", files={"file": ("a.jsonl", TEXT)}, data={"purpose": "nonsense"}
    )
    assert bad.json()["detail"][0]["loc"] == ["body", "purpose"]


def test_a_body_that_is_no_form_is_refused(server: Running) -> None:
    for body in (b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nabc"):
        answer = server.client.post(
            "/v1/files", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
        )
        assert answer.status_code in (400, 422)
    assert list(server.home.files.iterdir()) == []


def test_a_name_from_outside_never_becomes_a_path(server: Running) -> None:
    for name in ("../../evil.jsonl", "/etc/evil.jsonl", "..\\evil.jsonl"):
        assert server.upload(TEXT, name)["filename"] == "evil.jsonl"
    shown = server.upload(TEXT, "\u202ereverse\x1b[2J.jsonl")["filename"]
    assert not any(ord(character) < 32 or character == "\u202e" for character in shown)


def test_a_big_upload_streams_to_disk(server: Running) -> None:
    line = chat_lines(1)[:-2] + b" " * 1_000_000 + b"}\n"
    before = psutil.Process().memory_info().rss

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.jsonl"\r\n\r\n'
        for _ in range(100):
            yield line
        yield b"\r\n--b--\r\n"

    answer = server.client.post(
        "/v1/files", content=body(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 200
    assert (answer.json()["num_lines"], answer.json()["bytes"]) == (100, 100 * len(line))
    # Client and server are this one process: the 100 MB were in neither's memory.
    assert psutil.Process().memory_info().rss - before < 50_000_000


def test_more_than_the_settings_allow_is_cut_off(server: Running) -> None:
    assert server.engine.quota.upload == 512 * 1024 * 1024
    server.engine.quota = Quota(upload=5_000_000)
    too_long = {"file": ("big.jsonl", b" " * 7_000_000)}
    assert server.client.post("/v1/files", files=too_long).status_code == 413

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.jsonl"\r\n\r\n'
        for _ in range(6):
            yield b" " * 1_000_000

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert server.client.post("/v1/files", content=body(), headers=headers).status_code == 413
    until(lambda: not list(server.home.files.iterdir()))


def test_uploads_together_keep_to_their_quota(server: Running) -> None:
    first = server.upload(chat_lines(50))
    server.engine.quota = Quota(disk=first["bytes"] + 1000)

    def send(content: bytes) -> httpx2.Response:
        return server.client.post("/v1/files", files={"file": ("more.jsonl", content)})

    refused = send(chat_lines(50, "eight"))
    assert refused.status_code == 507
    assert "engine.quota" in refused.json()["message"]
    until(lambda: len(list(server.home.files.iterdir())) == 1)
    assert send(chat_lines(2)).status_code == 200
    server.client.delete(f"/v1/files/{first['id']}")
    assert send(chat_lines(50, "nine")).status_code == 200


def test_a_client_that_vanishes_in_an_upload_leaves_nothing(server: Running) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /v1/files HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
            "half of".encode()
        )
        until(lambda: list(server.home.files.iterdir()))
    until(lambda: not list(server.home.files.iterdir()))


def test_what_a_crash_left_of_an_upload_is_swept_away(server: Running) -> None:
    kept = server.upload(TEXT)["id"]
    (server.home.files / "half").write_bytes(os.urandom(10))
    server.engine.files.sweep()
    assert [path.name for path in server.home.files.iterdir()] == [kept]


def test_an_expired_file_is_gone(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = server.upload(TEXT)
    file = server.upload(chat_lines(1), expiry="2")
    assert file["expires_at"] - file["created_at"] in (7200, 7201)
    hours = 3 * 3600
    now = time.time()
    monkeypatch.setattr("tui.engine.store.files.time.time", lambda: now + hours)
    assert server.client.get(f"/v1/files/{file['id']}").status_code == 404
    assert [entry["id"] for entry in server.client.get("/v1/files").json()["data"]] == [kept["id"]]
    server.engine.files.sweep()
    assert [path.name for path in server.home.files.iterdir()] == [kept["id"]]
