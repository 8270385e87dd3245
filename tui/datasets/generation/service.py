"""Generation as screens and commands call it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing

from tui.datasets.content import question_and_answer
from tui.datasets.generation.budget import Meter, meter
from tui.datasets.generation.caller import MOST_CALLS, Caller
from tui.datasets.generation.entailment import Entailment
from tui.datasets.generation.events import GenerationEvent
from tui.datasets.generation.examples import Builder
from tui.datasets.generation.pauses import Pauses
from tui.datasets.generation.plan import TYPED, Mix, checked_mix, plan, turns_of
from tui.datasets.generation.prompts import GenerationPrompts
from tui.datasets.generation.questions import QuestionIndex
from tui.datasets.generation.run import Run, Setting
from tui.datasets.generation.turns import FailedTurn, Turns, failed_turns
from tui.datasets.retrieval import RetrievalPlan, Searchable
from tui.datasets.service import Datasets
from tui.datasets.sourcing import Sourcing
from tui.domain.endpoint import Endpoint
from tui.domain.errors import NotFoundError, UsageError
from tui.domain.example import Kind, Status
from tui.domain.usage import Amount
from tui.mistral.budget import Allowance, OverBudget
from tui.mistral.endpoints import Endpoints
from tui.mistral.privacy import Gate
from tui.storage.workspace import Workspace

# With four wordings a finding gives two to train on, one for validation and one for the test.
DEFAULT_WORDINGS = 4
_MOST_WORDINGS = 10
_ASKING = (Kind.QA, Kind.CONVERSATION, Kind.RETRIEVAL)


class Generator:
    """Has a model write examples of the corpus, as drafts to review.

    What was asked is in the workspace, so a run that was stopped in whatever way is carried on by
    the next one with the same dataset, kind and model.
    """

    def __init__(
        self,
        workspace: Workspace,
        corpus: Searchable,
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
        self._sourcing = Sourcing(workspace, corpus, datasets)

    async def run(
        self,
        name: str,
        kind: Kind,
        model: str,
        *,
        query: str = "",
        papers: Collection[str] | None = None,
        count: int | None = None,
        budget: Amount | None = None,
        month_budget: Amount | None = None,
        endpoint: str | None = None,
        mix: Mix | None = None,
        wordings: int = DEFAULT_WORDINGS,
        sources: RetrievalPlan | None = None,
        judge: str | None = None,
        judge_endpoint: str | None = None,
        concurrency: int | None = None,
        only: Mapping[str, Collection[int]] | None = None,
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Generate into the dataset `name`; the last event is `GenerationFinished`.

        Every passage of the papers that match `query` (and are among `papers`) gets one turn.
        `count` ends the run once so many examples have passed the gates, and gives passages
        further turns, one for each type of question in `mix`, until they have. `budget` is for
        this run, the judge included; the settings' budget of the month, or `month_budget` in its
        place, holds beside it. `sources` says how examples of the kind retrieval get theirs.
        `judge` names a model that must find each answer in its passage. `concurrency` is how many
        requests are made side by side. Closing the generator ends the requests under way.

        Raises NotFoundError for a dataset that is not there or papers that do not match,
        UsageError for a budget that cannot be kept, OverBudget when nothing is left of the month,
        PrivateTextError or ConsentNeeded before anything leaves for an outside endpoint, and what
        opening the endpoint raises.
        """
        if not 1 <= wordings <= _MOST_WORDINGS:
            raise UsageError(f"Use 1 to {_MOST_WORDINGS} wordings of a finding.")
        if count is not None and count < 1:
            raise UsageError("A count is 1 or more.")
        if concurrency is not None and not 1 <= concurrency <= MOST_CALLS:
            raise UsageError(f"Use 1 to {MOST_CALLS} requests side by side.")
        shares = checked_mix(mix)
        client = self._endpoints.for_model(model, endpoint)
        model_id = self._endpoints.resolve(model)
        judging = self._endpoints.for_model(judge, judge_endpoint) if judge else None
        judge_id = self._endpoints.resolve(judge) if judge else ""
        callers = [(model_id, client.endpoint)]
        if judging is not None:
            callers.append((judge_id, judging.endpoint))
        allowed = self.meter(budget, month_budget, callers)
        composer = self._sourcing.composer(name, sources or RetrievalPlan())
        questions = await asyncio.to_thread(self._known_questions, name)
        found = await asyncio.to_thread(self._corpus.papers, query)
        chosen = [paper for paper in found if papers is None or paper.id in papers]
        units = await asyncio.to_thread(plan, self._corpus, chosen, kind)
        if not units:
            raise NotFoundError(
                "There is no passage to ask about"
                + (f" in papers that match '{query}'." if query else "."),
                "See what there is: papertune corpus list; add papers: papertune corpus add PATH",
            )
        for _, place in callers:
            self._gate.require(place, {unit.paper for unit in units})
        setting = Setting(
            name=name,
            kind=kind,
            model=model_id,
            count=count,
            wordings=wordings if kind in TYPED else 1,
            mix=shares,
            turns=turns_of(kind, shares) if count else 1,
            only=only,
        )
        turns = Turns(self._workspace, name, kind, model_id)
        if not client.endpoint.outside:
            turns.release_stale()
        run = Run(
            setting,
            units,
            caller=Caller(client, model_id, allowed, concurrency, self.allowance(month_budget)),
            corpus=self._corpus,
            datasets=self._datasets,
            gate=self._gate,
            turns=turns,
            prompts=self._prompts,
            builder=Builder(name, kind, model_id, setting.wordings, questions, composer),
            pauses=Pauses(self._workspace, name),
            judge=(
                Entailment(Caller(judging, judge_id, allowed, concurrency), self._prompts)
                if judging is not None
                else None
            ),
        )
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event

    def meter(
        self,
        budget: Amount | None,
        month_budget: Amount | None,
        callers: list[tuple[str, Endpoint]],
    ) -> Meter:
        """What calls of these models may take; raises UsageError, OverBudget."""
        settings = self._endpoints.settings
        ledger = self._endpoints.ledger
        left = self.allowance(month_budget).left()
        if left is not None and left.value <= 0:
            raise OverBudget(
                f"Nothing is left of the budget of this month, "
                f"{month_budget or settings.budget.month}.",
                "Raise it on purpose with --month-budget for once, or [budget] month in "
                "config.toml for good; see what was used: papertune usage",
            )
        return meter(budget or settings.budget.job, ledger.prices, callers, month=left)

    def allowance(self, month_budget: Amount | None) -> Allowance:
        """The budget of the month, the settings' own unless another is named for once."""
        month = month_budget or self._endpoints.settings.budget.month
        return Allowance(self._endpoints.ledger, month)

    def pause(self, name: str) -> None:
        """Have generation into a dataset wait, in whichever process it runs; it is on disk."""
        self._datasets.show(name)
        Pauses(self._workspace, name).pause()

    def resume(self, name: str) -> None:
        """Let generation into a dataset go on."""
        self._datasets.show(name)
        Pauses(self._workspace, name).resume()

    def paused(self, name: str) -> bool:
        """Whether generation into a dataset waits."""
        return Pauses(self._workspace, name).paused()

    def failures(
        self, name: str, kind: Kind | None = None, model: str | None = None
    ) -> list[FailedTurn]:
        """Passages without a usable answer, with the reason, latest first."""
        self._datasets.show(name)
        wanted = self._endpoints.resolve(model) if model else None
        return [
            turn
            for turn in failed_turns(self._workspace, name)
            if kind in (None, turn.kind) and wanted in (None, turn.model)
        ]

    def reopen(self, name: str, turns: Collection[FailedTurn]) -> dict[str, list[int]]:
        """Give failed turns of one kind and model back, as `only` of the run that asks again.

        One that is `lost` may have been paid for, and will be paid for again.
        """
        found: dict[str, list[int]] = defaultdict(list)
        for kind, model in {(turn.kind, turn.model) for turn in turns}:
            Turns(self._workspace, name, kind, model).reopen(turns)
        for turn in turns:
            found[turn.unit].append(turn.turn)
        return dict(found)

    def _known_questions(self, name: str) -> QuestionIndex:
        """What the dataset asks already; refused questions may be asked again, better."""
        index = QuestionIndex()
        for example in self._datasets.examples(name):
            question, answer = question_and_answer(example)
            if example.status is not Status.REJECTED and question and example.kind in _ASKING:
                index.add(question, answer)
        return index
