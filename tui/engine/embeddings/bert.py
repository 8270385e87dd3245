"""A BERT encoder in numpy: token ids in, one vector of length 1 per text out.

Why numpy: a sentence encoder of 22 million parameters is six small matrix products a layer, which
OpenBLAS computes on the weights as published. llama.cpp needs the weights converted first and gave
6 texts of 220 tokens a CPU-second where this gives 10; torch is 750 MB.

Architecture: Devlin et al. 2019 (BERT, post-norm, exact GELU), pooled as sentence-transformers
does. Texts are not padded: the rows of a batch lie one after another, only attention is by text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui.domain.errors import PapertuneError

Floats = NDArray[np.float32]
POOLINGS = ("mean", "cls")
# Tokens computed together: beyond it the intermediate values fall out of the cache (11 texts a
# second with four texts at once, 9 with twenty).
BATCH_TOKENS = 512
_HIDDEN_ACTIVATIONS = ("gelu",)
# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: |error| < 1.5e-7
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_P = 0.3275911


class EncoderError(PapertuneError):
    """The folder holds no encoder that can be computed here."""


@dataclass(frozen=True, slots=True)
class _Linear:
    """`x @ weight + bias`; `weight` has the shape (in, out)."""

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        y: Floats = x @ self.weight
        y += self.bias
        return y


@dataclass(frozen=True, slots=True)
class _Norm:
    """Layer normalisation over the last axis, in place."""

    weight: Floats
    bias: Floats
    epsilon: np.float32

    def __call__(self, x: Floats) -> Floats:
        x -= x.mean(axis=-1, keepdims=True)
        variance = np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[-1])
        x /= np.sqrt(variance + self.epsilon)
        x *= self.weight
        x += self.bias
        return x


@dataclass(frozen=True, slots=True)
class _Layer:
    """One block; `qkv` computes queries, keys and values at once."""

    qkv: _Linear
    output: _Linear
    output_norm: _Norm
    up: _Linear
    down: _Linear
    down_norm: _Norm


class Encoder:
    """The encoder of a Hugging Face folder: `config.json` and `model.safetensors`.

    Immutable once made, so several threads may compute with it at once.
    """

    def __init__(self, folder: Path, pooling: str = "mean") -> None:
        """Load the weights; raises EncoderError for another architecture or a damaged file."""
        from safetensors.numpy import load_file

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        _check(config, pooling)
        self.dimensions = int(config["hidden_size"])
        self.context = int(config["max_position_embeddings"])
        self._heads = int(config["num_attention_heads"])
        self._pooling = pooling
        weights = _named(load_file(folder / "model.safetensors"))
        epsilon = np.float32(config.get("layer_norm_eps", 1e-12))
        try:
            self._words = weights["embeddings.word_embeddings.weight"]
            self._places = (
                weights["embeddings.position_embeddings.weight"]
                + weights["embeddings.token_type_embeddings.weight"][0]
            )
            self._norm = _norm(weights, "embeddings.LayerNorm", epsilon)
            self._layers = [
                _layer(weights, f"encoder.layer.{index}", epsilon)
                for index in range(int(config["num_hidden_layers"]))
            ]
        except KeyError as error:
            raise EncoderError(
                f"The weights in {folder} lack {error.args[0]}.", "Pull the model again."
            ) from error

    @property
    def vocabulary(self) -> int:
        """How many tokens it knows; ids are below."""
        return len(self._words)

    def embed(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Vectors of length 1, shape (texts, dimensions), of non-empty lists of token ids."""
        out = np.empty((len(texts), self.dimensions), np.float32)
        for start, end in _batches([len(text) for text in texts]):
            out[start:end] = self._batch(texts[start:end])
        return out

    def _batch(self, texts: Sequence[Sequence[int]]) -> Floats:
        edges = np.cumsum([0, *map(len, texts)])
        spans = [slice(a, b) for a, b in pairwise(edges.tolist())]
        x: Floats = self._words[np.concatenate([np.asarray(text) for text in texts])]
        for span in spans:
            x[span] += self._places[: span.stop - span.start]
        x = self._norm(x)
        for layer in self._layers:
            attended = self._attention(layer.qkv(x), spans)
            x += layer.output(attended)
            x = layer.output_norm(x)
            x += layer.down(_gelu(layer.up(x)))
            x = layer.down_norm(x)
        pooled = np.stack(
            [x[span.start] if self._pooling == "cls" else x[span].mean(axis=0) for span in spans]
        )
        pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), np.float32(1e-12))
        return pooled

    def _attention(self, qkv: Floats, spans: Sequence[slice]) -> Floats:
        width = self.dimensions // self._heads
        scale = np.float32(1 / math.sqrt(width))
        out = np.empty((len(qkv), self.dimensions), np.float32)
        for span in spans:
            # (tokens, 3, heads, width) -> three of (heads, tokens, width)
            cut = qkv[span].reshape(-1, 3, self._heads, width)
            queries, keys, values = (cut[:, which].transpose(1, 0, 2) for which in range(3))
            scores = (queries * scale) @ keys.transpose(0, 2, 1)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            out[span] = (scores @ values).transpose(1, 0, 2).reshape(-1, self.dimensions)
        return out


def _gelu(x: Floats) -> Floats:
    """x * Phi(x), in place."""
    scaled = np.abs(x)
    scaled *= np.float32(math.sqrt(0.5))
    t = np.float32(1) / (np.float32(1) + np.float32(_ERF_P) * scaled)
    tail = np.full_like(t, _ERF[-1])
    for factor in _ERF[-2::-1]:
        tail *= t
        tail += np.float32(factor)
    tail *= t
    np.multiply(scaled, -scaled, out=scaled)
    tail *= np.exp(scaled, out=scaled)
    # Phi(x) = 1 - tail / 2 for x >= 0, tail / 2 below
    tail *= np.float32(0.5)
    np.subtract(np.float32(1), tail, out=tail, where=x >= 0)
    x *= tail
    return x


def _batches(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges of texts whose tokens together stay within a batch, one text at least."""
    found, start, tokens = [], 0, 0
    for index, length in enumerate(lengths):
        if tokens and tokens + length > BATCH_TOKENS:
            found.append((start, index))
            start, tokens = index, 0
        tokens += length
    return [*found, (start, len(lengths))] if lengths else []


def _check(config: dict[str, Any], pooling: str) -> None:
    kind, activation = config.get("model_type"), config.get("hidden_act", "gelu")
    positions = config.get("position_embedding_type", "absolute")
    if kind != "bert" or activation not in _HIDDEN_ACTIVATIONS or positions != "absolute":
        raise EncoderError(
            f"An encoder of the kind '{kind}' ({activation}, {positions}) cannot be computed here.",
            "Choose one of the BERT family.",
        )
    if pooling not in POOLINGS:
        raise EncoderError(f"The pooling '{pooling}' is not known here.", "Known: mean, cls.")


def _named(weights: dict[str, Any]) -> dict[str, Floats]:
    """Float32 weights under their names without a leading `bert.`."""
    return {
        name.removeprefix("bert."): values.astype(np.float32, copy=False)
        for name, values in weights.items()
        if values.dtype.kind == "f"
    }


def _linear(weights: dict[str, Floats], *names: str) -> _Linear:
    return _Linear(
        np.ascontiguousarray(np.concatenate([weights[f"{name}.weight"] for name in names]).T),
        np.concatenate([weights[f"{name}.bias"] for name in names]),
    )


def _norm(weights: dict[str, Floats], name: str, epsilon: np.float32) -> _Norm:
    return _Norm(weights[f"{name}.weight"], weights[f"{name}.bias"], epsilon)


def _layer(weights: dict[str, Floats], name: str, epsilon: np.float32) -> _Layer:
    itself = f"{name}.attention.self"
    return _Layer(
        _linear(weights, *(f"{itself}.{part}" for part in ("query", "key", "value"))),
        _linear(weights, f"{name}.attention.output.dense"),
        _norm(weights, f"{name}.attention.output.LayerNorm", epsilon),
        _linear(weights, f"{name}.intermediate.dense"),
        _linear(weights, f"{name}.output.dense"),
        _norm(weights, f"{name}.output.LayerNorm", epsilon),
    )
