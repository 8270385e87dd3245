"""Thousands of requests drawn from the contract's schema: never a fault of the server."""

from __future__ import annotations

import os
import sys

import pytest

from tests.engine.faults.test_fuzz import fuzz
from tests.engine.server.conftest import Running, server

__all__ = ["server"]
EXAMPLES = int(os.environ.get("PAPERTUNE_SOAK_REQUESTS", "10000"))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_thousands_of_requests_are_never_a_fault_of_the_server(server: Running) -> None:
    statuses = fuzz(server, EXAMPLES)
    sys.stdout.write(
        f"{sum(statuses.values())} requests, by status {dict(sorted(statuses.items()))}\n"
    )
    assert server.client.get("/local/status").status_code == 200
    assert {path.name for path in server.home.files.iterdir()} <= {
        file["id"] for file in server.client.get("/v1/files?page_size=1000").json()["data"]
    }
