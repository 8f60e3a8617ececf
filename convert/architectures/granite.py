"""Granite 3 and the dense ones of Granite 4: a Llama whose parts are scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gguf import GGUFWriter

from convert.architectures.llama import Llama
from convert.architectures.target import Table, TensorTarget, cut
from convert.errors import ConvertError
from convert.foreign_forms import LLAMA_CPP
from convert.hf_folder import JsonFile

_DEFAULTS = {
    "num_key_value_heads": None,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "embedding_multiplier": 1.0,
    "logits_scaling": 1.0,
    "residual_multiplier": 1.0,
    "attention_multiplier": 1.0,
}


@dataclass(frozen=True)
class Scales:
    """What embedding, attention, each layer's part and the logits are scaled by."""

    embedding: float = 1.0
    attention: float = 1.0
    residual: float = 1.0
    logits: float = 1.0
    """Divided by it."""

    @classmethod
    def read(cls, config: JsonFile) -> Scales:
        """Read a config.json.

        Raises:
            ConvertError: one is not above 0: 0 is llama.cpp's sign for none.
        """
        keys = (
            "embedding_multiplier",
            "attention_multiplier",
            "residual_multiplier",
            "logits_scaling",
        )
        for key in keys:
            if not config.number(key) > 0:
                raise ConvertError(
                    f"{config.file}: `{key}` is {config.values[key]}; expected a "
                    "number above 0"
                )
        return cls(*(config.number(key) for key in keys))

    def write(self, writer: GGUFWriter) -> None:
        """Write them."""
        writer.add_attention_scale(self.attention)
        writer.add_embedding_scale(self.embedding)
        writer.add_residual_scale(self.residual)
        writer.add_logit_scale(self.logits)


@dataclass(frozen=True)
class Granite(Llama):
    """A Llama with four scales."""

    gguf_name = "granite"
    defaults = _DEFAULTS | {"mlp_bias": False}

    scales: Scales = Scales()

    @classmethod
    def read(cls, config: JsonFile) -> Granite:
        """Read a config.json; see `Llama.read`."""
        config = config.with_defaults(dict(cls.defaults))
        plain = super().read(config)
        assert isinstance(plain, Granite)
        return replace(plain, scales=Scales.read(config))

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        self.scales.write(writer)


@dataclass(frozen=True)
class GraniteDense(Granite):
    """A Granite 4 of attention alone, without experts: gate and up are one weight."""

    defaults = _DEFAULTS | {
        "num_local_experts": 8,
        "shared_intermediate_size": 1024,
        "position_embedding_type": None,
    }

    rotated: bool = True
    """Positions are told to the attention."""

    @classmethod
    def read(cls, config: JsonFile) -> GraniteDense:
        """Read a config.json.

        Raises:
            ConvertError: it has experts or layers of another kind, or is one that
                `Llama.read` refuses.
        """
        config = config.with_defaults(dict(cls.defaults))
        config.refuse("num_local_experts")
        config.expect("position_embedding_type", None, "rope")
        layers = config.values.get("layer_types") or ["mamba"]
        if others := {*layers} - {"attention", "full_attention"}:
            raise ConvertError(
                f"{config.file}: `layer_types` has {min(others)}, which this converter "
                f"does not write; {LLAMA_CPP}"
            )
        width = {"intermediate_size": config.values["shared_intermediate_size"]}
        plain = super().read(JsonFile(config.file, config.values | width))
        assert isinstance(plain, GraniteDense)
        rotated = config.values["position_embedding_type"] == "rope"
        return replace(plain, rotated=rotated)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        writer.add_rope_scaling_finetuned(self.rotated)

    def place_weights(self) -> Table:
        """Where each weight goes."""
        inner, hidden = self.sizes.feed_forward, self.sizes.hidden
        both = TensorTarget("", (2 * inner, hidden))
        layer = {n: t for n, t in self.layer().items() if not n.startswith("mlp.")} | {
            "shared_mlp.input_linear.weight": cut(
                both, ("ffn_gate.weight", inner), ("ffn_up.weight", inner)
            ),
            "shared_mlp.output_linear.weight": TensorTarget(
                "ffn_down.weight", (hidden, inner)
            ),
        }
        return self.sizes.with_layers(layer)
