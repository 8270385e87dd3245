from __future__ import annotations

import pytest

from tui.engine.models.recommend import recommend, serving_bytes, training_bytes
from tui.engine.models.shapes import SHAPES, Shape

PUBLISHED = {
    "SmolLM2-135M": 134_515_008,
    "SmolLM2-1.7B": 1_711_376_384,
    "Qwen2.5-0.5B": 494_032_768,
    "Mistral-7B": 7_248_023_552,
    "Qwen2.5-7B": 7_615_616_512,
    "Ministral-8B": 8_019_808_256,
    "Mistral-Nemo": 12_247_782_400,
    "Mistral-Small-24B": 23_572_403_200,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_give_the_parameters_that_are_published(name: str) -> None:
    (shape,) = [shape for shape in SHAPES if name in shape.repo]
    assert shape.parameters == pytest.approx(PUBLISHED[name], rel=0.002)


def test_what_does_not_fit_is_not_recommended() -> None:
    found = recommend()
    free, graphics = found["machine"]["memory_free"], found["machine"]["gpu_memory_free"]
    for entry in found["models"]:
        for use in ("train", "serve"):
            fits = entry[use]["bytes"] <= max(free, graphics)
            assert bool(entry[use]["where"]) is fits
    assert found["machine"]["multiply_adds_per_second"] > 0


def test_more_layers_take_more_memory() -> None:
    small, large = Shape("s", 64, 2, 256, 1000, 64, 64), Shape("l", 64, 4, 256, 1000, 64, 64)
    assert training_bytes(large, 4) > training_bytes(small, 4)
    assert serving_bytes(large, 2) > serving_bytes(small, 2)
    assert training_bytes(small, 2) < training_bytes(small, 4)
