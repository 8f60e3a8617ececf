"""What is made of the open base for the tests: an adapter, and the base decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.encode import Kind
from convert.gguf.tensors import stored_tensors
from convert.merge.gguf_merge import Sources, write_model
from medassist.core.progress import unwatched
from tests.tiny_models import write_adapter

RANK = 4
STRENGTH = 0.3
"""Of the change against the weights that are changed, by their spreads."""


@pytest.fixture(scope="session")
def real_adapter(real_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LoRA on the attention of the open base, strong enough to be seen."""
    random = np.random.default_rng(5)
    tensors: dict[str, np.ndarray] = {}
    for name, weight in stored_tensors(real_base).items():
        if "attn_q.weight" in name or "attn_v.weight" in name:
            rows, columns = weight.shape
            spread = float(weight.floats(slice(0, 64)).std())
            a = random.standard_normal((RANK, columns)) / 4
            b = STRENGTH * spread / RANK * random.standard_normal((rows, RANK))
            tensors[f"{name}.lora_a"] = a.astype(np.float32)
            tensors[f"{name}.lora_b"] = b.astype(np.float32)
    return write_adapter(tmp_path_factory.mktemp("lora") / "lora.gguf", tensors)


@pytest.fixture(scope="session")
def decoded(
    real_base: Path, real_adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The open base as F16, of which quantizations are made."""
    out = tmp_path_factory.mktemp("decoded") / "base-f16.gguf"
    sources = Sources.read(real_base, real_adapter)
    kinds = {
        t.name: Kind.F16 if len(t.shape) > 1 else t.kind for t in sources.base.tensors
    }
    write_model(sources, out, kinds, change=False, force=False, watcher=unwatched)
    return out
