"""What to train with where a person leaves it open: by model and by how much data there is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tui.domain.job import Hyperparameters

DEFAULT_SEQ_LEN = 2048
DEFAULT_RANK = 16
DEFAULT_BATCH = 4
# Passes over the data. Measured on 135 million parameters: 20 findings of one wording needed five,
# 60 to 480 rows between one and three; larger sets are usually trained once or twice.
_EPOCHS = ((50, 5.0), (500, 3.0), (5_000, 2.0), (math.inf, 1.0))
_FEWEST_STEPS, _MOST_EPOCHS = 25, 10
# Peak rates for LoRA by parameters, where the catalogue knows none: what suits a small model ruins
# a large one.
_RATES = ((2e8, 1e-3), (1.5e9, 5e-4), (9e9, 2e-4), (math.inf, 1e-4))
_UNKNOWN_RATE = 1e-4
SMALL_SHARE = 0.1
SMALL_STEPS = 20
_SMALL_LINES = 8


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting of a job: its name here and on the command line, a label, and one line on it."""

    name: str
    label: str
    meaning: str
    option: bool = False
    """One of the engine's extras, which other servers do not take."""


KNOBS = (
    Knob(
        "training_steps", "Steps", "how often the weights change; more binds facts, too many rote"
    ),
    Knob("epochs", "Epochs", "passes over the data, instead of steps"),
    Knob("learning_rate", "Learning rate", "how far each step goes; too high diverges"),
    Knob("batch_size", "Batch", "examples a step; larger is smoother and takes more memory", True),
    Knob(
        "lora_rank", "LoRA rank", "room for what is learnt; 8 to 64, larger overfits sooner", True
    ),
    Knob("seq_len", "Length", "tokens an example may have; longer ones are cut"),
    Knob("warmup_fraction", "Warm-up", "share of the steps in which the rate rises from zero"),
    Knob("weight_decay", "Weight decay", "pulls weights to zero; a little holds rote back"),
    Knob("seed", "Seed", "order of the data and of chance; another one shows what is luck", True),
)


def steps_for(examples: int, batch: int) -> int:
    """Steps for so many examples when nobody said."""
    epochs = next(epochs for limit, epochs in _EPOCHS if examples <= limit)
    a_pass = examples / max(1, batch)
    fewest = min(_FEWEST_STEPS, math.ceil(_MOST_EPOCHS * a_pass))
    return max(1, fewest, math.ceil(epochs * a_pass))


def rate_for(parameters: Any) -> float:
    """A peak learning rate for a model of so many parameters that the catalogue says nothing of."""
    if isinstance(parameters, bool) or not isinstance(parameters, int | float) or parameters <= 0:
        return _UNKNOWN_RATE
    return next(rate for limit, rate in _RATES if parameters <= limit)


def settle(
    given: Hyperparameters,
    options: Mapping[str, Any],
    *,
    examples: int,
    defaults: Mapping[str, Any],
    parameters: Any = None,
    small: bool = False,
) -> tuple[Hyperparameters, dict[str, Any]]:
    """The settings with everything filled that was left open.

    `defaults` are the catalogue's for the model. `small` caps the steps: it shows in a minute
    whether the data are read as they are meant, not what can be learnt from them.
    """
    rank = options.get("lora_rank") or defaults.get("lora_rank", DEFAULT_RANK)
    filled = {
        "lora_rank": rank,
        "lora_alpha": defaults.get("lora_alpha", 2 * rank),
        "batch_size": defaults.get("batch_size", DEFAULT_BATCH),
        **options,
    }
    batch = int(filled["batch_size"])
    if given.training_steps:
        steps = given.training_steps
    elif given.epochs:
        steps = max(1, math.ceil(given.epochs * examples / batch))
    else:
        steps = steps_for(examples, batch)
    if small:
        steps = min(steps, SMALL_STEPS)
    settled = replace(
        given,
        training_steps=steps,
        epochs=round(steps * batch / max(1, examples), 4),
        learning_rate=given.learning_rate or defaults.get("learning_rate") or rate_for(parameters),
        seq_len=given.seq_len or int(defaults.get("seq_len", DEFAULT_SEQ_LEN)),
    )
    return settled, filled


def small_lines(lines: int) -> int:
    """How many of a file's lines a small start trains on."""
    return min(lines, max(_SMALL_LINES, round(SMALL_SHARE * lines)))
