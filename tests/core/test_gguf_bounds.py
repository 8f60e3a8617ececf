"""Numbers in a header: which are a model's own, and which are damage."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from medassist.core.errors import ModelFileError
from medassist.core.gguf import require_model

SPARSITY = "activation_sparsity_scale"


def write(file: Path, key: str, value: float | list[float]) -> Path:
    writer = GGUFWriter(file, "gemma3n")
    writer.add_block_count(2)
    if isinstance(value, list):
        writer.add_array(f"gemma3n.{key}", value)
    else:
        writer.add_float32(f"gemma3n.{key}", value)
    writer.add_tensor("token_embd.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_layers_that_drop_no_values_are_no_damage(tmp_path: Path) -> None:
    file = write(tmp_path / "m.gguf", SPARSITY, [1.6448535, -inf])
    header = require_model(file)
    assert header.architecture == "gemma3n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (SPARSITY, [1.6448535, inf]),
        (SPARSITY, [nan, -inf]),
        ("rope.freq_base", -inf),
        ("rope.freq_base", inf),
        ("rope.freq_base", nan),
        ("attention.layer_norm_rms_epsilon", -inf),
        ("rope.scaling.factor", [1.0, -inf]),
    ],
)
def test_numbers_that_cannot_be_computed_with_are_damage(
    tmp_path: Path, key: str, value: float | list[float]
) -> None:
    file = write(tmp_path / "m.gguf", key, value)
    with pytest.raises(ModelFileError, match=rf"header is damaged \(gemma3n\.{key} is"):
        require_model(file)
