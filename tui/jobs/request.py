"""What a person asks for when they launch a job, and what it will take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tui.domain.errors import UsageError
from tui.domain.job import Hyperparameters
from tui.domain.usage import Amount
from tui.text import visible

_LONGEST_SUFFIX = 18
# An engine has one launcher for all its jobs.
LAUNCHER_SETTING = "launcher under [engine] in config.toml"
OPTIONS = frozenset(
    {
        "lora_rank",
        "lora_alpha",
        "lora_plus_ratio",
        "word_dropout",
        "early_stopping",
        "batch_size",
        "seed",
        "target_modules",
    }
)


class BudgetError(UsageError):
    """The estimate is beyond the budget that was given."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be: `dataset` is `name` (its newest version) or `name@v2`.

    What is None in `hyperparameters` is chosen by model and size of the data; `options` are the
    engine's extras (`lora_rank`, `lora_alpha`, `batch_size`, `seed`, …). Without `endpoint` the
    default one is used. `budget` is for this job, `month_budget` raises the month's for once.
    `small` trains a few steps on a tenth of the data. `group` is the sweep it belongs to.
    """

    dataset: str
    model: str
    endpoint: str | None = None
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    suffix: str | None = None
    start: bool = True
    budget: Amount | None = None
    options: dict[str, Any] = field(default_factory=dict)
    small: bool = False
    month_budget: Amount | None = None
    group: str = ""

    def check(self) -> None:
        """Raise UsageError for what no endpoint takes, before anything is uploaded."""
        given = self.hyperparameters
        bounds: tuple[tuple[str, float | None, Callable[[float], bool], str], ...] = (
            ("learning rate", given.learning_rate, lambda v: 1e-8 <= v <= 1, "from 1e-8 to 1"),
            ("steps", given.training_steps, lambda v: v >= 1, "at least 1"),
            ("epochs", given.epochs, lambda v: v > 0, "more than 0"),
            ("weight decay", given.weight_decay, lambda v: 0 <= v <= 1, "from 0 to 1"),
            ("warm-up fraction", given.warmup_fraction, lambda v: 0 <= v <= 1, "from 0 to 1"),
            ("sequence length", given.seq_len, lambda v: v >= 100, "at least 100"),
        )
        for name, value, allowed, rule in bounds:
            if value is not None and not allowed(value):
                raise UsageError(f"The {name} is {value:g}; it must be {rule}.")
        if given.training_steps is not None and given.epochs is not None:
            raise UsageError("Steps and epochs were both given.", "Give one; the other follows.")
        if not self.model:
            raise UsageError("No model was named.", "See what there is: papertune model list")
        if self.suffix is not None and len(self.suffix) > _LONGEST_SUFFIX:
            raise UsageError(
                f"The suffix '{visible(self.suffix)}' is longer than {_LONGEST_SUFFIX} characters."
            )
        if unknown := sorted(set(self.options) - OPTIONS):
            raise UsageError(
                f"'{visible(unknown[0])}' is no option of a job.",
                f"Known are: {', '.join(sorted(OPTIONS))}.",
            )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job will take: `tokens` are trained tokens, `data_tokens` those of the files.

    `seconds` is None where nothing is known of the device's speed, `cost` where there is no price.
    `exact` says that the tokens were counted by the model's own tokenizer. `hyperparameters` and
    `options` are complete: what was left open is filled with the model's defaults. `memory` is
    bytes of the device, None where nothing is known of the model, `memory_present` what it has;
    `measured` says that a short real training told time and memory, `launcher` what will run it.
    `notes` are what checking the files brought up and what the endpoint said.
    """

    dataset: str
    model: str
    endpoint: str
    examples: int
    data_tokens: int
    tokens: int
    steps: int
    epochs: float
    truncated: int
    seconds: float | None
    cost: float | None
    currency: str | None
    exact: bool
    hyperparameters: Hyperparameters
    options: dict[str, Any]
    notes: tuple[str, ...] = ()
    memory: int | None = None
    memory_present: int | None = None
    measured: bool = False
    launcher: str = ""

    def require(self, budget: Amount | None) -> None:
        """Raise BudgetError when this is beyond `budget`, or cannot be measured in its unit."""
        if budget is None:
            return
        needed = {
            "ktok": self.tokens / 1000,
            "gpuh": None if self.seconds is None else self.seconds / 3600,
        }.get(budget.unit, self._money(budget.unit))
        if needed is None:
            raise BudgetError(
                f"What this job takes cannot be told in {budget.unit}, so {budget} cannot be kept.",
                "Give the budget in another unit (ktok always works), or none.",
            )
        if needed > budget.value:
            raise BudgetError(
                f"The job would take {Amount(round(needed, 2), budget.unit)}, "
                f"more than the budget of {budget}.",
                "Raise the budget, or train fewer steps: --steps",
            )

    def _money(self, unit: str) -> float | None:
        if self.cost is None:
            return None
        same = self.cost == 0 or (self.currency or "").lower() == unit
        return self.cost if same else None
