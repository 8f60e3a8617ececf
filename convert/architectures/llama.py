"""Llama 1 to 3.x, TinyLlama, SmolLM2, and those that are computed much alike."""

from __future__ import annotations

from dataclasses import dataclass

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget
from convert.errors import ConvertError
from convert.hf_folder import Array, JsonFile

ROTATED = ("self_attn.q_proj.", "self_attn.k_proj.")


@dataclass(frozen=True)
class Llama(Architecture):
    """RMSNorm, RoPE, SwiGLU, grouped-query attention; perhaps biases."""

    gguf_name = "llama"
    defaults = {
        "num_key_value_heads": None,
        "hidden_act": "silu",
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "head_dim": None,
    }

    rope: Rope
    attention_bias: bool
    feed_forward_bias: bool
    window: int | None = None
    """Number of tokens that a Mistral with a window looks back."""

    @classmethod
    def read(cls, config: JsonFile) -> Llama:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        config.expect("hidden_act", "silu")
        return cls(
            sizes=Sizes.read(config),
            rope=read_rope(config).check(
                "default", "linear", "dynamic", "llama3", "yarn"
            ),
            attention_bias=bool(config.values.get("attention_bias")),
            feed_forward_bias=bool(config.values.get("mlp_bias")),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """The note that llama.cpp knows no window for these models."""
        if self.window is None or self.window >= self.sizes.context:
            return ()
        return (
            f"this model looks back {self.window} tokens at most, which llama.cpp does "
            "not do for it: in longer texts its answers differ",
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.sizes.write_head(writer)
        writer.add_vocab_size(self.sizes.vocabulary)
        writer.add_rope_dimension_count(self.sizes.head)
        self.rope.write(writer)

    @property
    def extra(self) -> dict[str, Array]:
        """Llama 3's scaling of RoPE."""
        if self.rope.kind != "llama3":
            return {}
        return {"rope_freqs.weight": self.rope.llama3_factors(self.sizes.head)}

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        return self.sizes.with_layers(self.layer())

    def layer(self) -> dict[str, TensorTarget]:
        """Targets of the weights of one layer."""
        sizes = self.sizes
        layer = {
            "input_layernorm.weight": TensorTarget("attn_norm.weight", (sizes.hidden,)),
            **sizes.attention_targets(),
            "post_attention_layernorm.weight": TensorTarget(
                "ffn_norm.weight", (sizes.hidden,)
            ),
            **sizes.feed_forward_targets(),
        }
        for name in tuple(layer):
            bias = name.startswith("self_attn.") and self.attention_bias
            if bias or (name.startswith("mlp.") and self.feed_forward_bias):
                layer[name.replace(".weight", ".bias")] = layer[name].bias
        for name in layer:
            if name.startswith(ROTATED):
                heads = sizes.heads if ".q_proj." in name else sizes.kv_heads
                layer[name] = layer[name].interleaved(heads)
        return layer


@dataclass(frozen=True)
class SmolLm3(Llama):
    """A Llama whose every fourth layer has no positions (NoPE)."""

    gguf_name = "smollm3"
    defaults = {
        "num_key_value_heads": 4,
        "hidden_act": "silu",
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "no_rope_layer_interval": 4,
        "rope_theta": 2e6,
    }

    @classmethod
    def read(cls, config: JsonFile) -> SmolLm3:
        """Read a config.json; see `Llama.read`."""
        config = config.with_defaults(dict(cls.defaults))
        config.refuse("attention_bias", "mlp_bias", "use_sliding_window")
        plain = super().read(config)
        assert isinstance(plain, SmolLm3)
        plain.rope.check("default", "linear", "dynamic", "yarn")
        fourth = [int((n + 1) % 4 != 0) for n in range(plain.sizes.layers)]
        if config.values.get("no_rope_layers") is None:
            config.expect("no_rope_layer_interval", 4)
        elif config.numbers("no_rope_layers")[: plain.sizes.layers] != fourth:
            raise ConvertError(
                f"{config.file}: `no_rope_layers` is another pattern than every fourth "
                "layer, which alone llama.cpp computes; it would answer differently"
            )
        return plain
