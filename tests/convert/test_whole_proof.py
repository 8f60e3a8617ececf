"""Every architecture goes the whole way: model, adapter, merged model, Modelfile."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model
from convert.merge import merge
from convert.modelfile import ModelfileParts, modelfile
from convert.ollama.model_settings import OllamaWishes
from convert.verify.gate import verify_adapter, verify_model
from medassist.core.proofs import Verified
from tests.convert.conftest import ABOUT
from tests.convert.families import FAMILIES, rows_of, save_family, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.test_architectures import type_name
from tests.convert.test_modelfile import settings_of
from tests.convert.tiny_lora import load_adapted, load_base, logits_of, save_adapter

ONE_OF_EACH = {type_name(name): name for name in reversed(FAMILIES)}
OF_ANOTHER_KIND = ("granite-mamba-experts",)
"""Of a class that has one already."""
NOT_ADAPTED = {"gemma4-images": ["per_layer_model_projection"]}
"""Where llama.cpp looks for no LoRA."""
PROVEN = {"token ids", "rendered prompt", "embeddings", "logits", "greedy text"}
ROUNDED = 1e-2  # NMSE where what is merged is rounded to the base's type


class Way:
    """A tiny base with an adapter of all its linear layers, and the GGUFs of both."""

    def __init__(self, name: str, root: Path) -> None:
        self.base = save_family(name, root / name)
        self.adapter = save_adapter(
            self.base,
            root / "adapter",
            target_modules="all-linear",
            exclude_modules=NOT_ADAPTED.get(name),
            lora_alpha=4,
        )
        self.gguf = convert_model(self.base, root / "base.gguf", ABOUT, "f32")
        self.lora = convert_adapter(
            self.adapter, self.base, root / "adapter.gguf", ABOUT, "f32"
        )


@pytest.fixture(scope="module", params=[*ONE_OF_EACH.values(), *OF_ANOTHER_KIND])
def way(request, tmp_path_factory) -> Way:
    return Way(request.param, tmp_path_factory.mktemp("way"))


def require_proven(found: Verified) -> None:
    failed = [f"{c.name}: {c.said}" for c in found.checks if not c.passed]
    assert not failed
    assert {check.name for check in found.checks} >= PROVEN


def test_the_gate_proves_model_and_adapter(way):
    require_proven(verify_model(way.base, way.gguf, threads=1))
    found = verify_adapter(way.base, way.gguf, way.adapter, way.lora, threads=1)
    assert found.passed, [c for c in found.checks if not c.passed]


def test_the_merged_model_is_proven_and_is_pefts(way, tmp_path):
    merge(way.base, way.adapter, tmp_path / "merged")
    file = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    require_proven(verify_model(tmp_path / "merged", file, threads=1))
    tokens = some_tokens(rows_of(load_base(way.base)))
    expected = logits_of(
        load_adapted(way.base, way.adapter, dtype=torch.float32), tokens
    )
    with NativeModel(file) as native:
        assert nmse(native.logits(tokens), expected) < ROUNDED


def test_the_modelfile_of_the_gguf_is_that_of_the_folder(way):
    texts = [
        modelfile(ModelfileParts("./m.gguf", None, settings_of(each, OllamaWishes())))
        for each in (way.base, way.gguf)
    ]
    assert texts[0] == texts[1]
    assert "TEMPLATE" in texts[0]
    assert "stop" in texts[0]
