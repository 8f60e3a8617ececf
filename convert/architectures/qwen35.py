"""Qwen3.5: most layers keep a state (gated delta net), some look back; experts too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from gguf import GGUFWriter

from convert.architectures.architecture import Architecture, Sizes
from convert.architectures.experts import ROUNDED_ROUTERS, Experts
from convert.architectures.rope import Rope, read_rope
from convert.architectures.target import Table, TensorTarget, each_layer
from convert.architectures.text_tower import Tower, plain_name
from convert.architectures.windows import every, layers_of
from convert.errors import ConvertError
from convert.hf_folder import JsonFile, Weight

_STATE = "linear_attention"
_EPSILON = 1e-6
"""Of the lengths of queries and keys, in transformers; llama.cpp takes the norms'."""
_AHEAD = re.compile(r"(?:model\.)?mtp\.")
"""Names of the parts that guess the tokens after the next one."""
_DEFAULTS = {
    "vocab_size": 248320,
    "num_attention_heads": 16,
    "hidden_act": "silu",
    "max_position_embeddings": 32768,
    "rms_norm_eps": _EPSILON,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "head_dim": 256,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
}


@dataclass(frozen=True)
class DeltaNet:
    """Sizes of the layers that keep a state: linear attention with a gated delta rule.

    Each head of keys serves several of values. In the files those of one head of keys
    stand together; llama.cpp has the first of each head of keys, then the second, ...
    """

    key_heads: int
    value_heads: int
    head: int
    kernel: int
    """Tokens that the convolution sees."""

    @classmethod
    def read(cls, config: JsonFile) -> DeltaNet:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        found = cls(
            key_heads=config.positive("linear_num_key_heads"),
            value_heads=config.positive("linear_num_value_heads"),
            head=config.positive("linear_key_head_dim"),
            kernel=config.positive("linear_conv_kernel_dim"),
        )
        config.expect("linear_value_head_dim", found.head)
        if found.value_heads % found.key_heads:
            raise ConvertError(
                f"{config.file}: {found.key_heads} heads of keys cannot serve "
                f"{found.value_heads} of values; the file is damaged"
            )
        return found

    @property
    def inner(self) -> int:
        """Width of all heads of values."""
        return self.value_heads * self.head

    def write(self, writer: GGUFWriter) -> None:
        """Write the sizes, under the keys that Mamba has too."""
        writer.add_ssm_conv_kernel(self.kernel)
        writer.add_ssm_state_size(self.head)
        writer.add_ssm_group_count(self.key_heads)
        writer.add_ssm_time_step_rank(self.value_heads)
        writer.add_ssm_inner_size(self.inner)

    def targets(self, hidden: int) -> dict[str, TensorTarget]:
        """Targets of one layer's weights, in a model of the width `hidden`."""
        keys = 2 * self.key_heads * self.head  # of queries and keys
        mixed, heads = keys + self.inner, self.value_heads
        wide, one = self.head, 1
        of_heads, matrix = (heads,), (heads, hidden)
        found = {
            "in_proj_qkv.weight": self._by_turns(
                TensorTarget("attn_qkv.weight", (mixed, hidden)), wide, keys
            ),
            "in_proj_z.weight": self._by_turns(
                TensorTarget("attn_gate.weight", (self.inner, hidden)), wide
            ),
            "in_proj_b.weight": self._by_turns(
                TensorTarget("ssm_beta.weight", matrix), one
            ),
            "in_proj_a.weight": self._by_turns(
                TensorTarget("ssm_alpha.weight", matrix), one
            ),
            "conv1d.weight": self._by_turns(
                TensorTarget(
                    "ssm_conv1d.weight",
                    (mixed, 1, self.kernel),
                    reshaped=(mixed, self.kernel),
                ),
                wide,
                keys,
            ),
            "dt_bias": self._by_turns(TensorTarget("ssm_dt.bias", of_heads), one),
            "A_log": self._by_turns(
                TensorTarget("ssm_a", of_heads, logarithm=True), one
            ),
            "norm.weight": TensorTarget("ssm_norm.weight", (self.head,)),
            "out_proj.weight": replace(
                self._by_turns(
                    TensorTarget("ssm_out.weight", (hidden, self.inner)), wide
                ),
                of_columns=True,
            ),
        }
        return {f"linear_attn.{name}": target for name, target in found.items()}

    def _by_turns(
        self, target: TensorTarget, width: int, first: int = 0
    ) -> TensorTarget:
        """The `target` with the rows of its heads of values as llama.cpp has them.

        Args:
            target: of rows of queries and keys, perhaps, and of values.
            width: rows of a head.
            first: row of the values.
        """
        each = self.value_heads // self.key_heads
        grid = (self.key_heads, each, width)
        return replace(target, grid=grid, axes=(1, 0, 2), first=first)


@dataclass(frozen=True)
class Qwen35(Architecture):
    """A Qwen3 with a gate on its attention, and a state in the place of most of it.

    Its RoPE turns a part of each head, and has numbers for time, height and width,
    which are one for text.
    """

    gguf_name = "qwen35"
    in_images = True
    defaults = _DEFAULTS | {
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 32,
        "num_key_value_heads": 4,
    }

    rope: Rope
    sections: tuple[int, ...]
    """How many pairs of a head each of the three numbers turns."""
    delta: DeltaNet
    states: tuple[bool, ...]
    """Of each layer, whether it keeps a state."""
    ahead: int = field(default=0, kw_only=True)
    """Tensors of the parts that guess further tokens, which are left out."""

    @classmethod
    def read(cls, config: JsonFile) -> Self:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config = config.with_defaults({"partial_rotary_factor": 0.25, **cls.defaults})
        config.expect("hidden_act", "silu")
        config.expect("rms_norm_eps", _EPSILON)
        config.refuse("attention_bias")
        sizes = Sizes.read(config)
        rope = read_rope(config).check("default", "yarn", partial=True)
        return cls(
            sizes=sizes,
            rope=rope,
            sections=_sections(rope, int(sizes.head * rope.share)),
            delta=DeltaNet.read(config),
            states=_states(config, sizes.layers),
        )

    def over(self, weights: Iterable[Weight]) -> Self:
        """The architecture adjusted to the files; what guesses ahead is counted."""
        stored = [*weights]
        ahead = sum(_guesses(self.plain_name(weight.name)) for weight in stored)
        return replace(super().over(stored), ahead=ahead)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        self.sizes.write(writer)
        self.sizes.write_head(writer)
        self.rope.write(writer)
        writer.add_rope_dimension_count(int(self.sizes.head * self.rope.share))
        writer.add_rope_dimension_sections([*self.sections, 0])
        self.delta.write(writer)
        writer.add_array(
            f"{self.gguf_name}.attention.recurrent_layers", list(self.states)
        )
        interval = (*self.states, False).index(False) + 1
        if self.states == every(interval, self.sizes.layers):  # older programs' way
            writer.add_full_attention_interval(interval)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        said = (
            f"the part that guesses further tokens ahead (`mtp`, {self.ahead} "
            "tensors) is left out; transformers leaves it out too, and no answer "
            "changes by it"
        )
        return (*super().notes, *((said,) if self.ahead else ()))

    def unused(self, name: str) -> str:
        """Why nothing computes with the tensor `name`; see `Architecture.unused`."""
        guesses = _guesses(self.plain_name(name))
        return "it guesses further tokens ahead, and no answer changes" * guesses

    @staticmethod
    def plain_name(name: str) -> str:
        """The tensor `name` as the class of the text model has it in memory.

        transformers saves what it took out of the whole model under its names there.
        """
        return plain_name(name)

    def place_weights(self) -> Table:
        """Where each weight goes."""
        sizes = self.sizes
        found = dict(sizes.with_layers({}))
        found["model.norm.weight"] = self._norm("output_norm", sizes.hidden)
        both = {True: self.delta.targets(sizes.hidden), False: self._attention()}
        rest = {
            "input_layernorm.weight": self._norm("attn_norm", sizes.hidden),
            "post_attention_layernorm.weight": self._norm(
                "post_attention_norm", sizes.hidden
            ),
            **self.feed_forward(),
        }
        for number, keeps_state in enumerate(self.states):
            table = {**both[keeps_state], **rest}
            found |= each_layer("model.layers", table, (number,))
        return found

    def feed_forward(self) -> Table:
        """Targets of what follows attention or state in each layer."""
        return self.sizes.feed_forward_targets()

    def _attention(self) -> dict[str, TensorTarget]:
        """Targets of a layer that looks back; with each head's query lies its gate."""
        sizes = self.sizes
        return {
            **sizes.attention_targets(),
            "self_attn.q_proj.weight": TensorTarget(
                "attn_q.weight", (2 * sizes.queries, sizes.hidden)
            ),
            "self_attn.q_norm.weight": self._norm("attn_q_norm", sizes.head),
            "self_attn.k_norm.weight": self._norm("attn_k_norm", sizes.head),
        }

    @staticmethod
    def _norm(name: str, width: int) -> TensorTarget:
        return TensorTarget(f"{name}.weight", (width,), add=1.0)


@dataclass(frozen=True)
class Qwen35Moe(Qwen35):
    """A Qwen3.5 with experts, and one beside them that sees each token."""

    gguf_name = "qwen35moe"
    defaults = _DEFAULTS | {
        "hidden_size": 2048,
        "num_hidden_layers": 40,
        "num_key_value_heads": 2,
        "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512,
        "num_experts_per_tok": 8,
        "num_experts": 256,
    }

    experts: Experts = Experts()
    shared_width: int = 0
    """Of the expert that sees each token."""
    stacked: bool = field(default=True, kw_only=True)
    """The files have the matrices of all experts of a layer in one tensor."""

    @classmethod
    def read(cls, config: JsonFile) -> Self:
        """Read a config.json; see `Qwen35.read`."""
        config = config.with_defaults(dict(cls.defaults))
        width = config.positive("moe_intermediate_size")
        plain = super().read(config.with_defaults({"intermediate_size": width}))
        return replace(
            plain,
            experts=Experts.read(config, width),
            shared_width=config.positive("shared_expert_intermediate_size"),
        )

    def over(self, weights: Iterable[Weight]) -> Self:
        """The architecture adjusted to the files, which hold experts in two ways."""
        stored = [*weights]
        one = any(weight.name.endswith(".experts.gate_up_proj") for weight in stored)
        return replace(super().over(stored), stacked=one)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        self.experts.write(writer)
        writer.add_expert_feed_forward_length(self.experts.width)
        writer.add_expert_shared_feed_forward_length(self.shared_width)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        return (*super().notes, ROUNDED_ROUTERS)

    def targets_of(self, name: str) -> tuple[TensorTarget, ...]:
        """GGUF targets of the tensor `name`, or of one expert's matrix in it."""
        one = self.experts.target_of_one(self.plain_name(name), self.sizes.hidden)
        return (self.stacked and one) or super().targets_of(name)

    def feed_forward(self) -> Table:
        """Targets of router, experts, and the expert that sees each token."""
        hidden = self.sizes.hidden
        shared = replace(self.sizes, feed_forward=self.shared_width)
        found: dict[str, TensorTarget | tuple[TensorTarget, ...]] = {
            name.replace("mlp.", "mlp.shared_expert."): replace(
                target, name=target.name.replace(".weight", "_shexp.weight")
            )
            for name, target in shared.feed_forward_targets().items()
        }
        found["mlp.shared_expert_gate.weight"] = TensorTarget(
            "ffn_gate_inp_shexp.weight", (1, hidden)
        )
        if self.stacked:
            return {**found, **self.experts.stacked(hidden, "mlp.gate")}
        return {**found, **self.experts.in_place_of_feed_forward({}, hidden)}


@dataclass(frozen=True)
class Qwen35Tower(Tower, Qwen35):
    """The text tower of a Qwen3.5 that sees images."""


@dataclass(frozen=True)
class Qwen35MoeTower(Tower, Qwen35Moe):
    """The text tower of a Qwen3.5 with experts that sees images."""


def _guesses(name: str) -> bool:
    return _AHEAD.match(name) is not None


def _states(config: JsonFile, layers: int) -> tuple[bool, ...]:
    interval = config.positive("full_attention_interval", 4)
    return layers_of(_STATE, config, layers, interval)


def _sections(rope: Rope, turned: int) -> tuple[int, ...]:
    """How many pairs of a head time, height and width turn.

    llama.cpp deals them out by turns, and takes 0 for the place of a token where none
    of the three is left.
    """
    if rope.settings.values.get("mrope_section") is None:
        found: list[float] = [11, 11, 10]
    else:
        found = rope.settings.numbers("mrope_section")
    pairs = range(turned // 2)
    if len(found) != 3 or [len(pairs[n::3]) for n in range(3)] != found:
        wanted = [len(pairs[n::3]) for n in range(3)]
        raise ConvertError(
            f"{rope.settings.file}: `mrope_section` is {found}; llama.cpp turns "
            f"{len(pairs)} pairs of each head by turns, which is {wanted}, and would "
            "answer differently"
        )
    return tuple(int(n) for n in found)
