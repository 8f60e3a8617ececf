"""Mixture of experts: each expert's matrices become one slice of a GGUF's tensor."""

from __future__ import annotations

from dataclasses import dataclass

from gguf import GGUFWriter

from convert.architectures.target import Table, TensorTarget
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

MOST_EXPERTS = 10_000
ROUNDED_ROUTERS = (
    "where two experts are wanted about as much, a rounding decides between them: in "
    "F16 and BF16 some answers differ from the model's, and convert verify can find "
    "more than its limit. It is exact with --outtype f32"
)


@dataclass(frozen=True)
class Experts:
    """How many experts a layer has, how many a token is sent to, and their width."""

    count: int = 1
    used: int = 1
    width: int = 1

    @classmethod
    def read(cls, config: JsonFile, width: int) -> Experts:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing or cannot be.
        """
        # transformers has two names of the one number.
        count = config.positive("num_local_experts", config.values.get("num_experts"))
        used = config.positive("num_experts_per_tok")
        if not used <= count <= MOST_EXPERTS:
            raise ConvertError(
                f"{config.file}: {used} of {count} experts for a token cannot be; the "
                "file is damaged"
            )
        return cls(count, used, width)

    def write(self, writer: GGUFWriter) -> None:
        """Write how many there are and how many are used."""
        writer.add_expert_count(self.count)
        writer.add_expert_used_count(self.used)

    def in_place_of_feed_forward(self, layer: Table, hidden: int) -> Table:
        """The `layer` with a router and experts where it has one feed-forward."""
        found = {n: t for n, t in layer.items() if not n.startswith("mlp.")}
        found["mlp.gate.weight"] = TensorTarget(
            "ffn_gate_inp.weight", (self.count, hidden)
        )
        for expert in range(self.count):
            for part, shape in (
                ("gate", (self.width, hidden)),
                ("up", (self.width, hidden)),
                ("down", (hidden, self.width)),
            ):
                found[f"mlp.experts.{expert}.{part}_proj.weight"] = TensorTarget(
                    f"ffn_{part}_exps.weight", shape, slice_of=(expert, self.count)
                )
        return found
