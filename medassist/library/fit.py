"""Estimates whether a pair fits into memory, before it is loaded.

What a loaded pair takes is weights, KV caches, compute buffers and the process itself.
The first two can be computed, as llama.cpp allocates them:

    weights = the files' bytes, each file once (both panes share a base), and what
              `repacked` says is copied of them
    KV      = panes * what `caches` says of a context

The compute buffer is what ggml's allocator needs for the widest part of a graph of 128
tokens. Its plan depends on the architecture; this is an estimate of a llama-like layer,
all values F32, where without flash attention the scores of all heads are widest. It was
fitted to what llama.cpp logs of the starter's base (3.60 and 11.85 MiB at 512 and 2,048
tokens, 2.39 with flash attention; the estimate gives 3.66, 12.3 and 3.1):

    compute = panes * 128 * 4 * (5 * embedding
              + max(2 * feed forward, heads * tokens) + 1.5 * tokens)

`tests/library/test_fit.py` holds the estimate against loaded pairs.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medassist.core.gguf import GgufHeader, read_header, shards
from medassist.core.values import (
    CHUNK,
    DEFAULT_CONTEXT,
    KEPT_COPY_BYTES,
    EngineOptions,
    PairFiles,
)
from medassist.library.caches import cache_bytes
from medassist.library.repacked import repacked_bytes

METAL = sys.platform == "darwin" and platform.machine() == "arm64"
"""There all layers go to the GPU unless something else is said."""
PADDING = 256
PROCESS_BYTES = 64 * 2**20
"""Bytes of the models' process before a model: Python, llama.cpp, measured on Linux."""
TIGHT = 0.9
"""Above this share of what is available, other programs will feel it."""

Verdict = Literal["fits", "tight", "does not fit", "not known"]


@dataclass(frozen=True)
class Need:
    """Memory that a pair needs, in bytes."""

    weights: int
    kv: int
    compute: int
    copied: int = 0
    """Bytes of the weights in another order; on top of them."""
    process: int = PROCESS_BYTES

    @property
    def total(self) -> int:
        return self.weights + self.copied + self.kv + self.compute + self.process

    def verdict(self, available: int | None) -> Verdict:
        """Whether it fits into `available` bytes."""
        if available is None:
            return "not known"
        if self.total > available:
            return "does not fit"
        return "tight" if self.total > TIGHT * available else "fits"


def need(files: PairFiles, options: EngineOptions | None = None) -> Need:
    """The memory needed to load `files` with `options`.

    Raises:
        ModelFileError: a file cannot be read, or is no GGUF.
    """
    options = options or EngineOptions()
    headers = {
        path: read_header(path)
        for pane in files.panes
        for path in files.files(pane)[:1]
    }
    on_cpu = not options.gpu_layers if options.gpu_layers is not None else not METAL
    flash = not on_cpu if options.flash_attention is None else options.flash_attention
    flash = flash or options.kv == "q8_0"
    kv = compute = 0
    for pane in files.panes:
        header = headers[files.files(pane)[0]]
        tokens = _tokens(header, options.context)
        kv += cache_bytes(header, tokens, options.kv, flash=flash)
        compute += _compute_bytes(header, tokens, flash=flash)
    one = options.share_prefill and files.adapter_base is None
    adapter = files.adapter if one else None
    if adapter and read_header(adapter).invocation_tokens:
        compute += min(kv // 2, KEPT_COPY_BYTES)
    # Both panes share a base, and so its copy.
    models = {header.path.resolve(): header for header in headers.values()}
    copied = sum(map(_copied, models.values())) if on_cpu else 0
    return Need(weight_bytes(files), kv, compute, copied)


def _copied(header: GgufHeader) -> int:
    # A split model lists in each file the tensors of that file alone.
    others = (read_header(p) for p in shards(header.path) if p != header.path)
    return repacked_bytes(header) + sum(map(repacked_bytes, others))


def weight_bytes(files: PairFiles) -> int:
    """The bytes of all files of a pair, each counted once."""
    paths = {path.resolve() for pane in files.panes for path in files.files(pane)}
    return sum(size_of(path) for path in paths)


def size_of(path: Path) -> int:
    """The bytes of the model at `path`, with all the files of a split one."""
    return sum(_size(part) for part in shards(path))


def available_memory() -> int | None:
    """Memory available to a new process, within container limits."""
    import psutil

    try:
        free = int(psutil.virtual_memory().available)
    except (OSError, RuntimeError):
        return None
    bounds = [free, *_container_bounds(Path("/sys/fs/cgroup"))]
    return max(0, min(bounds))


def _container_bounds(cgroup: Path) -> Iterable[int]:
    # cgroup(7): a container has its own bound, which /proc/meminfo does not tell of.
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used = (cgroup / "memory.current").read_text(encoding="ascii").strip()
        cache = 0
        for line in (cgroup / "memory.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name in ("inactive_file", "active_file"):
                cache += int(value)
        if limit != "max":
            yield int(limit) - int(used) + cache
    except (OSError, ValueError):
        return


def _tokens(header: GgufHeader, wanted: int | None) -> int:
    trained = header.context_length or DEFAULT_CONTEXT
    tokens = min(trained, wanted or DEFAULT_CONTEXT)
    return -(-tokens // PADDING) * PADDING


def _compute_bytes(header: GgufHeader, tokens: int, flash: bool) -> int:
    heads = max(header.of_layers("attention.head_count"), default=0)
    wide = 2 * max(header.of_layers("feed_forward_length"), default=0)
    if not flash:
        wide = max(wide, heads * tokens)
    values = 5 * header.model_number("embedding_length") + wide + 3 * tokens // 2
    return CHUNK * 4 * values


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
