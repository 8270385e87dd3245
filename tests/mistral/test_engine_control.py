from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tui.domain.errors import ConflictError, PapertuneError
from tui.mistral import EngineControl
from tui.storage.locations import engine_state_file


@pytest.fixture
async def control() -> AsyncIterator[EngineControl]:
    control = EngineControl()
    yield control
    await control.stop()


def write_state(**values: object) -> None:
    state = {
        "url": "http://127.0.0.1:1",
        "token": "t",
        "pid": os.getpid(),
        "started_at": time.time(),
        "host": socket.gethostname(),
        "version": "0",
    }
    engine_state_file().parent.mkdir(parents=True, exist_ok=True)
    engine_state_file().write_text(json.dumps(state | values))


async def test_an_engine_is_started_found_again_and_stopped(
    control: EngineControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "key-of-mistral-0001")
    assert not (await control.status()).running
    assert control.address() is None
    started = await control.start()
    assert started.running
    assert started.url.startswith("http://127.0.0.1:")
    assert started.version
    address = control.address()
    assert address is not None
    assert address[0] == started.url
    assert address[1].reveal() not in repr(control.__dict__)
    assert "key-of-mistral-0001" not in psutil.Process(started.pid).environ().values()
    assert (await EngineControl().ensure()).pid == started.pid
    assert any("/local/status" in line for line in control.logs())
    assert await control.stop()
    assert not (await control.status()).running
    assert not await control.stop()


async def test_an_engine_that_dies_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PapertuneError, match=f"{port}.* is taken"):
            await EngineControl(("--port", str(port))).start()
    monkeypatch.setenv("PAPERTUNE_DATA_DIR", "/proc/papertune")  # nobody can write there
    with pytest.raises(PapertuneError, match=r"did not start.*/proc/papertune"):
        await EngineControl().start()


async def test_the_engine_of_another_home_keeps_its_lock(
    control: EngineControl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await control.start()
    with monkeypatch.context() as patch:
        patch.setenv("PAPERTUNE_STATE_DIR", str(tmp_path / "other-state"))
        with pytest.raises(PapertuneError, match="An engine already uses"):
            await EngineControl().start()


async def test_a_state_file_left_behind_is_no_engine_and_nobody_is_killed() -> None:
    write_state()  # the pid is this test's own, which a stop would end
    control = EngineControl()
    assert not (await control.status()).running
    assert not await control.stop()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"url": 3}', '{"pid": "x", "url": "", "token": ""}']
)
async def test_a_torn_state_file_is_no_engine(text: str) -> None:
    engine_state_file().parent.mkdir(parents=True)
    engine_state_file().write_text(text)
    assert not (await EngineControl().status()).running


async def test_an_engine_on_another_host_of_this_home_is_named() -> None:
    write_state(host="node-17")
    for act in (EngineControl().start, EngineControl().stop):
        with pytest.raises(ConflictError, match="node-17"):
            await act()
