"""Mistral, Ministral 3 and Mixtral: Llamas with windows, warmer attention, experts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gguf import GGUFWriter

from convert.architectures.experts import ROUNDED_ROUTERS, Experts
from convert.architectures.llama import Llama
from convert.architectures.target import Table
from convert.architectures.text_tower import Tower
from convert.hf_folder import JsonFile

_DEFAULTS = {
    "num_key_value_heads": 8,
    "hidden_act": "silu",
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "sliding_window": 4096,
    "head_dim": None,
}


@dataclass(frozen=True)
class Mistral(Llama):
    """A Llama by another name, with a window in its first version."""

    defaults = _DEFAULTS

    @classmethod
    def read(cls, config: JsonFile) -> Mistral:
        """Read a config.json; see `Llama.read`."""
        config = config.with_defaults(dict(cls.defaults))
        config.refuse("attention_bias", "mlp_bias", "layer_types")
        plain = super().read(config)
        assert isinstance(plain, Mistral)
        if config.values["sliding_window"] is None:
            return plain
        return replace(plain, window=config.positive("sliding_window"))


@dataclass(frozen=True)
class Ministral3(Mistral):
    """A Mistral whose attention sharpens with the position."""

    gguf_name = "mistral3"
    in_images = True
    defaults = _DEFAULTS | {
        "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-5,
        "head_dim": 128,
        "sliding_window": None,
    }

    sharpening: float = 0.0
    """Queries are scaled by 1 + so much x log(1 + position // original context)."""

    @classmethod
    def read(cls, config: JsonFile) -> Ministral3:
        """Read a config.json; see `Llama.read`."""
        plain = super().read(config)
        assert isinstance(plain, Ministral3)
        beta = plain.rope.settings.number("llama_4_scaling_beta", 0.0)
        if beta:
            plain.rope.check("yarn")  # llama.cpp takes the original context from it
        return replace(plain, sharpening=beta)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        if self.sharpening:
            writer.add_attn_temperature_scale(self.sharpening)


@dataclass(frozen=True)
class Mistral3Tower(Tower, Ministral3):
    """The text tower of Mistral Small 3.1 and of a Ministral 3 that sees images."""

    defaults = _DEFAULTS

    @classmethod
    def read(cls, config: JsonFile) -> Mistral3Tower:
        """Read a config.json; see `Tower.read`."""
        if text := config.part("text_config"):
            text.expect("model_type", "mistral", "ministral3")
        return super().read(config)


@dataclass(frozen=True)
class Mixtral(Mistral):
    """A Mistral with experts in the place of its feed-forward."""

    defaults = _DEFAULTS | {
        "rms_norm_eps": 1e-5,
        "sliding_window": None,
        "num_experts_per_tok": 2,
        "num_local_experts": 8,
        "rope_theta": 1e6,
    }

    experts: Experts = Experts()

    @classmethod
    def read(cls, config: JsonFile) -> Mixtral:
        """Read a config.json; see `Llama.read`."""
        config = config.with_defaults(dict(cls.defaults))
        plain = super().read(config)
        assert isinstance(plain, Mixtral)
        experts = Experts.read(config, plain.sizes.feed_forward)
        return replace(plain, experts=experts)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        self.experts.write(writer)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        return (*super().notes, ROUNDED_ROUTERS)

    @staticmethod
    def plain_name(name: str) -> str:
        """The tensor `name` as other models of experts spell it."""
        if ".block_sparse_moe." not in name:
            return name
        for theirs, plain in (("w1", "gate"), ("w2", "down"), ("w3", "up")):
            name = name.replace(f".{theirs}.", f".{plain}_proj.")
        return name.replace(".block_sparse_moe.", ".mlp.")

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        return self.sizes.with_layers(
            self.experts.in_place_of_feed_forward(self.layer(), self.sizes.hidden)
        )
