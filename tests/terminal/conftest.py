"""What walking the whole job needs, as the acceptance tests have it."""

from __future__ import annotations

from tests.acceptance.conftest import ended_engine, small_plan

__all__ = ["ended_engine", "small_plan"]
