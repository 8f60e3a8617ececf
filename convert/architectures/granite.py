"""Granite 3 and 4: a Llama whose parts are scaled, with Mamba and experts in 4."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gguf import GGUFWriter

from convert.architectures.experts import ROUNDED_ROUTERS, Experts
from convert.architectures.llama import Llama
from convert.architectures.target import Table, Targets, TensorTarget, cut, each_layer
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

_ATTENTION = ("attention", "full_attention")
_ENDLESS = (float("inf"), {"__float__": "Infinity"})
"""Forms of transformers for a step that may be of any size."""
_MAMBA = ("mamba", "linear_attention")


@dataclass(frozen=True)
class Scales:
    """Factors for the embedding, the attention, each layer's part and the logits."""

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
class Mamba2:
    """Layers that keep a state of fixed size in the place of attention (Mamba 2)."""

    heads: int
    inner: int
    """Width of all heads."""
    groups: int
    state: int
    kernel: int
    """Tokens that the convolution sees."""

    @classmethod
    def read(cls, config: JsonFile, hidden: int) -> Mamba2:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        config.expect("mamba_expand", 2)
        config.expect("mamba_conv_bias", True)
        config.refuse("mamba_proj_bias")
        config.expect("time_step_limit", None, *([0.0, e] for e in _ENDLESS))
        found = cls(
            heads=config.positive("mamba_n_heads"),
            inner=2 * hidden,
            groups=config.positive("mamba_n_groups"),
            state=config.positive("mamba_d_state"),
            kernel=config.positive("mamba_d_conv"),
        )
        if found.inner % found.heads or found.inner % found.groups:
            raise ConvertError(
                f"{config.file}: {found.heads} heads in {found.groups} groups cannot "
                f"be {found.inner} wide; the file is damaged"
            )
        return found

    def write(self, writer: GGUFWriter) -> None:
        """Write the sizes."""
        writer.add_ssm_conv_kernel(self.kernel)
        writer.add_ssm_state_size(self.state)
        writer.add_ssm_group_count(self.groups)
        writer.add_ssm_inner_size(self.inner)
        writer.add_ssm_time_step_rank(self.heads)

    def targets(self, hidden: int) -> dict[str, TensorTarget]:
        """Targets of one layer's weights, in a model of the width `hidden`."""
        mixed = self.inner + 2 * self.groups * self.state
        heads, rows = (self.heads,), (self.heads, 1)
        return {
            "mamba.in_proj.weight": TensorTarget(
                "ssm_in.weight", (self.inner + mixed + self.heads, hidden)
            ),
            "mamba.conv1d.weight": TensorTarget(
                "ssm_conv1d.weight",
                (mixed, 1, self.kernel),
                reshaped=(mixed, self.kernel),
            ),
            "mamba.conv1d.bias": TensorTarget("ssm_conv1d.bias", (mixed,)),
            "mamba.dt_bias": TensorTarget("ssm_dt.bias", heads),
            "mamba.A_log": TensorTarget("ssm_a", heads, reshaped=rows, logarithm=True),
            "mamba.D": TensorTarget("ssm_d", heads, reshaped=rows),
            "mamba.norm.weight": TensorTarget(
                "ssm_norm.weight",
                (self.inner,),
                reshaped=(self.groups, self.inner // self.groups),
            ),
            "mamba.out_proj.weight": TensorTarget(
                "ssm_out.weight", (hidden, self.inner)
            ),
        }


@dataclass(frozen=True)
class Granite4(Granite):
    """A Granite of attention alone, without experts: gate and up are one weight."""

    defaults = _DEFAULTS | {
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "shared_intermediate_size": 1024,
        "position_embedding_type": None,
        "mamba_n_heads": 128,
        "mamba_n_groups": 1,
        "mamba_d_state": 256,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "mamba_conv_bias": True,
        "mamba_proj_bias": False,
    }

    rotated: bool = True
    """Positions are told to the attention."""

    @classmethod
    def read(cls, config: JsonFile) -> Granite4:
        """Read a config.json: of attention alone, or with layers of Mamba.

        Raises:
            ConvertError: it has experts and attention alone, or is one that
                `Llama.read` refuses.
        """
        config = config.with_defaults(dict(cls.defaults))
        layers = config.values.get("layer_types") or ["mamba"]
        if {*layers} & {*_MAMBA} and cls is Granite4:
            return GraniteHybrid.read(config)
        if others := {*layers} - {*_ATTENTION, *_MAMBA}:
            raise ConvertError(
                f"{config.file}: `layer_types` has {min(others)}, which this converter "
                f"does not write; {LLAMA_CPP}"
            )
        if cls is Granite4 and config.values["num_local_experts"]:
            raise ConvertError(
                f"{config.file}: a Granite 4 with experts and without Mamba is not "
                f"written here; {LLAMA_CPP}"
            )
        width = {"intermediate_size": config.values["shared_intermediate_size"]}
        plain = super().read(JsonFile(config.file, config.values | width))
        assert isinstance(plain, Granite4)
        rotated = config.values["position_embedding_type"] == "rope"
        return replace(plain, rotated=rotated)

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        writer.add_rope_scaling_finetuned(self.rotated)

    @staticmethod
    def plain_name(name: str) -> str:
        """The tensor `name` as the class has it in memory."""
        for theirs, plain in (
            (".input_linear.weight", ".experts.gate_up_proj"),
            (".output_linear.weight", ".experts.down_proj"),
            (".router.layer.weight", ".router.weight"),
        ):
            name = name.replace(
                f".block_sparse_moe{theirs}", f".block_sparse_moe{plain}"
            )
        return name

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        return self.sizes.with_layers(
            {n: t for n, t in self.layer().items() if not n.startswith("mlp.")}
            | self.shared(self.sizes.feed_forward)
        )

    def shared(self, inner: int, end: str = "") -> dict[str, Targets]:
        """Targets of the feed-forward of width `inner`.

        Args:
            inner: its width.
            end: of its names, where it stands beside experts.
        """
        hidden = self.sizes.hidden
        both = TensorTarget("", (2 * inner, hidden))
        return {
            "shared_mlp.input_linear.weight": cut(
                both, (f"ffn_gate{end}.weight", inner), (f"ffn_up{end}.weight", inner)
            ),
            "shared_mlp.output_linear.weight": TensorTarget(
                f"ffn_down{end}.weight", (hidden, inner)
            ),
        }


@dataclass(frozen=True)
class GraniteHybrid(Granite4):
    """A Granite 4 most of whose layers are of Mamba, perhaps with experts too."""

    gguf_name = "granitehybrid"

    mamba: Mamba2 = Mamba2(1, 1, 1, 1, 1)
    experts: Experts | None = None
    shared_width: int = 0
    """Width of the feed-forward beside the experts; 0 where there is none."""

    @classmethod
    def read(cls, config: JsonFile) -> GraniteHybrid:
        """Read a config.json; see `Granite4.read`."""
        plain = super().read(config)
        assert isinstance(plain, GraniteHybrid)
        layers = config.values.get("layer_types") or ["mamba"] * plain.sizes.layers
        if len(layers) != plain.sizes.layers:
            raise ConvertError(
                f"{config.file}: `layer_types` has {len(layers)} entries for "
                f"{plain.sizes.layers} layers; the file is damaged"
            )
        keys = (plain.sizes.kv_heads * (kind not in _MAMBA) for kind in layers)
        shared = width = plain.sizes.feed_forward
        experts = None
        if config.values["num_local_experts"]:
            width = config.positive("intermediate_size")
            experts = Experts.read(config, width)
        return replace(
            plain,
            sizes=replace(plain.sizes, kv_of_layers=tuple(keys), feed_forward=width),
            mamba=Mamba2.read(config, plain.sizes.hidden),
            experts=experts,
            shared_width=shared,
        )

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        super().write_settings(writer)
        self.mamba.write(writer)
        if self.experts:
            self.experts.write(writer)
            writer.add_expert_shared_feed_forward_length(self.shared_width)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        return (*super().notes, *((ROUNDED_ROUTERS,) if self.experts else ()))

    def targets_of(self, name: str) -> tuple[TensorTarget, ...]:
        """GGUF targets of the tensor `name`, or of one expert's matrix in it."""
        one = self.experts and self.experts.target_of_one(name, self.sizes.hidden)
        return one or super().targets_of(name)

    def place_weights(self) -> Table:
        """Returns the target of each weight."""
        sizes = self.sizes
        layer = {n: t for n, t in self.layer().items() if not n.startswith("mlp.")}
        both: dict[str, Table] = {"self_attn.": layer}
        both["mamba."] = {
            n: t for n, t in layer.items() if not n.startswith("self_attn.")
        } | self.mamba.targets(sizes.hidden)
        rest = self.shared(self.shared_width, "_shexp" if self.experts else "")
        if self.experts:
            rest = {**rest, **self.experts.stacked(sizes.hidden)}
        found = dict(sizes.with_layers({}))
        for number, keys in enumerate(sizes.kv_of_layers):
            table = {**both["self_attn." if keys else "mamba."], **rest}
            found |= each_layer("model.layers", table, (number,))
        return found
