"""Shapes of open models that are often fine-tuned, from their published `config.json`.

What a model takes follows from its shape; nothing here is a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder of the llama kind: `kv_width` is key-value heads times their width."""

    repo: str
    width: int
    layers: int
    inner: int
    words: int
    attention_width: int
    kv_width: int
    tied: bool = False

    @property
    def parameters(self) -> int:
        """Weights of all matrices; norms are left out (under 0.1 %)."""
        attention = 2 * self.width * (self.attention_width + self.kv_width)
        block = attention + 3 * self.width * self.inner
        return self.layers * block + self.words * self.width * (1 if self.tied else 2)


SHAPES = (
    Shape("HuggingFaceTB/SmolLM2-135M-Instruct", 576, 30, 1536, 49152, 576, 192, True),
    Shape("HuggingFaceTB/SmolLM2-360M-Instruct", 960, 32, 2560, 49152, 960, 320, True),
    Shape("Qwen/Qwen2.5-0.5B-Instruct", 896, 24, 4864, 151936, 896, 128, True),
    Shape("Qwen/Qwen2.5-1.5B-Instruct", 1536, 28, 8960, 151936, 1536, 256, True),
    Shape("HuggingFaceTB/SmolLM2-1.7B-Instruct", 2048, 24, 8192, 49152, 2048, 2048, True),
    Shape("mistralai/Mistral-7B-Instruct-v0.3", 4096, 32, 14336, 32768, 4096, 1024),
    Shape("Qwen/Qwen2.5-7B-Instruct", 3584, 28, 18944, 152064, 3584, 512),
    Shape("mistralai/Ministral-8B-Instruct-2410", 4096, 36, 12288, 131072, 4096, 1024),
    Shape("mistralai/Mistral-Nemo-Instruct-2407", 5120, 40, 14336, 131072, 4096, 1024),
    Shape("mistralai/Mistral-Small-24B-Instruct-2501", 5120, 40, 32768, 131072, 4096, 1024),
)
