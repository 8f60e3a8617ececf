"""Checks processor, GPU, memory and swap."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from medassist.core.words import size
from medassist.doctor.finding import Finding, listed
from medassist.engine.devices import Processors
from medassist.library.fit import available_memory

PART = "machine"
FAST = ("AVX2", "FMA", "F16C")
"""Without these llama.cpp decodes several times more slowly on an x86 processor."""
MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
DISPLAY = "0x03"
"""The class of a PCI device that draws or computes."""
BUILDS = {"NVIDIA": "make clean run WHEELS=cu124", "AMD": "see llama-cpp-python's HIP"}


def machine(processors: Processors | None) -> list[Finding]:
    """Findings about what there is to compute on."""
    return [*_processor(processors), *_gpu(processors), *_memory(), *_dumps()]


def _processor(processors: Processors | None) -> Iterator[Finding]:
    if processors is None:
        yield Finding(PART, "note", "llama.cpp could not be asked for the processor.")
        return
    cores = processors.threads
    text = f"{cores} core{'s' * (cores != 1)}"
    names = [d.name for d in processors.devices if d.kind == "CPU"]
    used = ", ".join(processors.features)
    yield Finding(
        PART, "ok", f"{' '.join(names) or 'Processor'}, {text}; llama.cpp uses {used}."
    )
    unused = [f for f in FAST if f not in processors.features and f in _flags()]
    if unused:
        yield Finding(
            PART,
            "note",
            f"The processor has {listed(unused)}, and llama.cpp was compiled without: "
            "answers come more slowly than they could.",
            "make clean run, which compiles it for this computer",
        )


def _flags() -> frozenset[str]:
    """Flags of the processor by Linux; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    lines = (line for line in text.splitlines() if line.startswith("flags"))
    return frozenset(next(lines, "").upper().split())


def _gpu(processors: Processors | None) -> Iterator[Finding]:
    if processors is None:
        return
    gpus = [d for d in processors.devices if d.kind != "CPU"]
    for gpu in gpus:
        yield Finding(
            PART,
            "ok",
            f"{gpu.kind}: {gpu.name}, {size(gpu.free_bytes)} of "
            f"{size(gpu.total_bytes)} free.",
        )
    if gpus:
        return
    there = list(dict.fromkeys(_cards()))
    if not there:
        yield Finding(PART, "ok", "No GPU: the processor computes.")
    elif processors.gpu_offload:
        yield Finding(
            PART,
            "note",
            f"There is a GPU by {listed(there)}, which llama.cpp cannot use: its "
            "driver is missing or older than this build wants.",
            "Install the maker's driver; without it the processor computes",
        )
    else:
        yield Finding(
            PART,
            "note",
            f"There is a GPU by {listed(there)}; llama.cpp was built without it, and "
            "the processor computes.",
            BUILDS[there[0]],
        )


def _cards() -> Iterator[str]:
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            kind = (device / "class").read_text(encoding="ascii")
            maker = (device / "vendor").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if kind.startswith(DISPLAY) and maker in MAKERS:
            yield MAKERS[maker]


def _memory() -> Iterator[Finding]:
    total, free = psutil.virtual_memory().total, available_memory()
    yield Finding(PART, "ok", f"Memory: {size(free)} of {size(total)} free.")
    swap = [name for name in _swap() if not _is_in_memory_or_encrypted(name)]
    if swap:
        yield Finding(
            PART,
            "note",
            f"Memory can be swapped to {listed(swap)}, which is not encrypted as far "
            "as can be seen: what is on the screen may end on the disk.",
            "Encrypt the disk with its swap, or: sudo swapoff -a",
        )


def _swap() -> list[str]:
    try:
        lines = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return []
    return [line.split()[0] for line in lines if line.strip()]


def _is_in_memory_or_encrypted(name: str) -> bool:
    return "zram" in name or is_encrypted(Path(name))


def is_encrypted(path: Path) -> bool:
    """Whether the device `path`, or the one that it lies on, is dm-crypt's (Linux)."""
    if sys.platform != "linux":
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    device = status.st_rdev if stat.S_ISBLK(status.st_mode) else status.st_dev
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    return any(_is_crypt(one) for one in _and_below(block))


def _is_crypt(block: Path) -> bool:
    try:
        return (block / "dm" / "uuid").read_text(encoding="ascii").startswith("CRYPT-")
    except OSError:
        return False


def _and_below(block: Path) -> Iterator[Path]:
    """A block device and those that it is made of."""
    yield block
    for part in (block / "slaves").glob("*"):
        yield from _and_below(part)


def _dumps() -> Iterator[Finding]:
    try:
        pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8")
    except OSError:
        return
    if pattern.startswith("|"):
        program = Path(pattern[1:].split()[0]).name
        yield Finding(
            PART,
            "ok",
            f"Crashes on this computer are handed to {program}; medassist and its "
            "models forbid that for themselves.",
        )
