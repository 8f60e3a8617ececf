from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from convert.gguf.adapter import convert_adapter
from convert.gguf.file import Quantization
from convert.gguf.model import About, convert_model
from tests.convert.tiny_hf import HfFolders, save_pair

ABOUT = About("tiny")


@dataclass(frozen=True)
class GgufFiles:
    base: Path
    plain: Path
    activated: Path


def convert_pair(hf: HfFolders, folder: Path, quantization: Quantization) -> GgufFiles:
    return GgufFiles(
        *(
            convert_model(hf.base, folder / "base.gguf", ABOUT, quantization)
            if source is None
            else convert_adapter(
                source, hf.base, folder / f"{source.name}.gguf", ABOUT, quantization
            )
            for source in (None, hf.plain, hf.activated)
        )
    )


@pytest.fixture(scope="session")
def hf(tmp_path_factory: pytest.TempPathFactory) -> HfFolders:
    return save_pair(tmp_path_factory.mktemp("hf"))


@pytest.fixture(scope="session")
def gguf_f32(hf: HfFolders, tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return convert_pair(hf, tmp_path_factory.mktemp("gguf-f32"), "f32")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """More threads make models of this size slower, and busy machines much slower."""
    torch.set_num_threads(1)
