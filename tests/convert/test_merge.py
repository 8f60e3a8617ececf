"""A merged model is what PEFT computes with base and adapter, to the last bit."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from convert.errors import ConvertError
from convert.merge import merge, read_record
from convert.merge.arithmetic import BLOCK
from medassist.core.files import sha256_of_file
from tests.convert.families import change_json, save_family, some_tokens
from tests.convert.native import nmse
from tests.convert.tiny_hf import tiny_tokenizer
from tests.convert.tiny_lora import (
    LINEARS,
    load_adapted,
    load_base,
    logits_of,
    save_adapter,
)

TOKENS = [0, 5, 9, 44, 3, 99, 98, 1]
ROWS = 100


def save_llama(folder, *, dtype=torch.float32, shard="5GB", **settings):
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=ROWS,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        **settings,
    )
    model = AutoModelForCausalLM.from_config(config).to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def weights_of(folder):
    files = folder.glob("*.safetensors")
    return {name: t for file in files for name, t in load_file(file).items()}


def merged(base, adapter, out, **options):
    merge(base, adapter, out, **options)
    return AutoModelForCausalLM.from_pretrained(out, dtype="auto").eval()


@pytest.fixture
def base(tmp_path):
    return save_llama(tmp_path / "base")


PLAIN = {
    "lora": {},
    "patterns": {
        "use_rslora": True,
        "rank_pattern": {"q_proj": 8, "layers.1.mlp.up_proj": 2},
        "alpha_pattern": {"v_proj": 5},
    },
    "dora": {"use_dora": True},
    "norms": {"modules_to_save": ["norm", "lm_head"]},
    "tokens": {"trainable_token_indices": [3, 99]},
    "output": {"target_modules": ["lm_head", "q_proj"]},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", PLAIN)
def test_the_merged_weights_are_those_of_peft_bit_for_bit(tmp_path, kind, dtype):
    base = save_llama(tmp_path / "base", dtype=dtype)
    adapter = save_adapter(base, tmp_path / "adapter", **PLAIN[kind])
    merge(base, adapter, tmp_path / "out")
    found = weights_of(tmp_path / "out")
    expected = load_adapted(base, adapter).merge_and_unload().state_dict()
    assert found.keys() == expected.keys()
    before = weights_of(base)
    assert any(not torch.equal(found[name], before[name]) for name in found)
    for name, weight in expected.items():
        assert found[name].dtype == dtype
        assert torch.equal(found[name], weight), name


def test_an_adapted_embedding_is_rounded_once_where_peft_rounds_twice(tmp_path):
    base = save_llama(tmp_path / "base", dtype=torch.bfloat16)
    adapter = save_adapter(
        base, tmp_path / "adapter", target_modules=["embed_tokens", "q_proj"]
    )
    merge(base, adapter, tmp_path / "out")
    name = "model.embed_tokens.weight"
    exact, peft = (
        load_adapted(base, adapter, dtype=dtype).merge_and_unload().state_dict()[name]
        for dtype in (torch.float32, torch.bfloat16)
    )
    found = weights_of(tmp_path / "out")[name]
    assert torch.equal(found, exact.to(torch.bfloat16))
    assert not torch.equal(peft, exact.to(torch.bfloat16))


@pytest.mark.parametrize(
    "lora", [{"bias": "all"}, {"bias": "lora_only"}, {"lora_bias": True}]
)
def test_trained_biases_are_merged_too(tmp_path, lora):
    base = save_llama(tmp_path / "base", attention_bias=True, mlp_bias=True)
    adapter = save_adapter(base, tmp_path / "adapter", **lora)
    merge(base, adapter, tmp_path / "out")
    found = weights_of(tmp_path / "out")
    expected = load_adapted(base, adapter).merge_and_unload().state_dict()
    biases = [name for name in expected if name.endswith("bias")]
    before = weights_of(base)
    assert all(not torch.equal(expected[name], before[name]) for name in biases)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "family",
    [
        "mistral",
        "qwen3",
        "gemma3-pattern",
        "gemma3-images",
        "phi",
        "gpt2",
        "distilgpt2",
    ],
)
@pytest.mark.parametrize("use_dora", [False, True])
def test_every_family_is_merged(tmp_path, family, use_dora):
    base = save_family(family, tmp_path / "base")
    adapter = save_adapter(
        base, tmp_path / "adapter", target_modules="all-linear", use_dora=use_dora
    )
    found = merged(base, adapter, tmp_path / "out").state_dict()
    expected = load_adapted(base, adapter).merge_and_unload().state_dict()
    assert {t.dtype for t in found.values()} == {t.dtype for t in expected.values()}
    turned = use_dora and family.endswith("gpt2")  # norms are summed more exactly
    for name, weight in expected.items():
        if turned:
            step = torch.finfo(weight.dtype).eps * weight.abs().max()
            assert (found[name] - weight).abs().max() <= 8 * step, name
        else:
            assert torch.equal(found[name], weight), name


# Where embedding and output layer are one tensor, merge_and_unload is no measure: it
# gives both what only one should get. The adapted model is.
TIED = {
    "output adapted": ({"target_modules": ["lm_head", "q_proj"]}, 0, True),
    "embedding adapted": ({"target_modules": ["embed_tokens"]}, 0, True),
    "both adapted": ({"target_modules": ["embed_tokens", "lm_head"]}, 0, True),
    "both adapted alike": (
        {"target_modules": ["embed_tokens"], "ensure_weight_tying": True},
        0,
        False,
    ),
    "output trained": ({"modules_to_save": ["lm_head"]}, 0, True),
    "embedding trained": ({"modules_to_save": ["embed_tokens"]}, 0, True),
    "both trained": ({"modules_to_save": ["embed_tokens", "lm_head"]}, 0, True),
    "both trained alike": (
        {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        0,
        False,
    ),
    "tokens": ({"trainable_token_indices": [1, 99]}, 0, False),
    "tokens of each": (
        {"trainable_token_indices": {"embed_tokens": [5, 9], "lm_head": [3]}},
        0,
        True,
    ),
    "resized": ({}, 103, False),
    "resized and trained": ({"modules_to_save": ["embed_tokens"]}, 103, True),
    "resized and adapted": ({"target_modules": ["embed_tokens"]}, 103, True),
    "resized and tokens": ({"trainable_token_indices": [1, 101]}, 103, False),
}


@pytest.mark.parametrize("kind", TIED)
def test_tied_weights_stay_tied_only_where_both_change_alike(tmp_path, kind):
    lora, rows, untied = TIED[kind]
    base = save_llama(tmp_path / "base", tie_word_embeddings=True)
    adapter = save_adapter(base, tmp_path / "adapter", rows=rows, **lora)
    model = merged(base, adapter, tmp_path / "out")
    expected = logits_of(load_adapted(base, adapter, rows), TOKENS)
    assert nmse(logits_of(model, TOKENS), expected) < 1e-10
    assert nmse(logits_of(load_base(base, rows), TOKENS), expected) > 1e-3
    assert ("lm_head.weight" in weights_of(tmp_path / "out")) is untied
    assert model.config.tie_word_embeddings is not untied
    assert model.config.vocab_size == (rows or ROWS)
    assert read_record(tmp_path / "out").untied is untied


def test_an_untied_output_layer_of_a_headless_checkpoint_is_found(tmp_path):
    base = save_family("distilgpt2", tmp_path / "base")
    adapter = save_adapter(
        base, tmp_path / "adapter", target_modules=["lm_head", "c_attn"]
    )
    rows = load_base(base).config.vocab_size
    model = merged(base, adapter, tmp_path / "out").float()
    expected = load_adapted(base, adapter, dtype=torch.float32)
    tokens = some_tokens(rows)
    error = nmse(logits_of(model, tokens), logits_of(expected, tokens))
    assert error < 1e-4  # the merged weights are rounded to float16


@pytest.mark.parametrize("tied", [False, True])
def test_added_tokens_come_with_their_rows_and_the_adapters_tokenizer(tmp_path, tied):
    tokenizer = tiny_tokenizer(ROWS + 170)
    base = save_llama(tmp_path / "base", tie_word_embeddings=tied)
    change_json(base / "config.json", vocab_size=ROWS)
    old = len(tokenizer)
    change_json(base / "config.json", vocab_size=old)
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(base))
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    (base / "tokenizer.model").write_bytes(b"the pieces and their scores")
    tokenizer.add_tokens(["<dose>", "<unit>"], special_tokens=True)
    rows = len(tokenizer)
    modules = ["embed_tokens", "lm_head"]
    adapter = save_adapter(
        base, tmp_path / "adapter", rows=rows, modules_to_save=modules
    )
    tokenizer.save_pretrained(adapter)
    (adapter / "chat_template.jinja").unlink()
    out = tmp_path / "out"
    model = merged(base, adapter, out)
    tokens = [old, 5, rows - 1, 7]
    expected = logits_of(load_adapted(base, adapter, rows), tokens)
    assert nmse(logits_of(model, tokens), expected) < 1e-10
    found = AutoTokenizer.from_pretrained(out)
    assert found.convert_tokens_to_ids(["<dose>", "<unit>"]) == [old, old + 1]
    assert found.chat_template == tokenizer.chat_template
    assert (out / "tokenizer.model").read_bytes() == b"the pieces and their scores"
    assert model.config.vocab_size == rows


def test_the_pieces_of_another_vocabulary_are_not_taken_over(tmp_path, base):
    tiny_tokenizer(280).save_pretrained(base)
    (base / "tokenizer.model").write_bytes(b"of the base")
    change_json(base / "config.json", vocab_size=300)
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(base))
    model.save_pretrained(base)
    adapter = save_adapter(base, tmp_path / "adapter")
    tiny_tokenizer(290).save_pretrained(adapter)
    merge(base, adapter, tmp_path / "out")
    assert not (tmp_path / "out" / "tokenizer.model").exists()


def test_what_stands_beside_the_weights_is_copied_but_no_code(tmp_path, base):
    tokenizer = tiny_tokenizer(ROWS + 170)
    tokenizer.save_pretrained(base)
    change_json(base / "config.json", vocab_size=len(tokenizer), auto_map={"A": "b.C"})
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(base))
    model.save_pretrained(base)
    for name in ("tokenizer.model", "LICENSE.txt", "b.py", "pytorch_model.bin"):
        (base / name).write_text(name)
    change_json(base / "config.json", auto_map={"A": "b.C"})
    adapter = save_adapter(base, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "out")
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"tokenizer.model", "tokenizer.json", "LICENSE.txt", "merge.json"} <= names
    assert {"generation_config.json", "chat_template.jinja"} <= names
    assert not names & {"b.py", "pytorch_model.bin"}
    assert "auto_map" not in json.loads((tmp_path / "out/config.json").read_text())


def test_the_record_names_the_hashes_of_all_that_it_was_made_of(tmp_path):
    base = save_llama(tmp_path / "base", shard="20KB")
    adapter = save_adapter(base, tmp_path / "adapter")
    out = tmp_path / "out"
    record = merge(base, adapter, out)
    assert read_record(out) == record
    shards = sorted(file.name for file in base.glob("model-*.safetensors"))
    assert len(shards) > 2
    assert sorted(record.merged_files) == shards
    for name in shards:
        assert record.base_files[name] == sha256_of_file(base / name)
        assert record.merged_files[name] == sha256_of_file(out / name)
    weights = adapter / "adapter_model.safetensors"
    assert record.adapter_files[weights.name] == sha256_of_file(weights)
    assert record.changed == 2 * len(LINEARS)
    index = json.loads((out / "model.safetensors.index.json").read_text())
    before = json.loads((base / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == before["weight_map"]
    assert str(tmp_path) not in (out / "merge.json").read_text()


def test_a_large_weight_is_merged_in_blocks(tmp_path):
    base = save_llama(tmp_path / "base")
    change_json(base / "config.json", vocab_size=BLOCK // 32 * 3 + 5)
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(base))
    model.save_pretrained(base)
    lora = {"target_modules": ["embed_tokens", "lm_head"], "use_dora": True}
    adapter = save_adapter(base, tmp_path / "adapter", **lora)
    merge(base, adapter, tmp_path / "out")
    found = weights_of(tmp_path / "out")
    expected = load_adapted(base, adapter).merge_and_unload().state_dict()
    name = "model.embed_tokens.weight"  # its norms run over all blocks
    assert torch.allclose(found[name], expected[name], rtol=1e-5, atol=1e-7)
    assert torch.equal(found["lm_head.weight"], expected["lm_head.weight"])


class Stop(BaseException):
    """As a kill: nothing tidies up."""


def test_a_merge_that_was_broken_off_goes_on_where_it_stopped(tmp_path):
    base = save_llama(tmp_path / "base", shard="20KB")
    adapter = save_adapter(base, tmp_path / "adapter")
    out, half = tmp_path / "out", tmp_path / ".out.merging"

    def stopping(what, done, total):
        if done > total / 2:
            raise Stop

    with pytest.raises(Stop):
        merge(base, adapter, out, watcher=stopping)
    assert not out.exists()
    finished = {f.name: f.stat().st_ino for f in half.glob("*.safetensors")}
    assert finished
    (half / "model-00003-of-00009.safetensors.part").write_bytes(b"half")
    (half / ".config.json.x1").write_bytes(b"half")
    merge(base, adapter, out)
    assert not half.exists()
    assert {name: (out / name).stat().st_ino for name in finished} == finished
    assert not list(out.glob("*.part")) and not list(out.glob(".*"))
    expected = load_adapted(base, adapter).merge_and_unload().state_dict()
    found = weights_of(out)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_a_merge_of_another_adapter_left_is_not_used(tmp_path):
    base = save_llama(tmp_path / "base", shard="20KB")
    adapter = save_adapter(base, tmp_path / "adapter")
    other = save_adapter(base, tmp_path / "other", r=2)
    out = tmp_path / "out"

    def stopping(what, done, total):
        if done > total / 2:
            raise Stop

    with pytest.raises(Stop):
        merge(base, other, out, watcher=stopping)
    merge(base, adapter, out)
    expected = load_adapted(base, adapter).merge_and_unload().state_dict()
    found = weights_of(out)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_merged_model_is_replaced_only_when_forced(tmp_path, base):
    adapter = save_adapter(base, tmp_path / "adapter")
    other = save_adapter(base, tmp_path / "other", r=2)
    out = tmp_path / "out"
    merge(base, adapter, out)
    before = sha256_of_file(out / "model.safetensors")
    with pytest.raises(ConvertError, match="--force replaces it"):
        merge(base, other, out)
    assert sha256_of_file(out / "model.safetensors") == before
    assert merge(base, other, out, force=True).adapter == "other"
    assert sha256_of_file(out / "model.safetensors") != before
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"base", "adapter", "other", "out"}


def test_a_folder_that_merge_did_not_make_is_never_replaced(tmp_path, base):
    adapter = save_adapter(base, tmp_path / "adapter")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years")
    with pytest.raises(ConvertError, match="no merged model"):
        merge(base, adapter, tmp_path / "out", force=True)
    for out in (base, tmp_path, adapter):
        with pytest.raises(ConvertError, match="another folder"):
            merge(base, adapter, out, force=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years"


@pytest.fixture
def adapter(base, tmp_path):
    return save_adapter(base, tmp_path / "adapter")


def refused(base, adapter, said):
    out = adapter.parent / "out"
    with pytest.raises(ConvertError, match=said):
        merge(base, adapter, out)
    assert not out.exists()
    assert not (adapter.parent / ".out.merging").exists()


def test_an_activated_lora_is_refused_with_the_reason(tmp_path, base):
    activated = save_adapter(base, tmp_path / "alora", alora_invocation_tokens=[3, 4])
    refused(base, activated, "only from its invocation tokens on")


def test_an_adapter_for_another_base_is_refused(tmp_path, adapter):
    wide = save_llama(tmp_path / "wide")
    change_json(wide / "config.json", hidden_size=64)
    config = LlamaConfig.from_pretrained(wide)
    AutoModelForCausalLM.from_config(config).save_pretrained(wide)
    refused(wide, adapter, r"does not fit .*wide: .*\(64, 48\).*trained on base")
    short = save_llama(tmp_path / "short")
    change_json(short / "config.json", num_hidden_layers=1)
    config = LlamaConfig.from_pretrained(short)
    AutoModelForCausalLM.from_config(config).save_pretrained(short)
    refused(short, adapter, "layers.1.* which the base does not have")


def test_rows_for_the_embedding_alone_are_refused(tmp_path, base):
    lora = {"target_modules": ["embed_tokens", "q_proj"]}
    resized = save_adapter(base, tmp_path / "resized", rows=103, **lora)
    refused(base, resized, "103 rows and the output layer has 100")


def test_a_tokenizer_with_more_tokens_than_rows_is_refused(base, adapter):
    tiny_tokenizer().save_pretrained(adapter)
    refused(base, adapter, "has 400 tokens, and the embedding has rows for 100")


def test_another_name_of_the_base_is_only_told(tmp_path, adapter):
    renamed = (tmp_path / "base").rename(tmp_path / "copy")
    record = merge(renamed, adapter, tmp_path / "out")
    assert any("names base as its base" in note for note in record.notes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"r": 8}, "rank 4"),
        ({"rank_pattern": {"(": 4}}, "no pattern"),
        ({"lora_alpha": "much"}, "expected a number"),
        ({"use_dora": True}, "lora_magnitude_vector"),
        ({"init_lora_weights": "pissa_niter_4"}, "took a part of the base away"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"a_new_invention": 3}, "a_new_invention"),
    ],
)
def test_an_adapter_that_is_not_understood_is_refused(base, adapter, values, said):
    change_json(adapter / "adapter_config.json", **values)
    refused(base, adapter, said)


def change_weights(adapter, **changes):
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    for name, tensor in changes.items():
        tensors[name] = tensor
    save_file({k: t for k, t in tensors.items() if t is not None}, file)


FIRST = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({f"{FIRST}.lora_B.weight": None}, "has no lora_B"),
        ({f"{FIRST}.lora_A.weight": torch.ones(4)}, "no pair of matrices"),
        ({f"{FIRST}.lora_C.weight": torch.ones(4)}, "no part of a LoRA"),
        ({f"{FIRST}.lora_A.weight": torch.full((4, 32), torch.nan)}, "not finite"),
        ({f"{FIRST}.lora_A.weight": torch.ones(4, 31)}, "does not fit"),
        ({"model.q.weight": torch.ones(4)}, "does not begin with"),
        ({"base_model.model.score.weight": torch.ones(4)}, "score.weight, which the"),
    ],
)
def test_weights_that_are_not_understood_are_refused(base, adapter, changes, said):
    change_weights(adapter, **changes)
    refused(base, adapter, said)


def test_a_number_too_large_for_the_weights_type_is_refused(tmp_path):
    base = save_llama(tmp_path / "base", dtype=torch.float16)
    adapter = save_adapter(base, tmp_path / "adapter")
    change_weights(adapter, **{f"{FIRST}.lora_A.weight": torch.full((4, 32), 6e4)})
    refused(base, adapter, "too large for F16")


def test_pickles_are_never_read(base, adapter):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    refused(base, adapter, "a pickle, which can run code")


def test_a_quantized_base_is_refused_with_the_way_out(base, adapter):
    change_json(
        base / "config.json", quantization_config={"quant_method": "bitsandbytes"}
    )
    refused(base, adapter, "bitsandbytes.*into the model that they were made of")


def test_a_file_or_the_folders_the_wrong_way_round_are_refused(base, adapter):
    refused(adapter, adapter, "holds a PEFT adapter; a model is expected")
    refused(base, base, "holds a model and no adapter_config.json")
    gguf = base.parent / "model.gguf"
    gguf.write_bytes(b"GGUF and so on")
    refused(gguf, adapter, "is a GGUF already")
    refused(base, gguf, "is a file; the folder of a PEFT adapter")


def test_a_truncated_shard_is_refused(base, adapter):
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(base, adapter, "is cut off")


def test_a_full_disk_is_told_before_the_work(base, adapter, monkeypatch):
    usage = shutil.disk_usage(base)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    refused(base, adapter, "cannot be written: the model has")
