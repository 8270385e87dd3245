"""Repeating calls that failed in passing: a few times, ever later, never in step with others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tui.mistral.errors import ApiError, QuotaError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` calls; the n-th wait is up to `first` x 2^n seconds, at most `longest`.

    None begins later than `total` seconds after the first: who waited long for silence is told.
    A server that asks for a longer wait than `longest` gets none of our time: the error goes to
    the caller, who can tell the person how long.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 20.0
    total: float = 45.0

    def wait(self, attempt: int) -> float:
        """Seconds before attempt number `attempt` + 1, with full jitter in its upper half."""
        ceiling = min(self.longest, self.first * float(2**attempt))
        return ceiling * random.uniform(0.5, 1.0)


async def repeat(call: Callable[[], Awaitable[T]], policy: RetryPolicy, *, harmless: bool) -> T:
    """Call until it succeeds or `policy` is exhausted.

    A call that is not `harmless` to repeat is repeated only when the server cannot have acted on
    it: refused by a limit, or never reached.
    """
    attempt = 0
    deadline = time.monotonic() + policy.total
    while True:
        try:
            return await call()
        except ApiError as error:
            attempt += 1
            if attempt >= policy.attempts or not error.repeatable:
                raise
            if error.reached and not harmless:
                raise
            pause = policy.wait(attempt - 1)
            if isinstance(error, QuotaError) and error.retry_after is not None:
                if error.retry_after > policy.longest:
                    raise
                pause = max(pause, error.retry_after)
            if time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)
