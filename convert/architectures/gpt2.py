"""GPT-2 and DistilGPT-2: learned positions, LayerNorm, weights stored (in, out)."""

from __future__ import annotations

from dataclasses import dataclass

from gguf import GGUFWriter

from convert.architectures.architecture import BUFFERS, MOST_LAYERS, Architecture, Sizes
from convert.architectures.target import Table, TensorTarget, each_layer
from convert.errors import ConvertError
from convert.hf_folder import JsonFile


@dataclass(frozen=True)
class Gpt2(Architecture):
    """A decoder of 2019: Conv1D for linears, biases everywhere."""

    gguf_name = "gpt2"
    defaults = {
        "n_positions": 1024,
        "n_inner": None,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
        "tie_word_embeddings": True,
    }
    ignored = (*BUFFERS, ".attn.bias", ".attn.masked_bias")
    embeddings = ("transformer.wte.weight", "wte.weight")

    @classmethod
    def read(cls, config: JsonFile) -> Gpt2:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        config.expect("activation_function", "gelu_new", "gelu_pytorch_tanh")
        config.expect("scale_attn_weights", True)
        config.refuse("scale_attn_by_inverse_layer_idx", "add_cross_attention")
        hidden, heads = config.positive("n_embd"), config.positive("n_head")
        layers = config.positive("n_layer")
        if hidden % heads or layers > MOST_LAYERS:
            raise ConvertError(
                f"{config.file}: {heads} heads do not divide `n_embd` {hidden} in "
                f"{layers} layers; the file is damaged"
            )
        return cls(
            Sizes(
                hidden=hidden,
                layers=layers,
                heads=heads,
                kv_heads=heads,
                head=hidden // heads,
                feed_forward=config.positive("n_inner", 4 * hidden),
                context=config.positive("n_positions"),
                vocabulary=config.positive("vocab_size"),
                norm_epsilon=config.number("layer_norm_epsilon"),
                tied=bool(config.values["tie_word_embeddings"]),
            )
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        writer.add_block_count(self.sizes.layers)
        writer.add_context_length(self.sizes.context)
        writer.add_embedding_length(self.sizes.hidden)
        writer.add_feed_forward_length(self.sizes.feed_forward)
        writer.add_head_count(self.sizes.heads)
        writer.add_layer_norm_eps(self.sizes.norm_epsilon)

    def targets_of(self, name: str) -> tuple[TensorTarget, ...]:
        """Targets of `name`; the first checkpoints had no `transformer.` before it."""
        bare = name.removeprefix("transformer.")
        return super().targets_of(
            name if bare.startswith("lm_head.") else f"transformer.{bare}"
        )

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        sizes = self.sizes
        hidden, inner = sizes.hidden, sizes.feed_forward
        layer: dict[str, TensorTarget] = {}
        for theirs, ours in (("ln_1", "attn_norm"), ("ln_2", "ffn_norm")):
            for part in ("weight", "bias"):
                layer[f"{theirs}.{part}"] = TensorTarget(f"{ours}.{part}", (hidden,))
        for theirs, ours, shape in (
            ("attn.c_attn", "attn_qkv", (hidden, 3 * hidden)),
            ("attn.c_proj", "attn_output", (hidden, hidden)),
            ("mlp.c_fc", "ffn_up", (hidden, inner)),
            ("mlp.c_proj", "ffn_down", (inner, hidden)),
        ):
            layer[f"{theirs}.weight"] = TensorTarget(
                f"{ours}.weight", shape, transposed=True
            )
            layer[f"{theirs}.bias"] = TensorTarget(f"{ours}.bias", shape[1:])
        return {
            **sizes.tables("transformer.wte.weight"),
            "transformer.wpe.weight": TensorTarget(
                "position_embd.weight", (sizes.context, hidden)
            ),
            "transformer.ln_f.weight": TensorTarget("output_norm.weight", (hidden,)),
            "transformer.ln_f.bias": TensorTarget("output_norm.bias", (hidden,)),
            **each_layer("transformer.h", layer, range(sizes.layers)),
        }
