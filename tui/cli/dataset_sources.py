"""What commands that give questions sources share: their options, shares, sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tui.datasets.retrieval import RetrievalPlan
    from tui.services import Services

PIECE_TOKENS = 512
"""How long a piece of full text is where nothing else is asked for: the sample model's length."""

_SOURCES_TOKENS = 2048


class Share(click.ParamType[float]):
    """A share: `10%` or `0.1`."""

    name = "share"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The share as a number from 0 to 1."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"'{text}' is no share; write it like 10% or 0.1", param, ctx)


def sources_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how questions get sources (retrieval)."""
    for option in (
        click.option("--seed", type=int, default=0, help="Draws and places of sources."),
        click.option(
            "--context",
            type=click.IntRange(64),
            help=f"Tokens an example; {_SOURCES_TOKENS} with sources, {PIECE_TOKENS} without.",
        ),
        click.option(
            "--distractors",
            type=click.IntRange(1, 20),
            default=3,
            show_default=True,
            help="Passages beside the right one (retrieval).",
        ),
        click.option(
            "--refusals",
            type=Share(),
            default="20%",
            show_default=True,
            help="Of the questions whose right passage is left out (retrieval).",
        ),
    ):
        function = option(function)
    return function


def plan_of(
    share: float, refusals: float, distractors: int, context: int | None, seed: int
) -> RetrievalPlan:
    """The options as a plan."""
    from tui.datasets.retrieval import RetrievalPlan

    return RetrievalPlan(share, refusals, distractors, context or _SOURCES_TOKENS, seed)


def context_of(services: Services, model: str) -> int:
    """How many tokens a model takes in, as its endpoint says; raises ApiError."""

    async def ask() -> int:
        try:
            client = services.endpoints.for_model(model)
            return (await client.model(services.endpoints.resolve(model))).context
        finally:
            await services.aclose()

    return asyncio.run(ask())
