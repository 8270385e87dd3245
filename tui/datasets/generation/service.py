"""Generation as screens and commands call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tui.datasets.generation.budget import meter
from tui.datasets.generation.events import GenerationEvent
from tui.datasets.generation.plan import Mix, checked_mix, plan, turns_of
from tui.datasets.generation.prompts import GenerationPrompts
from tui.datasets.generation.questions import QuestionIndex
from tui.datasets.generation.run import Run, Setting
from tui.datasets.generation.turns import FailedTurn, Turns
from tui.datasets.library import Library
from tui.datasets.service import Datasets
from tui.domain.errors import NotFoundError, UsageError
from tui.domain.example import Kind, Status
from tui.domain.usage import Amount
from tui.mistral.endpoints import Endpoints
from tui.mistral.privacy import Gate
from tui.storage.workspace import Workspace

# With four wordings a finding gives two to train on, one for validation and one for the test.
DEFAULT_WORDINGS = 4
_MOST_WORDINGS = 10


class Generator:
    """Has a model write question-answer pairs and summaries of the corpus, as drafts to review.

    What was asked is in the workspace, so a run that was stopped in whatever way is carried on by
    the next one with the same dataset, kind and model.
    """

    def __init__(
        self,
        workspace: Workspace,
        corpus: Library,
        datasets: Datasets,
        endpoints: Endpoints,
        gate: Gate,
    ) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._datasets = datasets
        self._endpoints = endpoints
        self._gate = gate
        self._prompts = GenerationPrompts(workspace.root / "prompts")

    async def run(
        self,
        name: str,
        kind: Kind,
        model: str,
        *,
        query: str = "",
        count: int | None = None,
        budget: Amount | None = None,
        endpoint: str | None = None,
        mix: Mix | None = None,
        wordings: int = DEFAULT_WORDINGS,
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Generate into the dataset `name`; the last event is `GenerationFinished`.

        Every passage of the papers that match `query` gets one turn. `count` ends the run once so
        many examples have passed the gates, and gives passages further turns, one for each type of
        question in `mix`, until they have. `budget` is for this run. Closing the generator ends
        the requests under way.

        Raises NotFoundError for a dataset that is not there or papers that do not match,
        UsageError for a budget that cannot be kept, PrivateTextError or ConsentNeeded before
        anything leaves for an outside endpoint, and what opening the endpoint raises.
        """
        if not 1 <= wordings <= _MOST_WORDINGS:
            raise UsageError(f"Use 1 to {_MOST_WORDINGS} wordings of a finding.")
        if count is not None and count < 1:
            raise UsageError("A count is 1 or more.")
        shares = checked_mix(mix)
        client = self._endpoints.for_model(model, endpoint)
        allowed = meter(budget, client.endpoint)
        model_id = self._endpoints.resolve(model)
        questions = await asyncio.to_thread(self._known_questions, name, kind)
        papers = await asyncio.to_thread(self._corpus.papers, query)
        units = await asyncio.to_thread(plan, self._corpus, papers, kind)
        if not units:
            raise NotFoundError(
                "There is no passage to ask about"
                + (f" in papers that match '{query}'." if query else "."),
                "See what there is: papertune corpus list; add papers: papertune corpus add PATH",
            )
        self._gate.require(client.endpoint, {unit.paper for unit in units})
        setting = Setting(
            name=name,
            kind=kind,
            model=model_id,
            count=count,
            wordings=wordings if kind is Kind.QA else 1,
            mix=shares,
            turns=turns_of(kind, shares) if count else 1,
        )
        turns = Turns(self._workspace, name, kind, model_id)
        if not client.endpoint.outside:
            turns.release_stale()
        run = Run(
            setting,
            units,
            client=client,
            corpus=self._corpus,
            datasets=self._datasets,
            gate=self._gate,
            turns=turns,
            prompts=self._prompts,
            questions=questions,
            meter=allowed,
        )
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event

    def failures(self, name: str, kind: Kind, model: str) -> list[FailedTurn]:
        """Passages without a usable answer from this model, with the reason, latest first."""
        turns = Turns(self._workspace, name, kind, self._endpoints.resolve(model))
        return turns.failures()

    def _known_questions(self, name: str, kind: Kind) -> QuestionIndex:
        """What the dataset asks already; refused questions may be asked again, better."""
        index = QuestionIndex()
        for example in self._datasets.examples(name, kind=kind):
            if example.status is not Status.REJECTED and example.question:
                index.add(example.question, example.answer)
        return index
