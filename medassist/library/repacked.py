"""Bytes of a model's weights that llama.cpp copies in another order for this processor.

The copy comes on top of the file, which stays mapped: of a file at Q4_0 with 92 MB it
was 60 MB. A matrix is copied whose type the processor has an interleaved product for,
and whose rows are a multiple of eight (`ggml_repack_get_optimal_repack_type` in
ggml-cpu/repack.cpp of llama.cpp, llama-cpp-python 0.3.36). Layers on a GPU are not.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

from medassist.core.gguf import GgufHeader

AVX2 = frozenset(("Q4_0", "Q4_K", "IQ4_NL", "MXFP4"))
AVX512 = AVX2 | {"Q2_K"}
NEON = AVX2 | {"Q5_K", "Q6_K", "Q8_0", "Q1_0"}
CPUINFO = Path("/proc/cpuinfo")


def repacked_bytes(header: GgufHeader) -> int:
    """Bytes of the copy, where all of the model is computed by the processor."""
    types = copied_types(platform.machine().lower(), _flags(CPUINFO))
    return sum(size for kind, size in header.eights.items() if kind in types)


def copied_types(machine: str, flags: frozenset[str]) -> frozenset[str]:
    """The types that are copied on a kind of machine.

    Args:
        machine: as the system calls it.
        flags: what its processor can do; none where that is not readable, and then
            what nearly all of that kind can.
    """
    if machine in ("x86_64", "amd64"):
        if flags and "avx2" not in flags:
            return frozenset()
        return AVX512 if "avx512f" in flags else AVX2
    return NEON if machine in ("aarch64", "arm64") else frozenset()


@cache
def _flags(cpuinfo: Path) -> frozenset[str]:
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    lines = (line.partition(":") for line in text.splitlines())
    found = (value for name, _, value in lines if name.strip() == "flags")
    return frozenset(next(found, "").split())
