from __future__ import annotations

from pathlib import Path

import pytest

from medassist.core.errors import ModelFileError
from medassist.core.values import (
    DEFAULT_CONTEXT,
    EngineOptions,
    Message,
    PairFiles,
    Sampling,
)
from medassist.engine.client import Engine
from medassist.engine.wire import Question
from medassist.library import fit
from medassist.starter import small_pair
from tests.tiny_models import (
    CONTEXT,
    HEAD,
    KV_HEADS,
    LAYERS,
    TinyPair,
    write_model,
)


def test_the_cache_is_what_llama_cpp_allocates(tiny: TinyPair) -> None:
    one = fit.need(PairFiles(base=tiny.base))
    both = fit.need(PairFiles(base=tiny.base, adapter=tiny.plain))
    cell = LAYERS * KV_HEADS * 2 * HEAD
    assert one.kv == CONTEXT * cell * 2
    assert both.kv == 2 * one.kv
    quantized = fit.need(PairFiles(base=tiny.base), EngineOptions(kv="q8_0"))
    assert quantized.kv == CONTEXT * cell * 34 // 32


def test_a_base_that_both_panes_use_is_counted_once(tiny: TinyPair) -> None:
    pair = fit.need(PairFiles(base=tiny.base, adapter=tiny.plain))
    size = tiny.base.stat().st_size
    assert pair.weights == size + tiny.plain.stat().st_size
    two = fit.need(PairFiles(base=tiny.base, tuned=tiny.merged))
    assert two.weights == size + tiny.merged.stat().st_size


def test_an_adapter_on_weights_of_its_own_has_them_counted(tiny: TinyPair) -> None:
    pair = PairFiles(base=tiny.base, adapter=tiny.activated)
    beside = pair.with_pane("base", (tiny.merged,))
    assert fit.weight_bytes(beside) == sum(
        path.stat().st_size for path in (tiny.merged, tiny.base, tiny.activated)
    )
    # Nothing that one pane has read is kept for the other.
    two = PairFiles(base=tiny.merged, tuned=tiny.base)
    assert fit.need(beside).compute == fit.need(two).compute
    assert fit.need(pair).compute > fit.need(two).compute


def test_a_context_longer_than_the_model_knows_takes_no_more(tiny: TinyPair) -> None:
    base = PairFiles(base=tiny.base)
    longest = fit.need(base, EngineOptions(context=CONTEXT))
    assert fit.need(base, EngineOptions(context=CONTEXT * 64)) == longest
    assert fit.need(base, EngineOptions(context=256)).kv == longest.kv * 256 // CONTEXT


def test_it_fits_is_tight_or_does_not(tiny: TinyPair) -> None:
    need = fit.need(PairFiles(base=tiny.base))
    assert need.verdict(need.total * 2) == "fits"
    assert need.verdict(need.total + 1) == "tight"
    assert need.verdict(need.total - 1) == "does not fit"
    assert need.verdict(None) == "not known"


def test_a_model_with_layers_of_other_widths_is_added_up_as_it_will_be_loaded(
    tmp_path: Path,
) -> None:
    import gguf

    path = tmp_path / "layers.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(3)
    writer.add_head_count(4)
    writer.add_head_count_kv([4, 2, 0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    slow = fit.need(PairFiles(base=path), EngineOptions(gpu_layers=0))
    assert slow.kv == 512 * ((4 + 2) + 3 * 4) * 16 * 2
    options = EngineOptions(gpu_layers=0, flash_attention=True)
    fast = fit.need(PairFiles(base=path), options)
    assert fast.kv == 512 * (4 + 2) * 2 * 16 * 2
    assert fast.compute < slow.compute


async def test_the_estimate_is_near_what_a_loaded_pair_takes() -> None:
    files = small_pair().files
    engine = Engine(files, EngineOptions())
    try:
        await engine.start()
        long = "What is asthma? " * 330  # touches most of the cache
        question = Question(
            messages=(Message(role="user", content=long),),
            sampling=Sampling(max_tokens=1),
        )
        async for _ in engine.ask(dict.fromkeys(files.panes, question)):
            pass
        measured = engine.memory()
    finally:
        await engine.close()
    assert measured is not None
    # Measured on Linux: 1.12, with f16; 1.01 with q8_0.
    assert 0.9 < fit.need(files).total / measured < 1.4


def test_damaged_figures_make_no_absurd_ones(tiny: TinyPair, tmp_path: Path) -> None:
    def claiming(context: int) -> PairFiles:
        path = tmp_path / f"{context}.gguf"
        write_model(path, tiny.weights, tiny.tokenizer, context=context)
        return PairFiles(base=path)

    usual = fit.need(claiming(DEFAULT_CONTEXT))
    assert fit.need(claiming(2**28)) == usual
    with pytest.raises(ModelFileError, match="context_length is 2,147"):
        fit.need(claiming(2**31 - 1))
