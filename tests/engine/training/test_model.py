from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tui.engine.training import fused
from tui.engine.training import model as lora
from tui.engine.training.convert import ensure_weights
from tui.formats.labels import Encoded

pytestmark = pytest.mark.train
CPU = torch.device("cpu")


def _rows() -> list[Encoded]:
    lengths = [(9, 3), (14, 8), (5, 1), (14, 13)]
    return [
        Encoded(
            [3 + (7 * i + n) % 200 for i in range(length)],
            [i >= length - tail for i in range(length)],
        )
        for n, (length, tail) in enumerate(lengths)
    ]


def _model(tiny_model: Any) -> Any:
    return lora.load(ensure_weights(tiny_model.folder), CPU, torch.float32)


def test_the_loss_is_transformers_loss_though_the_head_sees_labels_only(tiny_model: Any) -> None:
    model = _model(tiny_model)
    rows = _rows()
    width = max(len(row.input_ids) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    for n, row in enumerate(rows):
        ids[n, : len(row.input_ids)] = torch.tensor(row.input_ids)
        for i, counted in enumerate(row.loss):
            labels[n, i] = row.input_ids[i] if counted else -100
    seen: list[torch.Size] = []
    hook = model.lm_head.register_forward_hook(lambda _m, _i, out: seen.append(out.shape))
    with torch.no_grad():
        expected = float(model(input_ids=ids, labels=labels).loss)
        seen.clear()
        loss, accuracy = lora.evaluate(model, rows, CPU)
    hook.remove()
    assert loss == pytest.approx(expected, rel=1e-5)
    assert 0 <= accuracy <= 1
    assert sum(shape[0] for shape in seen) == sum(row.labels for row in rows)


def test_parts_of_a_batch_add_up_to_the_same_gradient(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = []
    for limit in (1024, 15):
        monkeypatch.setitem(lora._PART_TOKENS, "cpu", limit)
        torch.manual_seed(0)
        model = lora.add_lora(_model(tiny_model), 4, 8)
        batches = lora.parts(_rows(), CPU)
        for part in batches:
            lora.measure(model, part, count_right=False).loss.backward()
        name = "base_model.model.model.layers.0.mlp.up_proj.lora_B.default.weight"
        gradients.append((len(batches), dict(model.named_parameters())[name].grad.clone()))
    assert [count for count, _ in gradients] == [1, 4]
    torch.testing.assert_close(gradients[0][1], gradients[1][1], rtol=1e-4, atol=1e-5)


def test_the_fused_layer_computes_what_peft_computes(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for fuse in (lambda _model: 0, fused.fuse):
        monkeypatch.setattr(lora, "fuse", fuse)
        torch.manual_seed(0)
        model = lora.add_lora(_model(tiny_model), 4, 8)
        weights = {n: w for n, w in model.named_parameters() if w.requires_grad}
        generator = torch.Generator().manual_seed(1)
        for weight in weights.values():
            weight.data.normal_(0, 0.05, generator=generator)
        (part,) = lora.parts(_rows(), CPU)
        loss = lora.measure(model, part, count_right=False).loss
        loss.backward()
        results.append((loss.detach(), {n: w.grad for n, w in weights.items()}))
    torch.testing.assert_close(results[0][0], results[1][0])
    assert len(results[0][1]) == 2 * 7 * 2
    for name, gradient in results[0][1].items():
        torch.testing.assert_close(gradient, results[1][1][name], rtol=1e-4, atol=1e-5)


def test_nothing_to_measure_is_no_number(tiny_model: Any) -> None:
    loss, accuracy = lora.evaluate(_model(tiny_model), [], CPU)
    assert math.isnan(loss) and math.isnan(accuracy)
