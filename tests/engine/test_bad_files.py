from __future__ import annotations

from pathlib import Path

import pytest

from medassist.core.errors import EngineError, ModelFileError
from medassist.core.values import PairFiles
from tests.engine.conversation import answers, question, tiny_engine
from tests.tiny_models import (
    TEMPLATE,
    TinyPair,
    random_adapter,
    random_weights,
    tokenizer,
    write_adapter,
    write_model,
)


async def complaint(files: PairFiles) -> str:
    engine = tiny_engine(files)
    with pytest.raises(EngineError) as caught:
        await engine.start()
    assert engine.state == "dead"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.gguf", None, "there is no such file"),
        ("empty.gguf", b"", "an empty file"),
        ("notes.gguf", b"Patient notes, not a model.", "a file of another kind"),
        ("old.gguf", b"GGUF\x01\x00\x00\x00" + bytes(64), "GGUF of version 1"),
        ("huge.gguf", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, "damaged"),
    ],
)
async def test_what_is_no_model_is_named(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    text = await complaint(PairFiles(base=path))
    assert str(path) in text
    assert words in text


async def test_a_folder_is_named(tmp_path: Path) -> None:
    assert "found a folder" in await complaint(PairFiles(base=tmp_path))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.6, 0.999])
async def test_a_truncated_model_is_told_as_cut_off(
    tiny: TinyPair, tmp_path: Path, share: float
) -> None:
    whole = tiny.base.read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[: int(len(whole) * share)])
    text = await complaint(PairFiles(base=path))
    assert str(path) in text
    assert "cut off" in text or "damaged" in text


async def test_flipped_bytes_are_an_error_or_a_model_and_never_the_apps_end(
    tiny: TinyPair, tmp_path: Path
) -> None:
    whole = tiny.base.read_bytes()
    outcomes: set[str] = set()
    for place in (5, 9, 17, 26, 60, 300, 1_100, 2_500, 7_000, 11_000, 12_500):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path = tmp_path / f"flipped-{place}.gguf"
        path.write_bytes(broken)
        engine = tiny_engine(PairFiles(base=path))
        try:
            await engine.start()
            await answers(engine, question("Why?"))
            outcomes.add("answered")
        except EngineError as error:
            assert path.name in str(error)
            outcomes.add("refused")
        finally:
            await engine.close()
    assert "refused" in outcomes


async def test_an_adapter_given_as_a_model_is_told(tiny: TinyPair) -> None:
    text = await complaint(PairFiles(base=tiny.plain))
    assert "found an adapter" in text


async def test_a_model_given_as_an_adapter_is_told(tiny: TinyPair) -> None:
    text = await complaint(PairFiles(base=tiny.base, adapter=tiny.merged))
    assert "expected an adapter" in text


async def test_an_adapter_of_another_model_is_told(
    tiny: TinyPair, tmp_path: Path
) -> None:
    other = {
        key: value[: len(value) // 2] if key.endswith("lora_b") else value
        for key, value in random_adapter(tiny.weights, 3).items()
    }
    path = write_adapter(tmp_path / "other.gguf", other)
    text = await complaint(PairFiles(base=tiny.base, adapter=path))
    assert "does not fit tiny-base.gguf" in text
    foreign = write_adapter(tmp_path / "qwen.gguf", other, architecture="qwen2")
    text = await complaint(PairFiles(base=tiny.base, adapter=foreign))
    assert "qwen2" in text


async def test_a_damaged_adapter_is_blamed_and_not_its_base(
    tiny: TinyPair, tmp_path: Path
) -> None:
    half = random_adapter(tiny.weights, 3)
    del half["blk.0.attn_q.weight.lora_b"]
    path = write_adapter(tmp_path / "half.gguf", half)
    text = await complaint(PairFiles(base=tiny.base, adapter=path))
    assert text.startswith(f"{path}: llama.cpp cannot use this adapter.")
    assert "missing one component" in text
    assert "base" not in text.lower()


async def test_an_architecture_that_llama_does_not_know_is_not_converted_again(
    tiny: TinyPair, tmp_path: Path
) -> None:
    whole = tiny.base.read_bytes()
    path = tmp_path / "new.gguf"
    path.write_bytes(whole.replace(b"llama", b"lamma"))
    text = await complaint(PairFiles(base=path))
    assert "unknown model architecture: 'lamma'" in text
    assert "Take a later build" in text


async def test_an_adapter_switched_on_by_an_unknown_token_is_told(
    tiny: TinyPair, tmp_path: Path
) -> None:
    adapter = random_adapter(tiny.weights, 3)
    path = write_adapter(tmp_path / "far.gguf", adapter, [70_000])
    assert "70000" in await complaint(PairFiles(base=tiny.base, adapter=path))


async def test_a_vocabulary_without_weights_is_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "vocabulary.gguf", {}, tokenizer())
    assert "a vocabulary without weights" in await complaint(PairFiles(base=path))


async def test_a_model_that_lacks_a_tensor_is_told(
    tiny: TinyPair, tmp_path: Path
) -> None:
    weights = {k: v for k, v in tiny.weights.items() if "ffn_down" not in k}
    path = write_model(tmp_path / "gap.gguf", weights, tiny.tokenizer)
    text = await complaint(PairFiles(base=path))
    assert "cannot load this model" in text
    assert "ffn_down" in text


async def test_the_user_is_told_of_a_missing_template_and_end_token(
    tmp_path: Path,
) -> None:
    made = tokenizer()
    weights = random_weights(made.get_vocab_size(), 1)
    path = write_model(tmp_path / "bare.gguf", weights, made, template=None, end=False)
    async with tiny_engine(PairFiles(base=path)) as engine:
        assert engine.loaded is not None
        notices = engine.loaded.notices
        assert engine.loaded.panes["base"].template == "plain"
        assert (await answers(engine, question("Why?")))["base"].figures.tokens_written
    assert any("no chat template" in n for n in notices)
    assert any("no end token" in n for n in notices)


async def test_the_user_is_told_that_an_adapter_is_never_switched_on(
    tiny: TinyPair, tmp_path: Path
) -> None:
    template = TEMPLATE.replace("{{ '<|assistant|>' }}", "Answer:")
    path = write_model(
        tmp_path / "other.gguf", tiny.weights, tiny.tokenizer, template=template
    )
    async with tiny_engine(PairFiles(base=path, adapter=tiny.activated)) as engine:
        assert engine.loaded is not None
        assert any("never writes" in n for n in engine.loaded.notices)


async def test_a_template_that_hangs_ends_as_an_error_and_the_child_lives(
    tiny: TinyPair, tmp_path: Path
) -> None:
    nested = "{% for a in range(99999) %}{% for b in range(99999) %}"
    template = (
        "{% if messages[0].content == 'hang' %}"
        + nested
        + "{% endfor %}{% endfor %}{% endif %}"
        + TEMPLATE
    )
    path = write_model(
        tmp_path / "slow.gguf", tiny.weights, tiny.tokenizer, template=template
    )
    async with tiny_engine(PairFiles(base=path)) as engine:
        with pytest.raises(EngineError, match=r"slow\.gguf: the chat template"):
            await answers(engine, question("hang"))
        assert (await answers(engine, question("Why?")))["base"].text


async def test_a_model_file_error_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "nothing.gguf"
    with pytest.raises(ModelFileError) as caught:
        await tiny_engine(PairFiles(base=path)).start()
    assert caught.value.file == path


async def test_a_model_split_over_files_is_loaded_by_its_first(
    tiny: TinyPair, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.gguf", tiny.weights, tiny.tokenizer, shard_tensors=8)
    first, *others = sorted(tmp_path.glob("m-*.gguf"))
    assert others
    async with tiny_engine(PairFiles(base=first)) as engine:
        split = await answers(engine, question("Why?"))
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        whole = await answers(engine, question("Why?"))
    assert split["base"].text == whole["base"].text
    others[0].unlink()
    assert "is not beside it" in await complaint(PairFiles(base=first))
