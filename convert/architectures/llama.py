"""Llama: RMSNorm, RoPE, SwiGLU, grouped-query attention."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gguf import GGUFWriter

from convert.errors import ConvertError
from convert.hf_folder import Array, JsonFile

_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.weight")
_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_IN_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@dataclass(frozen=True)
class Llama:
    """The hyper-parameters of a Llama, as its config.json has them."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    context: int
    vocabulary: int
    norm_epsilon: float
    rope_base: float
    tied: bool
    """The output layer is the embedding; there is no tensor for it."""
    gguf_name: str = "llama"

    @classmethod
    def read(cls, config: JsonFile) -> Llama:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that is not supported here.
        """
        config.refuse("attention_bias", "mlp_bias")
        if config.values.get("hidden_act") != "silu":
            raise ConvertError(
                f"{config.file}: `hidden_act` is "
                f"{config.values.get('hidden_act')!r}; a llama GGUF computes silu"
            )
        hidden, heads = (
            config.integer("hidden_size"),
            config.integer("num_attention_heads"),
        )
        return cls(
            hidden=hidden,
            layers=config.integer("num_hidden_layers"),
            heads=heads,
            kv_heads=config.integer("num_key_value_heads", heads),
            head=config.integer("head_dim", hidden // heads),
            feed_forward=config.integer("intermediate_size"),
            context=config.integer("max_position_embeddings"),
            vocabulary=config.integer("vocab_size"),
            norm_epsilon=config.number("rms_norm_eps"),
            rope_base=_rope_base(config),
            tied=bool(config.values.get("tie_word_embeddings", False)),
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        writer.add_vocab_size(self.vocabulary)
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.hidden)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(self.feed_forward)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.kv_heads)
        if self.head * self.heads != self.hidden:
            writer.add_key_length(self.head)
            writer.add_value_length(self.head)
        writer.add_rope_dimension_count(self.head)
        writer.add_rope_freq_base(self.rope_base)
        writer.add_layer_norm_rms_eps(self.norm_epsilon)

    def tensor_name(self, name: str) -> str | None:
        """The GGUF name of the tensor `name`; `None` for one that is left out.

        Raises:
            ConvertError: nobody knows what it is.
        """
        if name == "lm_head.weight" and self.tied:
            return None
        if name in _OUTSIDE:
            return _OUTSIDE[name]
        if (match := _LAYER.fullmatch(name)) and match[2] in _IN_LAYER:
            return f"blk.{match[1]}.{_IN_LAYER[match[2]]}.weight"
        raise ConvertError(
            f"a llama has no tensor {name}; the model is of another architecture, or "
            "was changed by a tool that this converter does not know"
        )

    def all_tensors(self) -> set[str]:
        """The GGUF names of all the tensors that a whole model has."""
        outside = set(_OUTSIDE.values()) - ({"output.weight"} if self.tied else set())
        return outside | {
            f"blk.{layer}.{name}.weight"
            for layer in range(self.layers)
            for name in _IN_LAYER.values()
        }

    def reorder_rows(self, name: str, rows: Array) -> Array:
        """Q and K with the rows of each head interleaved.

        Transformers rotates the first half of a head against the second, llama.cpp
        each even row against the odd one after it. Of a LoRA on Q or K only B has
        these rows.
        """
        if name.endswith("q_proj.weight"):
            return _interleave(rows, self.heads)
        if name.endswith("k_proj.weight"):
            return _interleave(rows, self.kv_heads)
        return rows


def _interleave(rows: Array, heads: int) -> Array:
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _rope_base(config: JsonFile) -> float:
    """The base of RoPE: in `rope_parameters` since transformers 5, before beside it."""
    config.refuse("rope_scaling")
    parameters = config.values.get("rope_parameters")
    if parameters is None:
        return float(config.values.get("rope_theta", 10000.0))
    if parameters.get("rope_type", "default") != "default":
        raise ConvertError(
            f"{config.file}: RoPE of the type {parameters['rope_type']!r} is not "
            "supported; this converter writes the default one"
        )
    return float(parameters["rope_theta"])
