"""gpt-oss: experts with biases, sinks in the attention, every other layer a window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.experts import ROUNDED_ROUTERS, Experts
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, Targets, TensorTarget, cut
from convert.architectures.windows import read_windows, write_windows
from convert.hf_folder import JsonFile, Weight
from convert.mxfp4 import MXFP4

_ROPE = {
    "rope_type": "yarn",
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}
"""RoPE settings that transformers takes where config.json gives none."""
_ROUNDED = (
    "llama.cpp, and so Ollama, rounds the bounds between which YaRN blends two "
    "frequencies, and this model does not (`truncate` false): some positions turn "
    "a little faster or slower, as in every GGUF of it. convert verify compares with "
    "the rounded bounds"
)


@dataclass(frozen=True)
class GptOss(Architecture):
    """Experts in the place of each feed-forward, all of a layer in one weight.

    The makers' own files have the experts in MXFP4, which a GGUF takes over bit for
    bit; files that were trained on have them in floats, turned and with gate and up in
    alternate columns.
    """

    gguf_name = "gpt-oss"
    defaults = {
        "num_key_value_heads": 8,
        "head_dim": 64,
        "hidden_act": "silu",
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 150000.0,
        "tie_word_embeddings": False,
        "attention_bias": True,
        "sliding_window": 128,
        "num_experts_per_tok": 4,
        "num_local_experts": 128,
        "swiglu_alpha": 1.702,
        "swiglu_limit": 7.0,
    }
    takes_mxfp4 = True
    experts_turned = True

    rope: Rope
    window: int
    windows: tuple[bool, ...]
    experts: Experts
    packed: bool = field(default=False, kw_only=True)
    """The experts are stored in MXFP4."""

    @classmethod
    def read(cls, config: JsonFile) -> GptOss:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        silent = not (config.part("rope_scaling") or config.part("rope_parameters"))
        given = {"rope_parameters": _ROPE} if silent else {}
        config = JsonFile(config.file, dict(cls.defaults) | config.values | given)
        config.expect("hidden_act", "silu")
        config.expect("attention_bias", True)
        config.expect("swiglu_alpha", 1.702)
        config.expect("swiglu_limit", 7.0)
        sizes = Sizes.read(config)
        return cls(
            sizes=sizes,
            rope=read_rope(config).check("default", "linear", "yarn", rounds=True),
            window=config.positive("sliding_window"),
            windows=read_windows(config, sizes.layers, 2),
            experts=Experts.read(config, sizes.feed_forward),
        )

    @property
    def rope_in_llama_cpp(self) -> dict[str, object]:
        """The note that llama.cpp rounds YaRN's bounds, where the model does not."""
        exact = self.rope.settings.values.get("truncate") is False
        return {"truncate": True} if exact and self.rope.kind == "yarn" else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        rounded = (_ROUNDED,) if self.rope_in_llama_cpp else ()
        return (*super().notes, *rounded, ROUNDED_ROUTERS)

    def over(self, weights: Iterable[Weight]) -> Self:
        """The architecture adjusted to the files: how they have the experts."""
        stored = [*weights]
        packed = any(weight.dtype == MXFP4 for weight in stored)
        return replace(super().over(stored), packed=packed)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.sizes.write_head(writer)
        self.rope.write(writer)
        self.experts.write(writer)
        writer.add_expert_feed_forward_length(self.experts.width)
        writer.add_sliding_window(self.window)
        write_windows(writer, self.windows, 2)

    def targets_of(self, name: str) -> tuple[TensorTarget, ...]:
        """GGUF targets of the tensor `name`, or of one expert's matrix in it."""
        return self.experts.target_of_one(name, self.sizes.hidden) or (
            super().targets_of(name)
        )

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        sizes = self.sizes
        norm = (sizes.hidden,)
        layer: dict[str, Targets] = {
            "input_layernorm.weight": TensorTarget("attn_norm.weight", norm),
            "self_attn.sinks": TensorTarget("attn_sinks.weight", (sizes.heads,)),
            "post_attention_layernorm.weight": TensorTarget(
                "post_attention_norm.weight", norm
            ),
            **self._experts(),
        }
        router = TensorTarget("ffn_gate_inp.weight", (self.experts.count, sizes.hidden))
        linear = {**sizes.attention_targets(), "mlp.router.weight": router}
        for name, target in linear.items():
            layer[name] = target
            layer[name.replace(".weight", ".bias")] = target.bias
        return sizes.with_layers(layer, always_head=True)

    def _experts(self) -> Table:
        """The two weights with their biases; gate and up alternate in the first."""
        count, width, hidden = self.experts.count, self.experts.width, self.sizes.hidden
        found: dict[str, Targets] = {}
        for name, rows, columns, parts in (
            ("gate_up_proj", 2 * width, hidden, ("gate", "up")),
            ("down_proj", hidden, width, ("down",)),
        ):
            turned = not self.packed
            each = (columns, rows) if turned else (rows, columns)
            grid = (-1, len(parts)) if len(parts) > 1 else ()
            weight = TensorTarget(
                "", (count, *each), grid, (1, 0), stacked=True, transposed=turned
            )
            for end, target in (
                ("", weight),
                ("_bias", replace(weight, shape=(count, rows), transposed=False)),
            ):
                suffix = "bias" if end else "weight"
                found[f"mlp.experts.{name}{end}"] = cut(
                    target,
                    *(
                        (f"ffn_{part}_exps.{suffix}", rows // len(parts))
                        for part in parts
                    ),
                )
        return found
