"""One model at one endpoint, called within a budget and as fast as the server allows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from tui.datasets.generation.budget import Meter, most_tokens
from tui.domain.chat import Usage
from tui.mistral.budget import Allowance
from tui.mistral.client import Client
from tui.mistral.errors import QuotaError
from tui.mistral.types import ChatReply, ChatRequest

# The local engine answers two at once; a hosted service limits by itself.
_LOCAL_CALLS = 2
_OUTSIDE_CALLS = 4
MOST_CALLS = 64
# A server that asks to wait longer ends the run, and another one carries on.
_LONGEST_WAIT = 120.0
_WAITS = 5
_LOOK_AGAIN = 20  # calls


class OutOfBudgetError(Exception):
    """The budget leaves no room for another call."""


class Caller:
    """Calls within the meter; a server that is at its limit is waited for as long as it asks."""

    def __init__(
        self,
        client: Client,
        model: str,
        meter: Meter,
        slots: int | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self.client = client
        self._allowance = allowance
        self._made = 0
        self.model = model
        self.meter = meter
        self.slots = slots or (_OUTSIDE_CALLS if client.endpoint.outside else _LOCAL_CALLS)
        self._calls = 0
        self._not_before = 0.0

    async def ask(self, request: ChatRequest) -> ChatReply:
        """One answer, its usage estimated where the server does not count.

        Raises OutOfBudgetError before or in the middle of a call that the budget has no room for,
        ApiError when the server refuses for good.
        """
        for _ in range(_WAITS):
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            try:
                return await self._call(request)
            except QuotaError as error:
                if error.retry_after is None or error.retry_after > _LONGEST_WAIT:
                    raise
                self._not_before = time.monotonic() + error.retry_after
        return await self._call(request)

    async def _call(self, request: ChatRequest) -> ChatReply:
        await self._look_at_the_month()
        leave = self.meter.reserve(request, self.slots - self._calls)
        if leave is None:
            raise OutOfBudgetError
        self._calls += 1
        started = time.monotonic()
        usage = Usage()
        try:
            async with asyncio.timeout(leave.seconds):
                reply = await self.client.chat(request)
            usage = reply.usage
            if not usage.total_tokens:
                usage = Usage(most_tokens(request.messages), len(reply.text.encode()) // 2)
            return replace(reply, usage=usage)
        except TimeoutError:
            raise OutOfBudgetError from None
        finally:
            self._calls -= 1
            local = not self.client.endpoint.outside
            seconds = time.monotonic() - started if local else 0.0
            self.meter.settle(leave, request.model, usage, seconds)

    async def _look_at_the_month(self) -> None:
        """What others use meanwhile is in the ledger, too; it is read now and then."""
        self._made += 1
        if self._allowance is None or self._made % _LOOK_AGAIN:
            return
        left = await asyncio.to_thread(self._allowance.left)
        if left is not None and left.value <= 0:
            raise OutOfBudgetError
