"""Processors and GPUs that llama.cpp can use here.

To be asked in a process of its own: a library that was compiled for another
processor ends the process that loads it, and drivers of GPUs start threads.
"""

from __future__ import annotations

import ctypes
from typing import Literal

from medassist.frozen_model import FrozenModel

Kind = Literal["CPU", "GPU", "integrated GPU", "accelerator"]
KINDS: tuple[Kind, ...] = ("CPU", "GPU", "integrated GPU", "accelerator")
"""Kinds in the order of `enum ggml_backend_dev_type` (ggml-backend.h)."""


class Device(FrozenModel):
    """A processor that llama.cpp can use."""

    kind: Kind
    name: str
    free_bytes: int
    total_bytes: int


class Processors(FrozenModel):
    """Processors that the installed build of llama.cpp can use here."""

    version: str
    """Version of llama-cpp-python."""
    features: tuple[str, ...]
    """Features of the processor that the build was compiled for, and uses."""
    gpu_offload: bool
    """The build has code for a GPU, whether or not there is one."""
    devices: tuple[Device, ...]
    threads: int
    """Threads that compute where the user chose no number: the physical cores."""


def processors() -> Processors:
    """Ask llama.cpp for its devices; loads it, which takes about 0.2 s.

    Raises:
        ImportError: llama-cpp-python is not installed, or its library does not load.
    """
    import llama_cpp
    import llama_cpp.llama_cpp as llama
    from llama_cpp._ggml import libggml

    from medassist.core.processor import physical_cores
    from medassist.engine.weights import start_llama

    start_llama()
    return Processors(
        version=str(llama_cpp.__version__),
        features=used_features(),
        gpu_offload=bool(llama.llama_supports_gpu_offload()),
        devices=_devices(libggml),
        threads=physical_cores(),
    )


def used_features() -> tuple[str, ...]:
    """Processor features used by the build; llama.cpp must have been started."""
    import llama_cpp.llama_cpp as llama

    return _features(llama.llama_print_system_info().decode(errors="replace"))


def commit_of_llama() -> str:
    """The commit that llama.cpp was compiled from; empty if unknown."""
    from llama_cpp._ggml import libggml

    try:
        commit = libggml.ggml_commit
    except AttributeError:  # a build of a time before it
        return ""
    commit.restype = ctypes.c_char_p
    return (commit() or b"").decode(errors="replace")


def _features(said: str) -> tuple[str, ...]:
    """Of `CPU : SSE3 = 1 | AVX2 = 1 | ...` what is on."""
    parts = (part.rpartition(":")[2].split("=") for part in said.split("|"))
    return tuple(p[0].strip() for p in parts if len(p) == 2 and p[1].strip() == "1")


def _devices(library: ctypes.CDLL) -> tuple[Device, ...]:
    try:
        count, get = library.ggml_backend_dev_count, library.ggml_backend_dev_get
        kind, name = library.ggml_backend_dev_type, library.ggml_backend_dev_description
        memory = library.ggml_backend_dev_memory
    except AttributeError:  # a build of a time before these
        return ()
    count.restype, get.restype = ctypes.c_size_t, ctypes.c_void_p
    kind.restype, name.restype, memory.restype = ctypes.c_int, ctypes.c_char_p, None
    get.argtypes = [ctypes.c_size_t]
    kind.argtypes = name.argtypes = [ctypes.c_void_p]
    size = ctypes.c_size_t
    memory.argtypes = [ctypes.c_void_p, ctypes.POINTER(size), ctypes.POINTER(size)]
    found: list[Device] = []
    for number in range(count()):
        device = get(number)
        free, total = size(), size()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        which = int(kind(device))
        found.append(
            Device(
                kind=KINDS[which] if which < len(KINDS) else "accelerator",
                name=(name(device) or b"").decode(errors="replace"),
                free_bytes=free.value,
                total_bytes=total.value,
            )
        )
    return tuple(found)
