"""OLMo 2 and 3: norms after each block and over all heads of Q and K, and windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget
from convert.architectures.windows import WHOLE, WINDOW, read_windows
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

_DEFAULTS = {
    "num_key_value_heads": None,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "attention_bias": False,
}


@dataclass(frozen=True)
class Olmo2(Architecture):
    """RMSNorm after attention and feed-forward, none before."""

    gguf_name = "olmo2"
    defaults = _DEFAULTS

    rope: Rope

    @classmethod
    def read(cls, config: JsonFile) -> Olmo2:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        config.expect("hidden_act", "silu")
        config.refuse("attention_bias", "clip_qkv")
        sizes = Sizes.read(config)
        sizes.whole_heads(config)
        rope = read_rope(config, WHOLE)
        return cls(sizes=sizes, rope=rope.check("default", "linear", "dynamic", "yarn"))

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.rope.write(writer)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        sizes = self.sizes
        norm = (sizes.hidden,)
        return sizes.with_layers(
            {
                **sizes.attention_targets(),
                "self_attn.q_norm.weight": TensorTarget("attn_q_norm.weight", norm),
                "self_attn.k_norm.weight": TensorTarget(
                    "attn_k_norm.weight", (sizes.keys,)
                ),
                "post_attention_layernorm.weight": TensorTarget(
                    "post_attention_norm.weight", norm
                ),
                **sizes.feed_forward_targets(),
                "post_feedforward_layernorm.weight": TensorTarget(
                    "post_ffw_norm.weight", norm
                ),
            },
            always_head=True,
        )


@dataclass(frozen=True)
class Olmo3(Olmo2):
    """An OLMo 2 with windows in three of four layers, whose RoPE is never scaled."""

    defaults = _DEFAULTS | {"sliding_window": 4096, "rope_theta": 500000.0}

    window: int = 0
    windows: tuple[bool, ...] = ()

    @classmethod
    def read(cls, config: JsonFile) -> Olmo3:
        """Read a config.json; see `Olmo2.read`."""
        config = config.with_defaults(dict(cls.defaults))
        plain = super().read(config)
        assert isinstance(plain, Olmo3)
        new = config.part("rope_parameters")
        local = read_rope(config, WINDOW) if new and new.part(WINDOW) else None
        if local and (local.kind, local.base) != ("default", plain.rope.base):
            raise ConvertError(
                f"{config.file}: the layers with a window have a RoPE of their own "
                f"({local.kind}, base {local.base:g}); llama.cpp computes them with "
                f"the base of the others, {plain.rope.base:g}, and no scaling"
            )
        return replace(
            plain,
            window=config.positive("sliding_window"),
            windows=read_windows(config, plain.sizes.layers, 4),
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        writer.add_rope_freq_base_swa(self.rope.base)
        writer.add_sliding_window(self.window)
        writer.add_sliding_window_pattern(list(self.windows))
