from __future__ import annotations

from pathlib import Path

import pytest

from finetune.train.base_model import load_base
from finetune.train.estimate import (
    GIB,
    REACHED,
    Load,
    Shape,
    memory,
    operations,
    shape_of,
)

LLAMA2 = Shape(6_738_415_616, 6_476_005_376, 4096, 11008, 32, 32000)
LLAMA31 = Shape(8_030_261_248, 6_979_321_856, 4096, 14336, 32, 128256)
R8, R16 = 20_971_520, 39_976_960


@pytest.mark.parametrize(
    ("nf4", "published"),
    [(False, 16.2), (True, 7.4)],
)
def test_memory_is_near_what_torchtune_published_for_llama_3_1_on_a_4090(
    nf4: bool, published: float
) -> None:
    load = Load(R8, 2 * 2048, "bf16", nf4)
    expected = memory(LLAMA31, load).total / GIB
    assert published <= expected <= 1.3 * published


def test_four_bits_fit_where_litgpt_published_that_they_do() -> None:
    # It keeps activations and all logits: 19.8 GB in bf16 and 13.7 in nf4 on an A10G.
    plain = memory(LLAMA2, Load(R16, 512, "bf16")).total
    four = memory(LLAMA2, Load(R16, 512, "bf16", nf4=True)).total
    assert plain < 19.8e9
    assert four < 13.7e9
    assert 5e9 < plain - four < 11e9


def test_speed_is_in_the_range_seen_on_an_a10g() -> None:
    per_token = operations(LLAMA2, Load(R16, 2048, "bf16", nf4=True))
    assert 700 <= 70e12 * REACHED / per_token <= 1000


def test_the_shape_of_a_loaded_model_is_its_own(llama: Path, gpt2: Path) -> None:
    model = load_base(llama)
    shape = shape_of(model)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    attention = 32 * (32 + 16 + 16 + 32)
    assert shape.linear == 2 * (attention + 3 * 32 * 48)
    assert (shape.hidden, shape.feed_forward, shape.layers) == (32, 48, 2)
    assert shape_of(load_base(gpt2)).linear == 2 * 12 * 32 * 32
