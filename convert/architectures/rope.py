"""RoPE settings: read from config.json (old and new form), written to a GGUF.

Before: `rope_theta` and `rope_scaling` beside the other values. Since: both in
`rope_parameters`, which may hold an object for each kind of layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from gguf import GGUFWriter, RopeScalingType

from convert.errors import ConvertError
from convert.hf_folder import Array, JsonFile

BETAS = {"beta_fast": 32.0, "beta_slow": 1.0}


@dataclass(frozen=True)
class Rope:
    """RoPE settings of one kind of layer."""

    base: float
    kind: str
    """default, linear, dynamic, llama3, yarn or longrope."""
    share: float
    """Share of each head that is rotated."""
    original: int
    """The context that the model was first trained on, in tokens."""
    settings: JsonFile
    """Further settings of the RoPE in config.json."""

    def check(self, *kinds: str, partial: bool = False, rounds: bool = False) -> Rope:
        """The settings themselves, if their kind is one of `kinds`.

        Args:
            kinds: those that llama.cpp computes.
            partial: it may rotate a part of each head.
            rounds: that llama.cpp rounds yarn's bounds is told by the caller.

        Raises:
            ConvertError: it is another, or has settings that llama.cpp does not read.
        """
        file = self.settings.file
        if self.kind not in kinds:
            raise ConvertError(
                f"{file}: RoPE of the type {self.kind!r} is not supported for this "
                f"architecture; llama.cpp computes {', '.join(kinds)}"
            )
        if not partial and self.share != 1:
            raise ConvertError(
                f"{file}: `partial_rotary_factor` is {self.share:g}; llama.cpp rotates "
                "all of a head for this architecture"
            )
        if self.kind == "yarn":
            for key, known in BETAS.items():
                if self.settings.number(key, known) != known:
                    raise ConvertError(
                        f"{file}: yarn's `{key}` is {self.settings.values[key]}; "
                        f"llama.cpp computes this architecture with {known:g} only"
                    )
            if not rounds:
                self.settings.expect("truncate", None, True)
            self.settings.expect("extrapolation_factor", None, 1)
        return self

    def write(self, writer: GGUFWriter) -> None:
        """Write base and scaling.

        Dynamic scaling changes nothing within the context that the GGUF allows, and
        that of Llama 3 is a tensor (`llama3_factors`).
        """
        writer.add_rope_freq_base(self.base)
        if self.kind not in ("linear", "yarn"):
            return
        factor = self.settings.number("factor")
        if not factor > 0:
            raise ConvertError(
                f"{self.settings.file}: RoPE's `factor` is {factor:g}; expected a "
                "number above 0"
            )
        writer.add_rope_scaling_type(RopeScalingType(self.kind))
        writer.add_rope_scaling_factor(factor)
        if self.kind == "yarn":
            self._write_yarn(writer, factor)

    def _write_yarn(self, writer: GGUFWriter, factor: float) -> None:
        values = self.settings.values
        writer.add_rope_scaling_orig_ctx_len(self.original)
        for key in ("attention_factor", "attn_factor"):
            if values.get(key) is not None:
                writer.add_rope_scaling_yarn_attn_factor(self.settings.number(key))
                break
        if values.get("beta_fast") is not None:
            writer.add_rope_scaling_yarn_beta_fast(self.settings.number("beta_fast"))
        if values.get("beta_slow") is not None:
            writer.add_rope_scaling_yarn_beta_slow(self.settings.number("beta_slow"))
        # llama.cpp does not read the key of yarn's attention factor for these
        # architectures and takes the usual one; this key it multiplies by.
        usual = _yarn_scale(factor, 1.0)
        wanted = self.settings.number("attention_factor", self._mscale(factor))
        if wanted != usual:
            writer.add_rope_scaling_attn_factors(wanted / usual)

    def _mscale(self, factor: float) -> float:
        above = self.settings.number("mscale", 0.0)
        below = self.settings.number("mscale_all_dim", 0.0)
        if above and below:
            return _yarn_scale(factor, above) / _yarn_scale(factor, below)
        return _yarn_scale(factor, 1.0)

    def llama3_factors(self, head: int) -> Array:
        """Llama 3.1's frequency divisors: (head / 2,), float32.

        Long waves are stretched, short ones left alone, those between blended; the
        rule is that of transformers' `_compute_llama3_parameters`.
        """
        exponents = np.arange(0, head, 2, dtype=np.float32) / np.float32(head)
        # In float64, then rounded: what float32 gives differs between machines.
        powers = (self.base ** exponents.astype(np.float64)).astype(np.float32)
        frequencies = np.float32(1) / powers
        factor = self.settings.number("factor")
        low, high = (
            self.settings.number(f"{which}_freq_factor") for which in ("low", "high")
        )
        waves = np.float32(2 * math.pi) / frequencies
        blend = (np.float32(self.original) / waves - np.float32(low)) / np.float32(
            high - low
        )
        between = 1 / ((1 - blend) / np.float32(factor) + blend)
        factors = np.where(waves > self.original / low, np.float32(factor), between)
        return np.where(waves < self.original / high, 1, factors).astype(np.float32)


def read_rope(config: JsonFile, layers: str = "") -> Rope:
    """RoPE of the `layers` (as `rope_parameters` names them), or of all.

    Raises:
        ConvertError: a value is missing or is none that can be read.
    """
    both = config.part("rope_scaling") or config.part("rope_parameters")
    settings = (both.part(layers) if both and layers else None) or both
    if settings is None:
        settings = JsonFile(config.file, {})
    kind = settings.values.get("rope_type") or settings.values.get("type") or "default"
    original = settings.integer(
        "original_max_position_embeddings",
        config.integer(
            "original_max_position_embeddings",
            config.positive("max_position_embeddings"),
        ),
    )
    base = settings.number("rope_theta", config.number("rope_theta", 10000.0))
    share = settings.number(
        "partial_rotary_factor", config.number("partial_rotary_factor", 1.0)
    )
    return Rope(base, str(kind), share, original, settings)


def _yarn_scale(factor: float, share: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * share * math.log(factor) + 1.0
