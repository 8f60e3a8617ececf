"""What a context keeps of the tokens that it has read, in bytes.

As llama.cpp allocates it (release in llama-cpp-python 0.3.36: `llama_kv_cache`,
`llama_memory_recurrent`, `n_embd_r` and `n_embd_s` in llama-hparams.cpp):

    layers that look back: tokens padded to 256 * KV heads * (key + value length)
        * bytes, with 2 bytes a value for f16 and 34/32 for q8_0; without flash
        attention all layers' values are as wide as the widest
    layers that keep a state: F32, however many tokens there are

A layer with a sliding window is as long as any other: llama.cpp shortens it only where
it is told to. What it knows of a layer by the architecture's name alone, and not by the
file, is left out of account.
"""

from __future__ import annotations

from medassist.core.gguf import GgufHeader

CELL_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
STATE_BYTES = 4
EVERY_FOURTH = {"qwen3next", "qwen35", "qwen35moe"}
"""Architectures in which each fourth layer looks back, where a file says nothing."""
BOTH = {"falcon-h1"}
"""Architectures in which each layer looks back and keeps a state."""


def cache_bytes(header: GgufHeader, tokens: int, kv: str, *, flash: bool) -> int:
    """Bytes of the KV cache and the states of one context.

    Args:
        header: of the model.
        tokens: that the context holds.
        kv: "f16" or "q8_0".
        flash: whether flash attention is used.
    """
    state = _state_values(header)
    # A layer may do without attention and keep no state either.
    states = _states(header) if state else []
    kept = sum(states) * state * STATE_BYTES
    heads = header.of_layers("attention.head_count_kv")
    heads = heads or header.of_layers("attention.head_count")
    keys, values = (_widths(header, heads, which) for which in ("key", "value"))
    if header.model_number("attention.key_length_mla"):
        values = [0] * len(values)  # what is kept for the keys serves as values too
    if not flash:
        values = [max(values, default=0)] * len(values)
    if header.architecture in BOTH:
        states = [False] * len(states)
    own = len(heads) - header.model_number("attention.shared_kv_layers")
    own -= header.model_number("nextn_predict_layers")
    cells = sum(
        key + value
        for number, (key, value) in enumerate(zip(keys, values, strict=True))
        if number < own and not (number < len(states) and states[number])
    )
    return kept + int(tokens * cells * CELL_BYTES[kv])


def _widths(header: GgufHeader, heads: list[int], which: str) -> list[int]:
    """Keys or values of a token in each layer, by the heads that have some."""
    of_queries = max(header.of_layers("attention.head_count"), default=1)
    usual = header.model_number("embedding_length") // max(1, of_queries)
    whole = header.model_number(f"attention.{which}_length") or usual
    windowed = header.model_number(f"attention.{which}_length_swa") or whole
    said = header.metadata.get(
        f"{header.architecture}.attention.sliding_window_pattern"
    )
    windows = said if isinstance(said, tuple) and len(said) == len(heads) else ()
    return [
        count * (windowed if windows and windows[layer] else whole)
        for layer, count in enumerate(heads)
    ]


def _states(header: GgufHeader) -> list[bool]:
    """Of each layer, whether it keeps a state."""
    layers = header.layers
    if said := header.of_layers("attention.recurrent_layers"):
        return [*map(bool, said)]
    interval = header.model_number("full_attention_interval")
    if interval := interval or 4 * (header.architecture in EVERY_FOURTH):
        trunk = layers - header.model_number("nextn_predict_layers")
        return [n < trunk and (n + 1) % interval != 0 for n in range(layers)]
    if header.architecture in BOTH:
        return [True] * layers
    heads = header.of_layers("attention.head_count_kv")
    # Where no layer looks back at all, each keeps a state.
    return [count == 0 for count in heads or [0] * layers]


def _state_values(header: GgufHeader) -> int:
    """Values of one layer's state, its last inputs to a convolution among them."""
    number = header.model_number
    width = number("embedding_length")
    if head := number("wkv.head_size"):  # RWKV
        return width * (number("token_shift_count") + head)
    if seen := number("shortconv.l_cache"):  # LFM2
        return width * (seen - 1)
    before = max(0, number("ssm.conv_kernel") - 1)
    if head := number("kda.head_dim"):  # Kimi
        heads = max(header.of_layers("attention.head_count"), default=0)
        return heads * head * (3 * before + head)
    inner, state = number("ssm.inner_size"), number("ssm.state_size")
    return before * (inner + 2 * number("ssm.group_count") * state) + state * inner
