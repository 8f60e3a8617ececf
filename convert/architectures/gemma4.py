"""The text of Gemma 4: two sizes of heads, layers without keys, embeddings a layer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget, each_layer
from convert.architectures.text_tower import Tower
from convert.architectures.windows import WHOLE, WINDOW, read_windows
from convert.errors import ConvertError
from convert.foreign_forms import LLAMA_CPP
from convert.hf_folder import Array, JsonFile

_ROPE = {
    WINDOW: {"rope_type": "default", "rope_theta": 1e4},
    WHOLE: {
        "rope_type": "proportional",
        "partial_rotary_factor": 0.25,
        "rope_theta": 1e6,
    },
}
_NEVER = 1e30
"""Divides a frequency so that nothing turns."""
_OF_KEYS = re.compile(r"model\.layers\.(\d+)\.self_attn\.[kv]_(?:proj|norm)\.weight")


@dataclass(frozen=True)
class Gemma4(Architecture):
    """Text of Gemma 4: Gemma 3, with heads of another size in layers without a window.

    The last layers may look at the keys and values of earlier ones, and each layer may
    have an embedding of its own beside the one that all share.
    """

    gguf_name = "gemma4"
    in_images = True
    defaults = {
        "vocab_size": 262144,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "sliding_window": 512,
        "vocab_size_per_layer_input": 262144,
        "hidden_size_per_layer_input": 256,
        "attention_k_eq_v": False,
        "num_kv_shared_layers": 0,
        "enable_moe_block": False,
        "use_double_wide_mlp": False,
        "final_logit_softcapping": None,
    }

    rope: Rope
    window_rope: Rope
    window: int
    windows: tuple[bool, ...]
    whole: Sizes
    """Sizes of the layers without a window."""
    with_keys: int
    """So many layers have keys and values; those after them look at theirs."""
    keys_are_values: bool
    """Whether keys serve as values too, in the layers without a window."""
    of_layer: int
    """Width of each layer's own embedding; 0: there are none."""
    output_cap: float | None

    @classmethod
    def read(cls, config: JsonFile) -> Self:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        given = {} if config.part("rope_parameters") else {"rope_parameters": _ROPE}
        config = JsonFile(config.file, dict(cls.defaults) | config.values | given)
        config.expect("hidden_activation", "gelu_pytorch_tanh")
        config.expect("use_bidirectional_attention", None, "vision")
        config.refuse("attention_bias")
        if config.values["enable_moe_block"]:
            raise ConvertError(
                f"{config.file}: a Gemma 4 with experts (`enable_moe_block`), which "
                f"this converter does not write; {LLAMA_CPP}"
            )
        sizes = Sizes.read(config)
        windows = (*read_windows(config, sizes.layers, 6)[:-1], False)
        shared = config.integer("num_kv_shared_layers", 0)
        of_layer = config.integer("hidden_size_per_layer_input", 0)
        if of_layer:
            config.expect("vocab_size_per_layer_input", sizes.vocabulary)
        wide = sizes.feed_forward * (1 + bool(config.values["use_double_wide_mlp"]))
        alone = range(sizes.layers - shared)
        whole = _whole(config, sizes, windows)
        cap = config.values["final_logit_softcapping"]
        return cls(
            sizes=replace(
                sizes,
                kv_of_layers=()
                if whole.kv_heads == sizes.kv_heads
                else tuple(sizes.kv_heads if w else whole.kv_heads for w in windows),
                feed_forward_of_layers=()
                if wide == sizes.feed_forward
                else tuple(
                    sizes.feed_forward if n in alone else wide
                    for n in range(sizes.layers)
                ),
            ),
            rope=_even(read_rope(config, WHOLE).check("proportional", partial=True)),
            window_rope=read_rope(config, WINDOW).check("default"),
            window=config.positive("sliding_window"),
            windows=windows,
            whole=whole,
            with_keys=len(alone),
            keys_are_values=bool(config.values["attention_k_eq_v"]),
            of_layer=of_layer,
            output_cap=config.number("final_logit_softcapping") if cap else None,
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.whole.write_head(writer)
        writer.add_key_length_swa(self.sizes.head)
        writer.add_value_length_swa(self.sizes.head)
        writer.add_rope_dimension_count(self.whole.head)
        writer.add_rope_dimension_count_swa(self.sizes.head)
        self.rope.write(writer)
        writer.add_rope_freq_base_swa(self.window_rope.base)
        writer.add_sliding_window(self.window)
        writer.add_sliding_window_pattern(list(self.windows))
        writer.add_shared_kv_layers(self.sizes.layers - self.with_keys)
        writer.add_embedding_length_per_layer_input(self.of_layer)
        if self.output_cap is not None:
            writer.add_final_logit_softcapping(self.output_cap)

    @property
    def extra(self) -> dict[str, Array]:
        """Factors that rotate only a part of each head, in layers without a window."""
        turned = int(self.rope.share * self.whole.head // 2)
        factors = np.full(self.whole.head // 2, _NEVER, np.float32)
        factors[:turned] = 1
        return {"rope_freqs.weight": factors}

    def unused(self, name: str) -> str:
        """Why nothing computes with the tensor `name`; see `Architecture.unused`."""
        match = _OF_KEYS.fullmatch(self.plain_name(name))
        if match and self.with_keys <= int(match[1]) < self.sizes.layers:
            return "its layer looks at the keys and values of an earlier one"
        return ""

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        found = dict(self.sizes.with_layers({}))
        for number, windowed in enumerate(self.windows):
            sizes = self.sizes if windowed else self.whole
            layer = {**self._attention(sizes, number), **self._rest(number)}
            found |= each_layer("model.layers", layer, (number,))
        if self.of_layer:
            wide = self.of_layer * self.sizes.layers
            table = (self.sizes.vocabulary, wide)
            for name, ours, shape in (
                ("embed_tokens_per_layer", "per_layer_token_embd", table),
                (
                    "per_layer_model_projection",
                    "per_layer_model_proj",
                    (wide, self.sizes.hidden),
                ),
                (
                    "per_layer_projection_norm",
                    "per_layer_proj_norm",
                    (self.of_layer,),
                ),
            ):
                target = TensorTarget(f"{ours}.weight", shape, takes_lora=False)
                found[f"model.{name}.weight"] = (target,)
        return found

    def _attention(self, sizes: Sizes, layer: int) -> Table:
        head = (sizes.head,)
        found = {
            **sizes.attention_targets(),
            "self_attn.q_norm.weight": TensorTarget("attn_q_norm.weight", head),
            "self_attn.k_norm.weight": TensorTarget("attn_k_norm.weight", head),
        }
        gone: tuple[str, ...] = ()
        if layer >= self.with_keys:
            gone = ("k_proj", "v_proj", "k_norm")
        elif self.keys_are_values and not self.windows[layer]:
            gone = ("v_proj",)
        return {n: t for n, t in found.items() if n.split(".")[1] not in gone}

    def _rest(self, layer: int) -> Table:
        widths = self.sizes.feed_forward_of_layers
        width = widths[layer] if widths else self.sizes.feed_forward
        norm = (self.sizes.hidden,)
        found = {
            name: TensorTarget(f"{ours}.weight", norm)
            for name, ours in (
                ("input_layernorm.weight", "attn_norm"),
                ("post_attention_layernorm.weight", "post_attention_norm"),
                ("pre_feedforward_layernorm.weight", "ffn_norm"),
                ("post_feedforward_layernorm.weight", "post_ffw_norm"),
            )
        } | {"layer_scalar": TensorTarget("layer_output_scale.weight", (1,))}
        found |= replace(self.sizes, feed_forward=width).feed_forward_targets()
        if self.of_layer:
            inner = (self.of_layer, self.sizes.hidden)
            found |= {
                "per_layer_input_gate.weight": TensorTarget("inp_gate.weight", inner),
                "per_layer_projection.weight": TensorTarget("proj.weight", inner[::-1]),
                "post_per_layer_input_norm.weight": TensorTarget(
                    "post_norm.weight", norm
                ),
            }
        return found


@dataclass(frozen=True)
class Gemma4Tower(Tower, Gemma4):
    """The text tower of a Gemma 4 that sees images and hears."""


def _whole(config: JsonFile, sizes: Sizes, windows: tuple[bool, ...]) -> Sizes:
    """Sizes of the layers without a window, as the makers or transformers say them."""
    said = config.part("per_layer_config")
    if said is not None:
        layer = said.part(str(windows.index(False))) or JsonFile(config.file, {})
        head = layer.integer("head_dim", sizes.head)
        keys = layer.integer("num_key_value_heads", sizes.kv_heads)
    else:
        head = config.positive("global_head_dim", 512)
        keys = sizes.kv_heads
        if config.values["attention_k_eq_v"]:
            keys = config.integer("num_global_key_value_heads", keys)
    if head < 2 or head % 2 or keys < 1 or sizes.heads % keys:
        raise ConvertError(
            f"{config.file}: {sizes.heads} heads of {head} with {keys} of keys in the "
            "layers without a window cannot be; the file is damaged"
        )
    return replace(sizes, head=head, kv_heads=keys)


def _even(rope: Rope) -> Rope:
    """Refuse a scaling, which llama.cpp does not compute beside a part of the head."""
    rope.settings.expect("factor", None, 1, 1.0)
    return rope
