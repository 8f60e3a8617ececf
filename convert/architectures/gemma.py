"""Gemma 1, 2 and the text of Gemma 3: norms that scale by 1 + weight, windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose
from typing import NoReturn, Self

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget, as_tuple
from convert.architectures.text_tower import Tower
from convert.architectures.windows import WHOLE, WINDOW, read_windows, write_windows
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

_DEFAULTS = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
}


@dataclass(frozen=True)
class Gemma1(Architecture):
    """A Llama with a scaled embedding and GELU in the place of SiLU.

    Both sides take GELU's form with tanh; llama.cpp looks it up in a table of float16,
    which is an NMSE of 1e-7, and of 3e-10 where the reference has the same table.
    """

    gguf_name = "gemma"
    defaults = {
        "num_key_value_heads": 16,
        "head_dim": 256,
        "hidden_act": "gelu_pytorch_tanh",
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "attention_bias": False,
    }

    rope: Rope

    @classmethod
    def read(cls, config: JsonFile) -> Gemma1:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        # transformers takes the first name for the second in this model.
        config.expect("hidden_act", "gelu", "gelu_pytorch_tanh")
        config.refuse("attention_bias", "use_bidirectional_attention")
        sizes = Sizes.read(config)
        _require_tied(config, sizes)
        return cls(sizes=sizes, rope=read_rope(config).check("default"))

    def with_head(self, found: str) -> NoReturn:
        """Refuse an output layer of its own.

        Raises:
            ConvertError: always.
        """
        raise _one_tensor(found)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.sizes.write_head(writer)
        _write_base(writer, self.rope)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        norm = (self.sizes.hidden,)
        return _plus_one(
            self.sizes.with_layers(
                {
                    "input_layernorm.weight": TensorTarget("attn_norm.weight", norm),
                    **self.sizes.attention_targets(),
                    "post_attention_layernorm.weight": TensorTarget(
                        "ffn_norm.weight", norm
                    ),
                    **self.sizes.feed_forward_targets(),
                }
            )
        )


@dataclass(frozen=True)
class Gemma2(Architecture):
    """Norms before and after each block, capped logits, every other layer a window."""

    gguf_name = "gemma2"
    defaults = _DEFAULTS | {
        "max_position_embeddings": 8192,
        "final_logit_softcapping": 30.0,
        "attn_logit_softcapping": 50.0,
    }

    rope: Rope
    window: int
    windows: tuple[bool, ...]
    """For each layer, whether it looks back no further than `window`."""
    attention_cap: float
    output_cap: float

    @classmethod
    def read(cls, config: JsonFile) -> Gemma2:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        sizes = _read_sizes(config, scaled_by_width_at=46)
        _require_tied(config, sizes)
        return cls(
            sizes=sizes,
            rope=read_rope(config).check("default"),
            window=config.positive("sliding_window"),
            windows=read_windows(config, sizes.layers, 2),
            attention_cap=config.number("attn_logit_softcapping"),
            output_cap=config.number("final_logit_softcapping"),
        )

    def with_head(self, found: str) -> NoReturn:
        """Refuse an output layer of its own.

        Raises:
            ConvertError: always.
        """
        raise _one_tensor(found)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.sizes.write_head(writer)
        writer.add_attn_logit_softcapping(self.attention_cap)
        writer.add_final_logit_softcapping(self.output_cap)
        writer.add_sliding_window(self.window)
        write_windows(writer, self.windows, 2)
        _write_base(writer, self.rope)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        return _targets(self.sizes, {})


@dataclass(frozen=True)
class Gemma3(Architecture):
    """Gemma 3: Gemma 2 with norms on Q and K and a RoPE of its own for the windows."""

    gguf_name = "gemma3"
    in_images = True
    defaults = _DEFAULTS | {
        "vocab_size": 262208,
        "max_position_embeddings": 131072,
        "final_logit_softcapping": None,
        "attn_logit_softcapping": None,
    }

    rope: Rope
    window_rope: Rope
    window: int
    windows: tuple[bool, ...]
    output_cap: float | None

    @classmethod
    def read(cls, config: JsonFile) -> Self:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults(dict(cls.defaults))
        sizes = _read_sizes(config, scaled_by_width_at=62)
        config.refuse("attn_logit_softcapping")
        pattern = config.positive("sliding_window_pattern", 6)
        cap = config.values.get("final_logit_softcapping")
        return cls(
            sizes=sizes,
            rope=_gemma3_rope(config, WHOLE, "rope_theta", 1e6).check(
                "default", "linear"
            ),
            window_rope=_gemma3_rope(config, WINDOW, "rope_local_base_freq", 1e4).check(
                "default"
            ),
            window=config.positive("sliding_window"),
            windows=read_windows(config, sizes.layers, pattern),
            output_cap=config.number("final_logit_softcapping") if cap else None,
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.sizes.write_head(writer)
        self.rope.write(writer)
        writer.add_rope_freq_base_swa(self.window_rope.base)
        writer.add_sliding_window(self.window)
        write_windows(writer, self.windows, 6)
        if self.output_cap is not None:
            writer.add_final_logit_softcapping(self.output_cap)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        head = (self.sizes.head,)
        return _targets(
            self.sizes,
            {
                "self_attn.q_norm.weight": TensorTarget("attn_q_norm.weight", head),
                "self_attn.k_norm.weight": TensorTarget("attn_k_norm.weight", head),
            },
        )


@dataclass(frozen=True)
class Gemma3Tower(Tower, Gemma3):
    """The text tower of a Gemma 3 that sees images."""


def _write_base(writer: GGUFWriter, rope: Rope) -> None:
    if rope.base != 10000:  # what llama.cpp takes where nothing is said
        writer.add_rope_freq_base(rope.base)


def _require_tied(config: JsonFile, sizes: Sizes) -> None:
    if not sizes.tied:
        raise _one_tensor(
            f"{config.file}: the output layer is not the embedding "
            "(`tie_word_embeddings`)"
        )


def _one_tensor(found: str) -> ConvertError:
    return ConvertError(
        f"{found}; llama.cpp computes a Gemma 1 or 2 with one tensor for both, and "
        "would answer differently. Use the model with transformers, or train it "
        "without the output layer among the trained modules"
    )


def _read_sizes(config: JsonFile, scaled_by_width_at: int) -> Sizes:
    """The sizes, where llama.cpp computes them.

    It scales attention by the size of a head, but by hidden / heads in the model
    whose layers are `scaled_by_width_at`: it knows the largest of a family by them.
    """
    config.expect("hidden_activation", "gelu_pytorch_tanh")
    config.refuse("attention_bias", "use_bidirectional_attention")
    sizes = Sizes.read(config)
    by_width = sizes.layers == scaled_by_width_at
    computed = sizes.hidden // sizes.heads if by_width else sizes.head
    if not isclose(config.number("query_pre_attn_scalar"), computed):
        raise ConvertError(
            f"{config.file}: `query_pre_attn_scalar` is "
            f"{config.values['query_pre_attn_scalar']}; llama.cpp computes with "
            f"{computed} for a model of this shape, and would answer differently"
        )
    return sizes


def _gemma3_rope(config: JsonFile, layers: str, key: str, base: float) -> Rope:
    """The RoPE of `layers`; before transformers 5 the base stood under `key`.

    The scaling that stood beside it was that of the layers without a window.
    """
    new = config.part("rope_parameters")
    old = config.part("rope_scaling") if layers == WHOLE else None
    part = (new.part(layers) if new else None) or JsonFile(config.file, {})
    values = {"rope_theta": config.number(key, base)} | part.values
    if old:
        values |= old.values
    return read_rope(
        JsonFile(
            config.file,
            {
                "rope_parameters": values,
                "max_position_embeddings": config.values["max_position_embeddings"],
            },
        )
    )


def _targets(sizes: Sizes, beside: Table) -> Table:
    norm = (sizes.hidden,)
    layer = {
        "input_layernorm.weight": TensorTarget("attn_norm.weight", norm),
        **sizes.attention_targets(),
        **beside,
        "post_attention_layernorm.weight": TensorTarget(
            "post_attention_norm.weight", norm
        ),
        "pre_feedforward_layernorm.weight": TensorTarget("ffn_norm.weight", norm),
        **sizes.feed_forward_targets(),
        "post_feedforward_layernorm.weight": TensorTarget("post_ffw_norm.weight", norm),
    }
    return _plus_one(sizes.with_layers(layer))


def _plus_one(table: Table) -> Table:
    """The `table` with 1 added to all norms."""
    return {
        name: tuple(replace(one, add=1.0) for one in as_tuple(targets))
        if name.endswith("norm.weight")
        else targets
        for name, targets in table.items()
    }
