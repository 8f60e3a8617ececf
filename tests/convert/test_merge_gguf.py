"""A merged GGUF is its base with the adapter on it; what cannot be merged is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from typer.testing import CliRunner

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.contents import read_model
from convert.gguf.head import read_head
from convert.gguf.model import About, convert_model
from convert.gguf.tensors import stored_tensors
from convert.merge import merge
from convert.merge.gguf_merge import MergeType, merge_gguf
from convert.quantize import quantize
from convert.verify.merged_gguf import verify_merged
from convert.verify.result import require_verified
from convert.verify.texts import prose
from medassist.core.proofs import Verified
from medassist.core.tensors_hash import hash_of_tensors
from medassist.core.validated import validated
from tests import tiny_models
from tests.convert.conftest import GgufFiles, convert_pair
from tests.convert.families import save_family
from tests.convert.tiny_hf import LINEARS, HfFolders, save_pair
from tests.convert.tiny_lora import save_adapter
from tests.convert.verify import faults
from tests.tiny_models import TinyPair, write_adapter, write_model, write_pair

PROVEN = {"tensors", "metadata", "chat template"}
LOGITS = {"logits", "adapter effect", "greedy text"}
ADAPTED = "blk.0.attn_q.weight"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def q8(hf: HfFolders, tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return convert_pair(hf, tmp_path_factory.mktemp("q8"), "q8_0")


@pytest.fixture
def few_words(tmp_path: Path) -> Path:
    file = tmp_path / "few.txt"
    file.write_text(prose()[:3000], "utf-8")
    return file


def names(checks) -> set[str]:
    return {check.name for check in checks}


def said(found: Verified) -> str:
    return "; ".join(f"{check.name}: {check.said}" for check in found.failed)


def values(file: Path) -> dict[str, np.ndarray]:
    return {name: tensor.floats() for name, tensor in stored_tensors(file).items()}


def types(file: Path) -> dict[str, str]:
    return {tensor.name: tensor.type for tensor in read_model(file).tensors}


def proven(base: Path, adapter: Path, out: Path, **options) -> Verified:
    merge_gguf(base, adapter, out, **options)
    found = verify_merged(base, adapter, out, threads=1)
    assert found.passed, said(found)
    return found


KINDS = {
    "plain": {},
    "patterns": {
        "use_rslora": True,
        "rank_pattern": {"q_proj": 8, "layers.1.mlp.up_proj": 2},
        "alpha_pattern": {"v_proj": 5},
    },
    "embedding and output layer": {
        "target_modules": [*LINEARS, "embed_tokens", "lm_head"]
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_what_peft_merges_and_llama_cpp_computes_of_the_pair(tmp_path, kind):
    hf = save_pair(tmp_path / "hf", tied=False)
    peft = save_adapter(hf.base, tmp_path / "peft", **KINDS[kind])
    base = convert_model(hf.base, tmp_path / "base.gguf", None, "f32")
    adapter = tmp_path / "adapter.gguf"
    convert_adapter(peft, hf.base, adapter, About("tiny"), "f32")

    found = proven(base, adapter, tmp_path / "merged.gguf")

    assert names(found.checks) == PROVEN | LOGITS
    merge(hf.base, peft, tmp_path / "folder")
    whole = convert_model(tmp_path / "folder", tmp_path / "whole.gguf", None, "f32")
    wanted, is_now = values(whole), values(tmp_path / "merged.gguf")
    assert is_now.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(is_now[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["gpt2", "phi", "gemma3"])
def test_other_architectures_merge_too(tmp_path, family):
    model = save_family(family, tmp_path / "model")
    modules = ["c_attn", "c_fc"] if family == "gpt2" else "all-linear"
    peft = save_adapter(model, tmp_path / "peft", target_modules=modules)
    base = convert_model(model, tmp_path / "base.gguf", None, "f32")
    adapter = tmp_path / "adapter.gguf"
    convert_adapter(peft, model, adapter, About("tiny"), "f32")
    proven(base, adapter, tmp_path / "merged.gguf")


def test_a_quantized_base_is_decoded_and_becomes_f16(q8, tmp_path):
    out = tmp_path / "merged.gguf"
    found = proven(q8.base, q8.plain, out)
    assert "the pair as it is" in names(found.checks)
    assert found.quantization == "F16"
    before, after = types(q8.base), types(out)
    assert before[ADAPTED] == "Q8_0"
    assert {after[ADAPTED], after["token_embd.weight"]} == {"F16"}
    assert after["output_norm.weight"] == before["output_norm.weight"] == "F32"
    old, new = values(q8.base), values(out)
    kept = "token_embd.weight"
    assert np.array_equal(new[kept], old[kept].astype(np.float16).astype(np.float32))
    assert [*tmp_path.glob(".*")] == []  # the decoded base was taken away


def test_weights_that_a_small_adapter_leaves_alone_are_proven_as_tightly(
    q8, gguf_f32, tmp_path
):
    """Left in the base's type they would round in a noise that hides the rest."""
    some = {
        name: tensor.floats()
        for name, tensor in stored_tensors(gguf_f32.plain).items()
        if "attn_q" in name
    }
    adapter = write_adapter(tmp_path / "small.gguf", some)
    found = proven(q8.base, adapter, tmp_path / "merged.gguf")
    logits = next(check for check in found.checks if check.name == "logits")
    assert logits.figures["NMSE limit"] == 1e-4


@pytest.mark.parametrize("kind", ["f32", "bf16", "q8_0"])
def test_the_changed_weights_become_what_is_asked_for(
    gguf_f32, tmp_path, few_words, kind: MergeType
):
    out = tmp_path / "merged.gguf"
    made = merge_gguf(gguf_f32.base, gguf_f32.plain, out, outtype=kind)
    assert made.types == (kind.upper(),)
    found = verify_merged(gguf_f32.base, gguf_f32.plain, out, text=few_words, threads=1)
    assert found.passed, said(found)
    assert (found.loss is not None) == (kind == "q8_0")
    assert found.quantization == kind.upper()
    assert any("quantized anew" in note for note in made.notes) == (kind == "q8_0")


@pytest.fixture(scope="module")
def k_quants(tmp_path_factory):
    """A base in Q5_K_M whose rows are whole blocks, and an adapter of it."""
    folder = tmp_path_factory.mktemp("k")
    made = tiny_models.tokenizer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "EMBEDDING", 256)
        patch.setattr(tiny_models, "FEED_FORWARD", 256)
        patch.setattr(tiny_models, "HEAD", 256 // tiny_models.HEADS)
        patch.setattr(tiny_models, "LAYERS", 1)
        weights = tiny_models.random_weights(made.get_vocab_size(), 3)
        weights["output.weight"] *= 0.3  # as little sure of itself as a trained model
        whole = write_model(folder / "whole.gguf", weights, made)
    quantize(whole, folder / "base.gguf", ["Q5_K_M"], threads=1)
    adapter = tiny_models.random_adapter(weights, 5)
    return folder / "base.gguf", write_adapter(folder / "adapter.gguf", adapter)


def test_the_base_s_own_types_are_written_by_llama_cpp_s_quantizer(
    k_quants, tmp_path, few_words
):
    base, adapter = k_quants
    out = tmp_path / "merged.gguf"
    made = merge_gguf(base, adapter, out, outtype="base", threads=1)
    assert set(made.types) == {"Q5_K", "Q6_K"}
    assert types(out) == types(base)
    assert read_model(out).quantization == "Q5_K_M"
    old, new = stored_tensors(base), stored_tensors(out)
    for name in ("token_embd.weight", "output.weight"):
        assert bytes(old[name].raw()) == bytes(new[name].raw())
    found = verify_merged(base, adapter, out, text=few_words, threads=1)
    assert found.passed, said(found)
    share = next(c for c in found.checks if c.name == "tensors").figures
    assert 0.9 < share["share of the change"] < 1.1


def test_types_too_coarse_for_a_weak_adapter_are_told(k_quants, tmp_path, few_words):
    base, _ = k_quants
    weak = {
        name: tensor.floats() * np.float32(0.03)
        for name, tensor in stored_tensors(k_quants[1]).items()
    }
    adapter = write_adapter(tmp_path / "weak.gguf", weak)
    out = tmp_path / "merged.gguf"
    # What a quantizer makes of it that finds the old steps again: the base.
    merge_gguf(base, adapter, out, outtype="f16")
    proof = verify_merged(base, adapter, out, threads=1)
    assert proof.passed, said(proof)
    faults.changed(base, out, lambda _: None)
    lost = verify_merged(base, adapter, out, text=few_words, threads=1)
    assert names(lost.failed) == {"tensors"}
    assert "too coarse" in said(lost)


def test_a_split_base_is_read_whole(tiny, tmp_path):
    made = tiny_models.tokenizer()
    write_model(tmp_path / "base.gguf", tiny.weights, made, shard_tensors=7)
    first = min(tmp_path.glob("base-00001-of-*.gguf"))
    proven(first, tiny.plain, tmp_path / "merged.gguf")
    merge_gguf(tiny.base, tiny.plain, tmp_path / "other.gguf")
    wanted, found = values(tmp_path / "other.gguf"), values(tmp_path / "merged.gguf")
    assert {n: v.tobytes() for n, v in found.items()} == {
        n: v.tobytes() for n, v in wanted.items()
    }
    assert not any(
        k.startswith("split.") for k in read_head(tmp_path / "merged.gguf").values
    )


def test_what_the_base_says_of_itself_is_taken_over_as_it_is_stored(tiny, tmp_path):
    """A file of another alignment would be read in the wrong places."""
    made = tiny_models.tokenizer()
    plain = write_model(tmp_path / "plain.gguf", tiny.weights, made)
    reader = gguf.GGUFReader(plain)
    writer = gguf.GGUFWriter(tmp_path / "base.gguf", "llama")
    writer.add_custom_alignment(64)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        inner = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    writer.add_license("apache-2.0")
    writer.add_key_value("odd.u8", 7, gguf.GGUFValueType.UINT8)
    writer.add_key_value(
        "odd.list", [1, 2], gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.UINT16
    )
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    proven(tmp_path / "base.gguf", tiny.plain, tmp_path / "merged.gguf")

    old, new = read_head(tmp_path / "base.gguf"), read_head(tmp_path / "merged.gguf")
    changed = {k for k in old.values if old.values[k] != new.values.get(k)}
    assert changed == {"general.alignment", "general.name"}
    assert new.values["general.name"] == "Tiny + tiny-plain"
    for key in ("odd.u8", "odd.list", "tokenizer.ggml.token_type"):
        assert old.entries[key].kind == new.entries[key].kind
        assert old.entries[key].inner == new.entries[key].inner


def test_the_template_that_the_adapter_was_taught_in_goes_with_it(tiny, tmp_path):
    taught = tiny_models.TEMPLATE.replace("<|user|>", "<|system|>") + " "
    adapter = tmp_path / "taught.gguf"
    writer = gguf.GGUFWriter(adapter, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16.0)
    writer.add_license("cc-by-4.0")
    writer.add_chat_template(taught)
    for name, tensor in stored_tensors(tiny.plain).items():
        writer.add_tensor(name, tensor.floats())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    made = merge_gguf(tiny.base, adapter, tmp_path / "merged.gguf")
    assert verify_merged(tiny.base, adapter, made.file, threads=1).passed
    facts = read_model(made.file)
    assert facts.template == taught
    assert facts.values["general.license"] == "cc-by-4.0"
    assert any("the adapter's own" in note for note in made.notes)


def lora(change=None, **options):
    """The adapter of the tiny pair, changed."""

    def make(tiny: TinyPair, folder: Path) -> Path:
        tensors = {n: t.floats().copy() for n, t in stored_tensors(tiny.plain).items()}
        if change is not None:
            change(tensors)
        return write_adapter(folder / "adapter.gguf", tensors, **options)

    return make


def narrow(tensors):
    tensors[f"{ADAPTED}.lora_a"] = tensors[f"{ADAPTED}.lora_a"][:, :-32].copy()


def text_file(folder: Path) -> Path:
    (folder / "adapter.gguf").write_text("not a model at all", "utf-8")
    return folder / "adapter.gguf"


REFUSED = {
    "activated": (lora(invocation=[3]), "only from its invocation tokens on"),
    "another architecture": (lora(architecture="qwen2"), "for qwen2, and .* is llama"),
    "another shape": (narrow, r"does not fit .*attn_q.*\(64, 64\).*\(32, 8\)"),
    "another name": (
        lambda t: t.update({f"x.weight.lora_{s}": np.ones((8, 8)) for s in "ab"}),
        "has no x.weight; give the adapter that was trained on this model",
    ),
    "half of a pair": (lambda t: t.pop(f"{ADAPTED}.lora_b"), "lacks .*lora_b"),
    "a whole tensor": (
        lambda t: t.update({"output_norm.weight": np.ones(64)}),
        "output_norm.weight, which is no part of a LoRA",
    ),
    "a whole model": (lambda tiny, _: tiny.base, "an adapter is expected"),
    "no GGUF": (lambda _, folder: text_file(folder), "is no GGUF file"),
    "a folder": (lambda _, folder: folder, "make it one first: .*convert adapter"),
    "nothing": (lambda _, folder: folder / "none.gguf", "cannot be read"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_merged_is_refused_with_the_reason(tiny, tmp_path, what):
    make, reason = REFUSED[what]
    if make.__code__.co_argcount == 1:
        make = lora(make)
    adapter = make(tiny, tmp_path)
    out = tmp_path / "merged.gguf"
    with pytest.raises(ConvertError, match=reason):
        merge_gguf(tiny.base, adapter, out)
    assert not out.exists()


def test_an_embedding_that_is_the_output_layer_too_cannot_be_adapted_alone(tmp_path):
    made = tiny_models.tokenizer()
    weights = tiny_models.random_weights(made.get_vocab_size(), 3)
    del weights["output.weight"]
    rows = len(weights["token_embd.weight"])
    base = write_model(tmp_path / "base.gguf", weights, made)
    adapter = write_adapter(
        tmp_path / "adapter.gguf",
        {
            "token_embd.weight.lora_a": np.ones((rows, 4), np.float32),
            "token_embd.weight.lora_b": np.ones((64, 4), np.float32),
        },
    )
    with pytest.raises(ConvertError, match="are one tensor"):
        merge_gguf(base, adapter, tmp_path / "merged.gguf")


@pytest.mark.parametrize("name", ["base.gguf", "adapter.gguf"])
def test_what_is_merged_is_never_written_over(tiny, tmp_path, name):
    base = shutil.copyfile(tiny.base, tmp_path / "base.gguf")
    adapter = shutil.copyfile(tiny.plain, tmp_path / "adapter.gguf")
    with pytest.raises(ConvertError, match="is what is merged"):
        merge_gguf(base, adapter, tmp_path / name, force=True)
    assert base.read_bytes() == tiny.base.read_bytes()


def test_a_file_that_is_there_is_replaced_only_when_asked(tiny, tmp_path):
    out = tmp_path / "merged.gguf"
    out.write_text("mine", "utf-8")
    with pytest.raises(ConvertError, match="--force"):
        merge_gguf(tiny.base, tiny.plain, out)
    assert out.read_text("utf-8") == "mine"
    merge_gguf(tiny.base, tiny.plain, out, force=True)
    assert read_model(out).quantization == "F32"


@pytest.mark.parametrize(("spoil", "kind"), [(np.nan, None), (1e9, "f16")])
def test_a_change_that_no_number_holds_is_refused_and_nothing_is_left(
    tiny, tmp_path, spoil, kind
):
    def spoiled(tensors):
        tensors[f"{ADAPTED}.lora_b"][0, 0] = spoil

    adapter = lora(spoiled)(tiny, tmp_path)
    with pytest.raises(ConvertError, match=f"the merged {ADAPTED} would hold"):
        merge_gguf(tiny.base, adapter, tmp_path / "merged.gguf", outtype=kind)
    assert [file.name for file in tmp_path.iterdir()] == ["adapter.gguf"]


def forgotten(reader):
    """One tensor as the base has it."""
    faults.tensor(reader, "blk.1.ffn_up.weight").data[:] = BASE["blk.1.ffn_up.weight"]


def another_norm(reader):
    faults.tensor(reader, "output_norm.weight").data[:] *= 1.01


def another_end(reader):
    faults.lost_end(reader)


BASE: dict[str, np.ndarray] = {}
FAULTS = {
    forgotten: ("tensors", "blk.1.ffn_up.weight is not base"),
    another_norm: ("tensors", "output_norm.weight is not the base's"),
    another_end: ("metadata", "tokenizer.ggml.eos_token_id is not the base's"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_merged_file_that_is_wrong_fails_by_the_check_that_names_it(
    tiny, tmp_path, fault
):
    BASE.update(values(tiny.base))
    out = tmp_path / "merged.gguf"
    merge_gguf(tiny.base, tiny.plain, out)
    faults.changed(out, tmp_path / "w" / "wrong.gguf", fault)
    wrong = tmp_path / "w" / "wrong.gguf"
    found = verify_merged(tiny.base, tiny.plain, wrong, threads=1)
    check, words = FAULTS[fault]
    assert names(found.failed) == {check}
    assert words in said(found)
    with pytest.raises(ConvertError, match="did not pass"):
        require_verified(wrong)


def test_the_logits_find_a_scale_that_ours_would_read_wrongly(
    tiny, tmp_path, monkeypatch
):
    """What is held against llama.cpp: our own reading of the adapter."""
    from convert.gguf import lora as reading

    right = reading._lora
    twice = lambda *given: replace(right(*given), scale=2 * right(*given).scale)  # noqa: E731
    monkeypatch.setattr(reading, "_lora", twice)
    out = tmp_path / "merged.gguf"
    merge_gguf(tiny.base, tiny.plain, out)
    found = verify_merged(tiny.base, tiny.plain, out, threads=1)
    assert LOGITS >= names(found.failed) >= {"logits", "adapter effect"}


def test_an_adapter_without_an_alpha_counts_as_llama_cpp_counts_it(tiny, tmp_path):
    adapter = tmp_path / "adapter.gguf"
    writer = gguf.GGUFWriter(adapter, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    for name, tensor in stored_tensors(tiny.plain).items():
        writer.add_tensor(name, tensor.floats())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    proven(tiny.base, adapter, tmp_path / "merged.gguf")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_verb_merges_proves_and_publish_takes_the_file(tiny, tmp_path):
    out = tmp_path / "merged.gguf"
    made = run("merge", tiny.base, tiny.plain, out, "--threads", 1, "--json")
    assert made.exit_code == 0, made.output
    record = json.loads(made.stdout)
    assert record["verified"] is True
    assert record["changed"] == 14
    proof = require_verified(out)
    assert proof.sha256 == record["sha256"]
    assert proof.tensors == hash_of_tensors(out)
    assert proof.model == "tiny-base.gguf + tiny-plain.gguf"
    assert proof.adapter_sha256
    sent = run("publish", "tiny", out, "--dry-run")
    assert sent.exit_code == 0, sent.output
    assert "unverified" not in sent.output
    sent = run("publish", "tiny", out, "--dry-run", "--unverified")
    assert "would be published without asking for proofs" in sent.output

    again = run(
        *("verify", tiny.base, out, "--adapter-gguf", tiny.plain, "--json"),
        *("--threads", 1),
    )
    assert again.exit_code == 0, again.output
    assert validated(Verified, json.loads(again.stdout)).sha256 == proof.sha256


def test_a_folder_and_a_gguf_are_not_merged_with_each_other(hf, tiny, tmp_path):
    out = tmp_path / "merged.gguf"
    mixed = run("merge", hf.base, tiny.plain, out)
    assert isinstance(mixed.exception, ConvertError)
    typed = run("merge", hf.base, hf.plain, tmp_path / "m", "--outtype", "f16")
    assert "--outtype is for GGUFs" in str(typed.exception)
    unknown = run("merge", tiny.base, tiny.plain, out, "--outtype", "q4")
    assert "is no type of a merged GGUF" in str(unknown.exception)
    assert not out.exists()
