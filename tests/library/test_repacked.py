"""What llama.cpp copies of the weights on loading is in the estimate."""

from __future__ import annotations

import ctypes
import platform
import re
from pathlib import Path

import llama_cpp.llama_cpp as llama
import pytest

from convert.quantize import quantize
from medassist.core.gguf import read_header
from medassist.core.values import EngineOptions, PairFiles
from medassist.library import fit
from medassist.library.repacked import copied_types, repacked_bytes
from tests import tiny_models

COPIED = re.compile(r"CPU_REPACK model buffer size =\s+([\d.]+) MiB")
MIB = 2**20
WIDE = 2048
"""Inner rows of a layer: llama.cpp writes hundredths of a MiB."""


def copied_by_llama_cpp(model: Path) -> float:
    """Bytes, as it says itself while it loads."""
    said: list[str] = []

    @llama.llama_log_callback
    def listen(_level, text, _data):
        said.append(text.decode(errors="replace"))

    llama.llama_log_set(listen, ctypes.c_void_p(0))
    llama.llama_backend_init()
    params = llama.llama_model_default_params()
    params.n_gpu_layers = 0
    loaded = llama.llama_model_load_from_file(str(model).encode(), params)
    assert loaded
    llama.llama_model_free(loaded)
    found = COPIED.search("".join(said))
    return MIB * float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """A model whose inner matrices are wide, in F32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "FEED_FORWARD", WIDE)
        weights = tiny_models.random_weights(400, 7)
        file = tmp_path_factory.mktemp("wide") / "wide.gguf"
        return tiny_models.write_model(file, weights, tiny_models.tokenizer())


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q5_1"])
def test_the_copy_is_as_large_as_llama_cpp_says(wide, tmp_path, kind) -> None:
    (made,) = quantize(wide, tmp_path / "q.gguf", [kind]).files
    wanted = copied_by_llama_cpp(made.file)
    assert repacked_bytes(read_header(made.file)) == pytest.approx(
        wanted, abs=0.006 * MIB
    )
    if kind == "Q4_0" and platform.machine() in ("x86_64", "aarch64"):
        assert wanted > 0.1 * MIB  # else nothing was compared


def test_it_stands_in_the_need_once_for_both_panes_and_not_on_a_gpu(
    wide, tmp_path
) -> None:
    (made,) = quantize(wide, tmp_path / "q.gguf", ["Q4_0"]).files
    one = fit.need(PairFiles(base=made.file), EngineOptions(gpu_layers=0))
    assert one.copied == repacked_bytes(read_header(made.file))
    assert one.total == one.weights + one.copied + one.kv + one.compute + one.process
    same = PairFiles(base=made.file, tuned=made.file)
    assert fit.need(same, EngineOptions(gpu_layers=0)).copied == one.copied
    on_gpu = EngineOptions(gpu_layers=99)
    assert fit.need(PairFiles(base=made.file), on_gpu).copied == 0


def test_which_types_are_copied_depends_on_the_processor() -> None:
    none = frozenset[str]()
    assert "Q4_0" in copied_types("x86_64", frozenset(("avx2",)))
    assert "Q2_K" not in copied_types("x86_64", frozenset(("avx2",)))
    assert "Q2_K" in copied_types("x86_64", frozenset(("avx2", "avx512f")))
    assert copied_types("x86_64", frozenset(("sse2",))) == none
    assert "Q4_0" in copied_types("amd64", none)  # not readable: as nearly all can
    assert "Q8_0" in copied_types("arm64", none)
    assert copied_types("s390x", none) == none
