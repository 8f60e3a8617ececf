"""Base class of architectures, and the sizes that most of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

from gguf import GGUFWriter

from convert.architectures.target import Table, TensorTarget, as_tuple, each_layer
from convert.architectures.tied import HEAD, OWN_HEAD, are_one
from convert.errors import ConvertError
from convert.hf_folder import Array, JsonFile, Weight

MOST_LAYERS = 10_000
# Buffers that old checkpoints carry and that every program computes by itself.
BUFFERS = (".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias")


@dataclass(frozen=True)
class Sizes:
    """Sizes of a decoder, under their usual names in config.json."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    context: int
    vocabulary: int
    norm_epsilon: float
    tied: bool
    """The output layer is the embedding; there is no tensor for it."""
    kv_of_layers: tuple[int, ...] = ()
    """Heads of keys in each layer, where they differ; 0: no attention there."""
    feed_forward_of_layers: tuple[int, ...] = ()
    """Width in each layer, where they differ."""

    @classmethod
    def read(cls, config: JsonFile, norm: str = "rms_norm_eps") -> Sizes:
        """Read a config.json, which has the epsilon of its norms under the key `norm`.

        Raises:
            ConvertError: a value is missing or cannot be.
        """
        hidden = config.positive("hidden_size")
        heads = config.positive("num_attention_heads")
        sizes = cls(
            hidden=hidden,
            layers=config.positive("num_hidden_layers"),
            heads=heads,
            kv_heads=config.positive("num_key_value_heads", heads),
            head=config.positive("head_dim", max(1, hidden // heads)),
            feed_forward=config.positive("intermediate_size"),
            context=config.positive("max_position_embeddings"),
            vocabulary=config.positive("vocab_size"),
            norm_epsilon=config.number(norm),
            tied=bool(config.values.get("tie_word_embeddings", False)),
        )
        if heads % sizes.kv_heads or sizes.head % 2 or sizes.layers > MOST_LAYERS:
            raise ConvertError(
                f"{config.file}: {heads} heads of {sizes.head} with {sizes.kv_heads} "
                f"of keys in {sizes.layers} layers cannot be; the file is damaged"
            )
        return sizes

    @property
    def queries(self) -> int:
        """Rows of the query projection."""
        return self.heads * self.head

    @property
    def keys(self) -> int:
        """Rows of the key projection, and of the value projection."""
        return self.kv_heads * self.head

    def whole_heads(self, config: JsonFile) -> None:
        """Check that heads times head size is the model's width.

        Raises:
            ConvertError: they are not, which llama.cpp's code of this architecture
                does not know.
        """
        if self.queries != self.hidden:
            raise ConvertError(
                f"{config.file}: {self.heads} heads of {self.head} are not as wide as "
                f"`hidden_size` {self.hidden}, which llama.cpp needs here"
            )

    def write(self, writer: GGUFWriter) -> None:
        """Write the sizes that every architecture writes."""
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.hidden)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(
            list(self.feed_forward_of_layers) or self.feed_forward
        )
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(list(self.kv_of_layers) or self.kv_heads)
        writer.add_layer_norm_rms_eps(self.norm_epsilon)

    def write_head(self, writer: GGUFWriter) -> None:
        """Write the size of a head, which is not always hidden / heads."""
        writer.add_key_length(self.head)
        writer.add_value_length(self.head)

    def tables(self, embedding: str, *, always_head: bool = False) -> Table:
        """Targets of `embedding` and output layer.

        Args:
            embedding: its name.
            always_head: llama.cpp wants an output layer where it is the embedding too.
        """
        table = (self.vocabulary, self.hidden)
        tokens = TensorTarget("token_embd.weight", table)
        head = TensorTarget("output.weight", table)
        if self.tied:
            return {embedding: (tokens, head) if always_head else tokens}
        return {embedding: tokens, HEAD: head}

    def with_layers(self, layer: Table, *, always_head: bool = False) -> Table:
        """Targets of embedding, norm and output layer, and of `layer` in each layer."""
        norm = TensorTarget("output_norm.weight", (self.hidden,))
        return {
            **self.tables("model.embed_tokens.weight", always_head=always_head),
            "model.norm.weight": norm,
            **each_layer("model.layers", layer, range(self.layers)),
        }

    def feed_forward_targets(self) -> dict[str, TensorTarget]:
        """Targets of gate, up and down."""
        inner = (self.feed_forward, self.hidden)
        return {
            "mlp.gate_proj.weight": TensorTarget("ffn_gate.weight", inner),
            "mlp.up_proj.weight": TensorTarget("ffn_up.weight", inner),
            "mlp.down_proj.weight": TensorTarget("ffn_down.weight", inner[::-1]),
        }

    def attention_targets(self) -> dict[str, TensorTarget]:
        """Targets of Q, K, V and O, without reordering."""
        return {
            "self_attn.q_proj.weight": TensorTarget(
                "attn_q.weight", (self.queries, self.hidden)
            ),
            "self_attn.k_proj.weight": TensorTarget(
                "attn_k.weight", (self.keys, self.hidden)
            ),
            "self_attn.v_proj.weight": TensorTarget(
                "attn_v.weight", (self.keys, self.hidden)
            ),
            "self_attn.o_proj.weight": TensorTarget(
                "attn_output.weight", (self.hidden, self.queries)
            ),
        }


@dataclass(frozen=True)
class Architecture(ABC):
    """A kind of model: its settings and the place of each of its weights."""

    gguf_name: ClassVar[str]
    """Name of the architecture, as in `general.architecture`."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values of transformers where a config.json is silent; a test compares them."""
    ignored: ClassVar[tuple[str, ...]] = BUFFERS
    """Ends of names of tensors that are left out."""
    embeddings: ClassVar[tuple[str, ...]] = ("model.embed_tokens.weight",)
    """Names of the embedding, the usual one first."""

    takes_mxfp4: ClassVar[bool] = False
    """Its experts may be stored in MXFP4."""
    experts_turned: ClassVar[bool] = False
    """The weight that holds those of all experts has them (in, out), and gate and up
    in alternate columns; else (out, in), and gate before up."""
    in_images: ClassVar[bool] = False
    """Published as the text tower of a model of images and text too."""
    outer: ClassVar[str] = ""
    """Prefix in the files before the names of the text class."""

    sizes: Sizes
    head_found: bool = field(default=False, kw_only=True)
    """config.json ties the output layer to the embedding; the files hold another."""
    stored_as_head: bool = field(default=False, kw_only=True)
    """Embedding and output layer are one tensor, under the output layer's name."""

    @classmethod
    @abstractmethod
    def read(cls, config: JsonFile) -> Architecture:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """

    def over(self, weights: Iterable[Weight]) -> Self:
        """The architecture adjusted to the files, where config.json ties the output.

        Raises:
            ConvertError: they are two, and llama.cpp computes with one.
        """
        if not self.sizes.tied:
            return self
        stored = {self.plain_name(weight.name): weight for weight in weights}
        embedding = next((stored[n] for n in self.embeddings if n in stored), None)
        head = stored.get(HEAD)
        if are_one(embedding, head):
            return replace(self, stored_as_head=embedding is None and head is not None)
        return replace(
            self, sizes=replace(self.sizes, tied=False), head_found=True
        ).with_head(f"{stored[HEAD].source.file}: {OWN_HEAD}")

    def with_head(self, found: str) -> Self:
        """The architecture with an output layer, where llama.cpp takes one.

        Args:
            found: where the output layer was found, for the message.

        Raises:
            ConvertError: llama.cpp has no place for it.
        """
        del found
        return self

    @abstractmethod
    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""

    @cached_property
    def targets(self) -> dict[str, tuple[TensorTarget, ...]]:
        """Targets of all weights of a complete model, by Hugging Face name."""
        return {name: as_tuple(found) for name, found in self.place_weights().items()}

    @abstractmethod
    def place_weights(self) -> Table:
        """The table of `targets`, computed once."""

    @property
    def extra(self) -> dict[str, Array]:
        """Tensors that are computed from the settings, by their GGUF name."""
        return {}

    @property
    def rope_in_llama_cpp(self) -> dict[str, object]:
        """RoPE's settings in which llama.cpp differs from config.json, as it has them.

        The gate computes with them, and a note says so.
        """
        return {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        return ()

    def targets_of(self, name: str) -> tuple[TensorTarget, ...]:
        """GGUF targets of the tensor `name`; none if it is left out.

        Raises:
            ConvertError: nobody knows what it is.
        """
        name = self.plain_name(name)
        if name.endswith(self.ignored) or self.unused(name):
            return ()
        if self.sizes.tied and name == HEAD:
            if not self.stored_as_head:
                return ()
            name = self.embeddings[0]
        if targets := self.targets.get(name):
            return targets
        raise ConvertError(
            f"a {self.gguf_name} has no tensor {name}, as config.json describes it; "
            "the model is of another architecture, or was changed by a tool that this "
            "converter does not know"
        )

    def unused(self, name: str) -> str:
        """Why nothing computes with the tensor `name`, as a clause; empty: it is used.

        Such tensors lie in files as they are published; transformers passes them over.
        """
        del name
        return ""

    @staticmethod
    def plain_name(name: str) -> str:
        """The tensor `name` as the class of the text model has it in memory."""
        return name

    def all_places(self) -> set[tuple[str, int]]:
        """The GGUF names, and slices, of all the weights that a whole model has."""
        return {target.place for found in self.targets.values() for target in found}
