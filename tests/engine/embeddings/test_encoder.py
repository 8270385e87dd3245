from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine.embeddings.bert import Encoder, EncoderError
from tui.engine.embeddings.worker import averaged, windows_of

TEXTS = [
    "Beam lifetimes fall when the pressure in the ring rises.",
    "How long does a beam last in a leaky ring?",
    "Die Würfel sind gefallen; 骰子已经掷下.",
    " ".join(f"word{number} rises" for number in range(70)),
]


def ids(folder: Path, texts: list[str]) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "hf" / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return [text.ids for text in tokenizer.encode_batch(texts)]


def test_it_computes_what_torch_computes(embedding_model_dir: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(embedding_model_dir / "hf").eval()
    tokens = ids(embedding_model_dir, TEXTS)
    ours = Encoder(embedding_model_dir / "hf").embed(tokens)
    with torch.no_grad():
        for vector, text in zip(ours, tokens, strict=True):
            states = model(torch.tensor([text])).last_hidden_state[0].mean(dim=0)
            theirs = torch.nn.functional.normalize(states, dim=0).numpy()
            assert np.abs(vector - theirs).max() < 1e-5


def test_a_text_has_the_same_vector_alone_and_among_others(embedding_model_dir: Path) -> None:
    encoder = Encoder(embedding_model_dir / "hf")
    tokens = ids(embedding_model_dir, TEXTS)
    together = encoder.embed(tokens)
    for index, text in enumerate(tokens):
        assert np.allclose(together[index], encoder.embed([text])[0], atol=1e-6)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_texts_that_mean_alike_lie_near(embedding_model_dir: Path) -> None:
    vectors = Encoder(embedding_model_dir / "hf").embed(ids(embedding_model_dir, TEXTS))
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far + 0.2


def test_an_encoder_of_another_kind_is_refused(embedding_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    shutil.copytree(embedding_model_dir / "hf", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "deberta-v2"}))
    with pytest.raises(EncoderError, match="deberta-v2"):
        Encoder(folder)


@given(st.integers(0, 2000), st.integers(1, 300))
def test_windows_lose_nothing_and_fit(length: int, width: int) -> None:
    tokens = list(range(length))
    windows = windows_of(tokens, width)
    assert [token for window in windows for token in window] == tokens
    assert all(len(window) <= width for window in windows)
    assert max(map(len, windows)) - min(map(len, windows)) <= 1


def test_windows_are_weighed_by_their_tokens() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    found = averaged(vectors, [[3, 1], [5]])
    assert np.allclose(found[0] / found[0][1], [3, 1])
    assert np.allclose(found[1], [0, 1])
