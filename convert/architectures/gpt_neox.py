"""GPT-NeoX and Pythia: attention and feed-forward side by side, Q, K, V in one."""

from __future__ import annotations

from dataclasses import dataclass

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget, each_layer
from convert.hf_folder import JsonFile


@dataclass(frozen=True)
class GptNeoX(Architecture):
    """LayerNorm, biases everywhere, a RoPE on a part of each head."""

    gguf_name = "gptneox"
    defaults = {
        "hidden_act": "gelu",
        "max_position_embeddings": 2048,
        "layer_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "use_parallel_residual": True,
        "attention_bias": True,
    }
    embeddings = ("gpt_neox.embed_in.weight",)

    rope: Rope
    parallel: bool
    """Attention and feed-forward both read what comes in."""

    @classmethod
    def read(cls, config: JsonFile) -> GptNeoX:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        named = {
            "rope_theta": config.number("rotary_emb_base", 10000.0),
            "partial_rotary_factor": config.number("rotary_pct", 0.25),
        }
        config = config.with_defaults(dict(cls.defaults) | named)
        config.expect("hidden_act", "gelu", "gelu_new", "gelu_fast")
        config.expect("attention_bias", True)
        sizes = Sizes.read(config, "layer_norm_eps")
        sizes.whole_heads(config)
        return cls(
            sizes=sizes,
            rope=read_rope(config).check("default", "linear", "dynamic", partial=True),
            parallel=bool(config.values["use_parallel_residual"]),
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        writer.add_context_length(self.sizes.context)
        writer.add_embedding_length(self.sizes.hidden)
        writer.add_block_count(self.sizes.layers)
        writer.add_feed_forward_length(self.sizes.feed_forward)
        writer.add_rope_dimension_count(int(self.rope.share * self.sizes.head))
        writer.add_head_count(self.sizes.heads)
        writer.add_parallel_residual(self.parallel)
        writer.add_layer_norm_eps(self.sizes.norm_epsilon)
        self.rope.write(writer)

    @staticmethod
    def plain_name(name: str) -> str:
        """The tensor `name` as the class has it: files call its output layer so."""
        return name.replace("embed_out.", "lm_head.", 1)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        sizes = self.sizes
        hidden, inner = sizes.hidden, sizes.feed_forward
        layer: dict[str, TensorTarget] = {}
        for theirs, ours, shape in (
            ("input_layernorm", "attn_norm", (hidden,)),
            ("attention.query_key_value", "attn_qkv", (3 * hidden, hidden)),
            ("attention.dense", "attn_output", (hidden, hidden)),
            ("post_attention_layernorm", "ffn_norm", (hidden,)),
            ("mlp.dense_h_to_4h", "ffn_up", (inner, hidden)),
            ("mlp.dense_4h_to_h", "ffn_down", (hidden, inner)),
        ):
            # Q, K and V stand together for each head; in a GGUF all of Q come first.
            grid = (sizes.heads, 3, -1) if ours == "attn_qkv" else ()
            axes = (1, 0, 2) if grid else ()
            for part, size in (("weight", shape), ("bias", shape[:1])):
                layer[f"{theirs}.{part}"] = TensorTarget(
                    f"{ours}.{part}", size, grid, axes
                )
        return {
            **sizes.tables("gpt_neox.embed_in.weight", always_head=True),
            "gpt_neox.final_layer_norm.weight": TensorTarget(
                "output_norm.weight", (hidden,)
            ),
            "gpt_neox.final_layer_norm.bias": TensorTarget(
                "output_norm.bias", (hidden,)
            ),
            **each_layer("gpt_neox.layers", layer, range(sizes.layers)),
        }
