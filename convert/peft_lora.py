"""LoRAs of a PEFT adapter: tensors, rank and scale of each, one for each expert."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from convert.errors import ConvertError
from convert.hf_folder import JsonFile
from convert.safetensors_file import SafetensorsFile

# transformers has the experts of a layer as two parameters, and files each matrix by
# itself; PEFT wraps a module once for each of its parameters, the first one innermost.
OF_EXPERTS = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}


@dataclass(frozen=True)
class ExpertPart:
    """Change that a LoRA on a parameter with all experts makes to one matrix of one."""

    expert: int
    experts: int
    parameter: str
    """Its name in the base: model.layers.0.mlp.experts.down_proj."""
    which: int
    joined: int
    """Matrices of an expert that are joined in it, and which of them this is: gate and
    up are two, down is alone."""
    alternate: bool = False
    """Their rows alternate; else one stands behind the other."""

    @property
    def whole(self) -> ExpertPart:
        """The matrix with all that are joined to it."""
        return replace(self, which=0, joined=1)

    def rows(self, b: int) -> slice:
        """Rows of B, which has `b`, that belong to this matrix."""
        if self.alternate:
            return slice(self.which, None, self.joined)
        each = b // self.joined
        return slice(self.which * each, (self.which + 1) * each)


@dataclass(frozen=True)
class Lora:
    """The low-rank change of one module, with the names of its tensors."""

    module: str
    """Module of the base: model.layers.0.self_attn.q_proj."""
    a: str
    """(rank, in)"""
    b: str
    """(out, rank)"""
    rank: int
    scale: float
    """B @ A is multiplied by it."""
    embedding: bool = False
    """An nn.Embedding: in is the vocabulary, and its weight is stored (in, out)."""
    magnitude: str | None = None
    """(out,), of a DoRA."""
    bias: str | None = None
    """(out,), added to the module's bias, scaled too (`lora_bias`)."""
    part: ExpertPart | None = None
    """A and B have those of all experts, of which this is one."""


def loras_of(
    config: JsonFile, source: SafetensorsFile, module: str, keys: dict[str, str]
) -> list[Lora]:
    """The LoRA of `module`; where that holds the experts of a layer, one for each.

    Args:
        config: adapter_config.json.
        source: the adapter's weights.
        module: of the base.
        keys: of its tensors, by their part (a, b, bias, magnitude, ...).

    Raises:
        ConvertError: tensors and config are not of one save.
    """
    targeted = config.values.get("target_parameters") or []
    fused = [n for n in OF_EXPERTS if any(str(t).endswith(n) for t in targeted)]
    match = re.fullmatch(r"(.+\.experts)((?:\.base_layer)*)", module)
    if not match or not fused:
        return [_lora(config, source, module, keys)]
    inner = match[2].count(".base_layer")
    if inner >= len(fused) or {*keys} != {"a", "b"}:
        raise ConvertError(
            f"{source.file}: {module} is no LoRA on {' or '.join(fused)}, which "
            f"{config.file.name} names under `target_parameters`; the two files are "
            "not of one save"
        )
    name = fused[-1 - inner]
    parts = OF_EXPERTS[name]
    a, b = (source.tensors[keys[side]].shape for side in "ab")
    rank, alpha = _rank_and_alpha(config, f"{match[1]}.{name}")
    if len(a) != 2 or len(b) != 2 or a[0] != b[1] or a[0] % rank or b[0] % len(parts):
        raise ConvertError(
            f"{source.file}: the LoRA of {module} has the shapes {a} and {b}, which "
            f"is none of rank {rank} for {name}; save the adapter anew"
        )
    scale = alpha / (math.sqrt(rank) if config.values.get("use_rslora") else rank)
    experts = a[0] // rank
    stem = match[1]
    return [
        Lora(
            module=f"{stem}.{expert}.{part}",
            a=keys["a"],
            b=keys["b"],
            rank=rank,
            scale=scale,
            part=ExpertPart(expert, experts, f"{stem}.{name}", n, len(parts)),
        )
        for expert in range(experts)
        for n, part in enumerate(parts)
    ]


def _lora(
    config: JsonFile, source: SafetensorsFile, module: str, keys: dict[str, str]
) -> Lora:
    embedding = "embedding_a" in keys or "embedding_b" in keys
    sides = ("embedding_a", "embedding_b") if embedding else ("a", "b")
    if missing := [side for side in sides if side not in keys]:
        raise ConvertError(
            f"{source.file}: {module} has no lora_{missing[0].upper()[-1]}; the file "
            "is not whole: save the adapter anew"
        )
    a, b = (keys[side] for side in sides)
    shapes = [source.tensors[key].shape for key in (a, b)]
    rank, alpha = _rank_and_alpha(config, module)
    if any(len(shape) != 2 for shape in shapes):
        raise ConvertError(
            f"{source.file}: the LoRA of {module} is no pair of matrices but has the "
            f"shapes {shapes[0]} and {shapes[1]}; this converter knows linear layers "
            "and embeddings (and shards that were not gathered look so too)"
        )
    if {rank} != {shapes[0][0], shapes[1][1]}:
        raise ConvertError(
            f"{source.file}: {a} has rank {shapes[0][0]}, and {config.file.name} says "
            f"{rank} for {module}; the two files are not of one save"
        )
    if config.values.get("use_dora") and "magnitude" not in keys:
        raise ConvertError(
            f"{source.file}: {module} has no lora_magnitude_vector, and "
            f"{config.file.name} says `use_dora`; save the adapter anew"
        )
    steady = bool(config.values.get("use_rslora"))
    return Lora(
        module=module,
        a=a,
        b=b,
        rank=rank,
        scale=alpha / math.sqrt(rank) if steady else alpha / rank,
        embedding=embedding,
        magnitude=keys.get("magnitude"),
        bias=keys.get("bias"),
    )


def _rank_and_alpha(config: JsonFile, module: str) -> tuple[int, float]:
    """The patterns match the end of a module's name, as in PEFT's `get_pattern_key`."""
    rank = _of_pattern(config, "rank_pattern", module, config.values.get("r"))
    alpha = _of_pattern(
        config, "alpha_pattern", module, config.values.get("lora_alpha")
    )
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise ConvertError(
            f"{config.file}: the rank of {module} is {rank!r}; expected a whole number "
            "above 0"
        )
    if not isinstance(alpha, int | float) or isinstance(alpha, bool):
        raise ConvertError(
            f"{config.file}: the alpha of {module} is {alpha!r}; expected a number"
        )
    return rank, float(alpha)


def _of_pattern(config: JsonFile, name: str, module: str, otherwise: Any) -> Any:
    patterns = config.part(name)
    for pattern, value in (patterns.values if patterns else {}).items():
        try:
            if re.match(rf"(.*\.)?({pattern})$", module):
                return value
        except re.error as error:
            raise ConvertError(
                f"{config.file}: `{name}` holds {pattern!r}, which is no pattern: "
                f"{error}"
            ) from error
    return otherwise
