"""Qwen2 and 2.5 (biases on Q, K, V), Qwen3 (norms on Q and K), with experts too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.experts import ROUNDED_ROUTERS, Experts
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget
from convert.architectures.text_tower import Tower
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

_DEFAULTS = {
    "num_key_value_heads": 32,
    "hidden_act": "silu",
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
}


@dataclass(frozen=True)
class Qwen2(Architecture):
    """A Llama in its own order of rows, with biases on Q, K and V."""

    gguf_name = "qwen2"
    defaults = _DEFAULTS
    ropes: ClassVar = ("default", "linear", "dynamic", "yarn")
    """Kinds of RoPE that llama.cpp computes."""

    rope: Rope
    says_head: bool
    """config.json gives the size of a head, and so does the GGUF."""

    @classmethod
    def read(cls, config: JsonFile) -> Self:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        config.expect("hidden_act", "silu")
        config.refuse("use_sliding_window")
        if "sliding_attention" in (config.values.get("layer_types") or ()):
            raise ConvertError(
                f"{config.file}: `layer_types` has windows, which llama.cpp does not "
                "compute for this architecture"
            )
        return cls(
            sizes=Sizes.read(config),
            rope=read_rope(config).check(*cls.ropes),
            says_head=config.values.get("head_dim") is not None,
        ).checked(config)

    def checked(self, config: JsonFile) -> Self:
        """The architecture itself, if llama.cpp supports its settings."""
        self.sizes.whole_heads(config)
        return self

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        if self.says_head:
            self.sizes.write_head(writer)
        self.rope.write(writer)

    def beside_attention(self) -> dict[str, TensorTarget]:
        """Targets of the further weights in a layer."""
        queries, keys = (self.sizes.queries,), (self.sizes.keys,)
        return {
            "self_attn.q_proj.bias": TensorTarget("attn_q.bias", queries),
            "self_attn.k_proj.bias": TensorTarget("attn_k.bias", keys),
            "self_attn.v_proj.bias": TensorTarget("attn_v.bias", keys),
        }

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        return self.sizes.with_layers(self.layer())

    def layer(self) -> dict[str, TensorTarget]:
        """Targets of the weights of one layer."""
        norm = (self.sizes.hidden,)
        return {
            "input_layernorm.weight": TensorTarget("attn_norm.weight", norm),
            **self.sizes.attention_targets(),
            **self.beside_attention(),
            "post_attention_layernorm.weight": TensorTarget("ffn_norm.weight", norm),
            **self.sizes.feed_forward_targets(),
        }


@dataclass(frozen=True)
class Qwen3(Qwen2):
    """Without biases, with a norm on each head's query and key."""

    gguf_name = "qwen3"
    defaults = _DEFAULTS | {"head_dim": 128, "attention_bias": False}

    def checked(self, config: JsonFile) -> Self:
        """The architecture itself, if llama.cpp supports its settings."""
        config.refuse("attention_bias")
        return self

    def beside_attention(self) -> dict[str, TensorTarget]:
        """Targets of the norms of query and key."""
        head = (self.sizes.head,)
        return {
            "self_attn.q_norm.weight": TensorTarget("attn_q_norm.weight", head),
            "self_attn.k_norm.weight": TensorTarget("attn_k_norm.weight", head),
        }


@dataclass(frozen=True)
class Qwen3Moe(Qwen3):
    """A Qwen3 with experts in the place of its feed-forward."""

    gguf_name = "qwen3moe"
    defaults = _DEFAULTS | {
        "num_key_value_heads": 4,
        "attention_bias": False,
        "decoder_sparse_step": 1,
        "moe_intermediate_size": 768,
        "num_experts_per_tok": 8,
        "norm_topk_prob": False,
    }

    experts: Experts = Experts()

    def checked(self, config: JsonFile) -> Self:
        """The architecture itself, if llama.cpp supports its settings."""
        super().checked(config)
        config.expect("norm_topk_prob", True)
        config.expect("decoder_sparse_step", 1)
        config.refuse("mlp_only_layers")
        width = config.positive("moe_intermediate_size")
        return replace(self, experts=Experts.read(config, width))

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        self.experts.write(writer)
        writer.add_expert_feed_forward_length(self.experts.width)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        return (*super().notes, ROUNDED_ROUTERS)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        return self.sizes.with_layers(
            self.experts.in_place_of_feed_forward(self.layer(), self.sizes.hidden)
        )


@dataclass(frozen=True)
class Qwen25Vl(Tower, Qwen2):
    """The text tower of a Qwen2.5-VL: a Qwen2, as far as text goes.

    Its RoPE has parts for time, height and width, which are one number for text.
    Upstream's converter writes `qwen2vl`, for which llama.cpp leaves the epsilon of
    the norms out: with 1e-5 that is an NMSE of 5e-7, and as `qwen2` it is 1e-12.
    """

    defaults = _DEFAULTS | {
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
    }
    ropes = ("default", "mrope")
    flat = True

    def checked(self, config: JsonFile) -> Self:
        """The architecture itself, if llama.cpp supports its settings."""
        super().checked(config)
        sections = self.rope.settings.numbers("mrope_section")
        if len(sections) != 3 or 2 * sum(sections) != self.sizes.head:
            raise ConvertError(
                f"{config.file}: `mrope_section` is {list(sections)}; expected three "
                f"numbers whose sum is {self.sizes.head // 2}, half of a head"
            )
        return self
