"""Mixture of experts: each expert's matrices become one slice of a GGUF's tensor."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gguf import GGUFWriter

from convert.architectures.target import Table, TensorTarget, cut
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

MOST_EXPERTS = 10_000
_ONE = re.compile(
    r"model\.layers\.(\d+)\.(?:mlp|block_sparse_moe)\.experts\.(\d+)"
    r"\.(gate|up|down)_proj\.weight"
)
ROUNDED_ROUTERS = (
    "where two experts are wanted about as much, a rounding decides between them: in "
    "F16 and BF16 some answers differ from the model's, and convert verify may set "
    "aside such places, and says how many. It is exact with --outtype f32"
)


@dataclass(frozen=True)
class Experts:
    """Number of experts in a layer, experts for each token, and their width."""

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
            for part in ("gate", "up", "down"):
                name = f"mlp.experts.{expert}.{part}_proj.weight"
                found[name] = self._one(part, expert, hidden)
        return found

    def stacked(self, hidden: int, router: str = "block_sparse_moe.router") -> Table:
        """Targets of router and experts, where one weight holds all of a kind."""
        block = router.rpartition(".")[0]
        wide = TensorTarget("", (self.count, 2 * self.width, hidden), stacked=True)
        return {
            f"{router}.weight": TensorTarget(
                "ffn_gate_inp.weight", (self.count, hidden)
            ),
            f"{block}.experts.gate_up_proj": cut(
                wide,
                ("ffn_gate_exps.weight", self.width),
                ("ffn_up_exps.weight", self.width),
            ),
            f"{block}.experts.down_proj": TensorTarget(
                "ffn_down_exps.weight", (self.count, hidden, self.width), stacked=True
            ),
        }

    def target_of_one(self, name: str, hidden: int) -> tuple[TensorTarget, ...]:
        """The target of one expert's matrix where the files have all in one weight.

        A LoRA on that weight is one on each of its matrices.

        Args:
            name: of the matrix, as it would stand alone.
            hidden: width of the model.

        Returns:
            Nothing, if it is no such name.
        """
        if (match := _ONE.fullmatch(name)) is None or int(match[2]) >= self.count:
            return ()
        one = self._one(match[3], int(match[2]), hidden)
        return (replace(one, name=f"blk.{match[1]}.{one.name}"),)

    def _one(self, part: str, expert: int, hidden: int) -> TensorTarget:
        shape = (hidden, self.width) if part == "down" else (self.width, hidden)
        return TensorTarget(
            f"ffn_{part}_exps.weight", shape, slice_of=(expert, self.count)
        )
