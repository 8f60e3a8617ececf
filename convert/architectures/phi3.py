"""Phi-3, Phi-3.5 and Phi-4 (text): Q, K, V in one weight, gate and up in another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget
from convert.errors import ConvertError
from convert.hf_folder import Array, JsonFile

LONG = ("longrope", "su", "yarn")  # three names of one method in these models


@dataclass(frozen=True)
class Phi3(Architecture):
    """RMSNorm, RoPE with two sets of factors, SwiGLU."""

    gguf_name = "phi3"
    defaults = {
        "num_key_value_heads": None,
        "hidden_act": "silu",
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "sliding_window": None,
    }

    rope: Rope
    rotated: int
    """Number of dimensions of each head that are rotated."""
    window: int | None

    @classmethod
    def read(cls, config: JsonFile) -> Phi3:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        config.expect("hidden_act", "silu")
        config.refuse("attention_bias")
        sizes = Sizes.read(config)
        sizes.whole_heads(config)
        rope = read_rope(config).check("default", *LONG, partial=True)
        # Here the value beside RoPE's settings goes before the one in them.
        original = config.positive("original_max_position_embeddings")
        found = cls(
            sizes=sizes,
            rope=replace(rope, original=original),
            rotated=int(rope.share * sizes.head),
            window=config.positive("sliding_window")
            if config.values["sliding_window"] is not None
            else None,
        )
        for key, factors in found.factors().items():
            if len(factors) * 2 != found.rotated:
                raise ConvertError(
                    f"{config.file}: RoPE's `{key}` has {len(factors)} numbers; "
                    f"expected {found.rotated // 2}, half of what is rotated"
                )
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what llama.cpp computes in another way for these models."""
        notes: list[str] = []
        if self.window is not None and self.window < self.sizes.context:
            notes.append(
                f"this model looks back {self.window} tokens at most, which llama.cpp "
                "does not do for it: in longer texts its answers differ"
            )
        if self.factors() and self.rope.original < self.sizes.context:
            notes.append(
                "for short texts this model has other RoPE factors than for long ones; "
                "llama.cpp takes the long ones whenever its context (n_ctx) is above "
                f"{self.rope.original} tokens, however short the text is"
            )
        return tuple(notes)

    def factors(self) -> dict[str, list[float]]:
        """Divisors of the frequencies in short and in long contexts."""
        if self.rope.kind not in LONG:
            return {}
        settings = self.rope.settings
        return {key: settings.numbers(key) for key in ("long_factor", "short_factor")}

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        writer.add_rope_dimension_count(self.rotated)
        writer.add_rope_freq_base(self.rope.base)
        writer.add_rope_scaling_orig_ctx_len(self.rope.original)
        # 0 tells llama.cpp a Phi-4 from the others.
        writer.add_sliding_window(self.window or 0)
        if self.factors():
            writer.add_rope_scaling_attn_factors(self.attention_factor())

    def attention_factor(self) -> float:
        """Factor of cosine and sine: that of LongRoPE, or the config's own."""
        settings = self.rope.settings
        scale = settings.number("factor", self.sizes.context / self.rope.original)
        if scale <= 1:
            usual = 1.0
        else:
            usual = math.sqrt(1 + math.log(scale) / math.log(self.rope.original))
        return settings.number("attention_factor", usual)

    @property
    def extra(self) -> dict[str, Array]:
        """LongRoPE's two sets of factors."""
        return {
            f"rope_factors_{key.removesuffix('_factor')}.weight": np.array(
                factors, np.float32
            )
            for key, factors in self.factors().items()
        }

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        sizes = self.sizes
        hidden, inner = sizes.hidden, sizes.feed_forward
        joined = sizes.queries + 2 * sizes.keys
        layer = {
            "input_layernorm.weight": TensorTarget("attn_norm.weight", (hidden,)),
            "self_attn.qkv_proj.weight": TensorTarget(
                "attn_qkv.weight", (joined, hidden)
            ),
            "self_attn.o_proj.weight": TensorTarget(
                "attn_output.weight", (hidden, sizes.queries)
            ),
            "post_attention_layernorm.weight": TensorTarget(
                "ffn_norm.weight", (hidden,)
            ),
            "mlp.gate_up_proj.weight": TensorTarget(
                "ffn_up.weight", (2 * inner, hidden)
            ),
            "mlp.down_proj.weight": TensorTarget("ffn_down.weight", (hidden, inner)),
        }
        return sizes.with_layers(layer)
