"""What a context keeps is counted as llama.cpp allocates it, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medassist.core.gguf import GgufHeader
from medassist.library.caches import cache_bytes

TOKENS = 1024
USUAL: dict[str, Any] = {
    "block_count": 8,
    "embedding_length": 64,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
}
WIDTH = 2 * 16
"""Keys of a token in one layer of the usual model; its values are as wide."""
SSM = {
    "ssm.conv_kernel": 4,
    "ssm.state_size": 16,
    "ssm.group_count": 2,
    "ssm.inner_size": 96,
}
SSM_STATE = 3 * (96 + 2 * 2 * 16) + 16 * 96


def kept(
    architecture: str, more: dict[str, Any], kv: str = "f16", *, flash: bool = False
) -> int:
    """Bytes kept by a model that says `more` of itself."""
    found = {f"{architecture}.{key}": value for key, value in more.items()}
    header = GgufHeader(
        Path("m.gguf"), {"general.architecture": architecture, **found}, 0, 0, "F16"
    )
    return cache_bytes(header, TOKENS, kv, flash=flash)


def of_cells(cells: int, state: int = 0) -> int:
    return TOKENS * cells * 2 + 4 * state


@pytest.mark.parametrize(
    ("architecture", "more", "layers", "states"),
    [
        ("llama", {}, 8, 0),
        ("qwen35", SSM, 2, 6),
        ("qwen3next", SSM | {"full_attention_interval": 2}, 4, 4),
        ("qwen35moe", SSM | {"block_count": 9, "nextn_predict_layers": 1}, 2, 6),
        (
            "qwen35",
            SSM | {"attention.recurrent_layers": (True, True, False) + (True,) * 5},
            1,
            7,
        ),
        (
            "granitehybrid",
            SSM | {"attention.head_count_kv": (0, 0, 2, 0, 0, 2, 0, 0)},
            2,
            6,
        ),
        ("falcon-h1", SSM, 8, 8),
        ("gemma4", {"attention.shared_kv_layers": 3}, 5, 0),
        ("glm4moe", {"block_count": 9, "nextn_predict_layers": 1}, 8, 0),
    ],
)
def test_layers_look_back_or_keep_a_state(
    architecture: str, more: dict[str, Any], layers: int, states: int
) -> None:
    wanted = of_cells(layers * 2 * WIDTH, states * SSM_STATE)
    assert kept(architecture, USUAL | more) == wanted


@pytest.mark.parametrize(
    ("architecture", "more", "state"),
    [
        ("mamba2", SSM, SSM_STATE),
        ("rwkv7", {"wkv.head_size": 16, "token_shift_count": 2}, 64 * 2 + 64 * 16),
    ],
)
def test_a_model_that_never_looks_back_keeps_states_alone(
    architecture: str, more: dict[str, Any], state: int
) -> None:
    more = more | {"block_count": 8, "embedding_length": 64}
    assert kept(architecture, more) == 4 * 8 * state


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"shortconv.l_cache": 3}, 64 * 2),
        ({"kda.head_dim": 16, "ssm.conv_kernel": 4}, 4 * 16 * (3 * 3 + 16)),
    ],
)
def test_states_of_other_kinds(more: dict[str, Any], state: int) -> None:
    heads = {"attention.head_count_kv": (0, 0, 0, 2, 0, 0, 0, 2)}
    wanted = of_cells(2 * 2 * WIDTH, 6 * state)
    assert kept("lfm2", USUAL | heads | more) == wanted


TWO_SIZES = USUAL | {
    "block_count": 4,
    "attention.head_count_kv": (4, 4, 4, 1),
    "attention.sliding_window_pattern": (True, True, True, False),
    "attention.key_length": 32,
    "attention.value_length": 32,
    "attention.key_length_swa": 16,
    "attention.value_length_swa": 16,
}


def test_heads_of_two_sizes_are_each_counted_with_flash_attention() -> None:
    assert kept("gemma4", TWO_SIZES, flash=True) == of_cells(2 * (3 * 64 + 32))


def test_without_flash_attention_all_values_are_as_wide_as_the_widest() -> None:
    assert kept("gemma4", TWO_SIZES) == of_cells((3 * 64 + 32) + 4 * 64)


def test_latent_attention_keeps_keys_alone() -> None:
    latent = {"attention.key_length_mla": 24, "attention.key_length": 40}
    heads = {"attention.head_count_kv": 1}
    assert kept("deepseek2", USUAL | latent | heads) == of_cells(8 * 40)


def test_eight_bits_are_counted_with_their_scales() -> None:
    assert kept("llama", USUAL, "q8_0", flash=True) == TOKENS * 8 * 2 * WIDTH * 34 // 32
