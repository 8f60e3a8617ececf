"""Models and adapters in the forms of others, made from right ones, and what is said.

A case takes a folder of a right base and a right adapter, and makes one of them
foreign. `said` are patterns of which each must be in the sentence.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.convert.families import change_json

ADAPTER_FILE, MODEL_FILE = "adapter_model.safetensors", "model.safetensors"
PREFIX = "base_model.model."


@dataclass(frozen=True)
class Pair:
    """The folders that are given."""

    base: Path
    adapter: Path


@dataclass(frozen=True)
class Case:
    """A foreign form: how it is made, and what must be said."""

    make: Callable[[Pair], Pair]
    said: tuple[str, ...]


def renamed(file: str, change: Callable[[str], str]) -> Callable[[Pair], Pair]:
    def make(pair: Pair) -> Pair:
        folder = pair.adapter if file == ADAPTER_FILE else pair.base
        tensors = load_file(folder / file)
        save_file(
            {change(name): t for name, t in tensors.items()},
            folder / file,
            {"format": "pt"},
        )
        return pair

    return make


def added(file: str, name: str, like: torch.Tensor) -> Callable[[Pair], Pair]:
    def make(pair: Pair) -> Pair:
        folder = pair.adapter if file == ADAPTER_FILE else pair.base
        save_file(
            load_file(folder / file) | {name: like}, folder / file, {"format": "pt"}
        )
        return pair

    return make


def of_class(name: str) -> Callable[[Pair], Pair]:
    def make(pair: Pair) -> Pair:
        change_json(pair.base / "config.json", architectures=[name])
        return pair

    return make


def moved(which: str, *into: str) -> Callable[[Pair], Pair]:
    """One of the folders lies deeper: the folder that is given holds it."""

    def make(pair: Pair) -> Pair:
        folder: Path = getattr(pair, which)
        top = folder.with_name(f"{which}-top")
        for path in into:
            shutil.copytree(folder, top / path)
        shutil.rmtree(folder)
        return Pair(**{**pair.__dict__, which: top})

    return make


def main_of_cache(which: str, top: str) -> Callable[[Pair], Pair]:
    def make(pair: Pair) -> Pair:
        repository = f"{top}models--who--what" if top else "."
        made = moved(
            which, f"{repository}/snapshots/ffff", f"{repository}/snapshots/aaaa"
        )(pair)
        refs = getattr(made, which) / repository / "refs"
        refs.mkdir()
        (refs / "main").write_text("aaaa\n")
        return made

    return make


def mlx_adapter(pair: Pair) -> Pair:
    def name(key: str) -> str:
        bare = key.removeprefix(PREFIX).removesuffix(".weight")
        return bare.replace("lora_A", "lora_a").replace("lora_B", "lora_b")

    tensors = load_file(pair.adapter / ADAPTER_FILE)
    (pair.adapter / ADAPTER_FILE).unlink()
    save_file(
        {name(key): t.T.contiguous() for key, t in tensors.items()},
        pair.adapter / "adapters.safetensors",
    )
    config = {"fine_tune_type": "dora", "lora_parameters": {"rank": 4, "scale": 20}}
    (pair.adapter / "adapter_config.json").write_text(json.dumps(config))
    return pair


def mlx_config_alone(pair: Pair) -> Pair:
    config = {"fine_tune_type": "lora", "num_layers": 8}
    (pair.adapter / "adapter_config.json").write_text(json.dumps(config))
    return pair


def one_shard(pair: Pair) -> Pair:
    file = pair.base / MODEL_FILE
    file.rename(pair.base / "model-00001-of-00002.safetensors")
    return pair


def without_tokenizer(pair: Pair) -> Pair:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (pair.base / name).unlink(missing_ok=True)
    return pair


def bitsandbytes(pair: Pair) -> Pair:
    name = "model.layers.0.mlp.up_proj"
    tensors = load_file(pair.base / MODEL_FILE)
    tensors[f"{name}.weight"] = tensors[f"{name}.weight"].to(torch.int8)
    tensors[f"{name}.SCB"] = torch.ones(96)
    save_file(tensors, pair.base / MODEL_FILE, {"format": "pt"})
    return pair


def gptq(pair: Pair) -> Pair:
    name = "model.layers.0.mlp.up_proj"
    tensors = load_file(pair.base / MODEL_FILE)
    del tensors[f"{name}.weight"]
    tensors[f"{name}.qweight"] = torch.ones(8, 96, dtype=torch.int32)
    tensors[f"{name}.scales"] = torch.ones(1, 96)
    save_file(tensors, pair.base / MODEL_FILE, {"format": "pt"})
    return pair


def weights_in(name: str) -> Callable[[Pair], Pair]:
    def make(pair: Pair) -> Pair:
        (pair.base / MODEL_FILE).unlink()
        target = pair.base / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"weights")
        return pair

    return make


HEADER = ["python -c", "save_file"]
ADAPTERS = {
    "a classifier's head": Case(
        added(ADAPTER_FILE, f"{PREFIX}score.weight", torch.ones(2, 64)),
        (r"holds base_model\.model\.score\.weight", "classifier", "CAUSAL_LM"),
    ),
    "of a vision model": Case(
        renamed(
            ADAPTER_FILE,
            lambda n: n.replace("model.layers", "model.language_model.layers"),
        ),
        ("images and text", "convert_hf_to_gguf"),
    ),
    "MLX's DoRA": Case(
        mlx_adapter, (r"adapters\.safetensors|fine_tune", "mlx_lm.fuse")
    ),
    "MLX's config": Case(mlx_config_alone, ("fine_tune_type", "mlx_lm.fuse")),
    "a trainer's folder": Case(
        moved("adapter", "checkpoint-50", "checkpoint-100", "checkpoint-9"),
        ("holds checkpoint-100", "trainer's folder", "give one of them, .*-100 being"),
    ),
    "the cache's root": Case(
        main_of_cache("adapter", ""), ("hub's cache", r"give \S+snapshots/aaaa$")
    ),
}
BASES = {
    "compiled": Case(
        renamed(MODEL_FILE, "_orig_mod.{}".format),
        (r"model\.safetensors holds _orig_mod\.", "torch.compile", *HEADER),
    ),
    "DDP": Case(
        renamed(MODEL_FILE, "module.{}".format),
        ("DistributedDataParallel", *HEADER),
    ),
    "saved from a PeftModel": Case(
        renamed(MODEL_FILE, "base_model.model.{}".format),
        ("saved from a PeftModel", "get_base_model", *HEADER),
    ),
    "with an adapter in it": Case(
        added(
            MODEL_FILE,
            "model.layers.0.mlp.up_proj.lora_A.weight",
            torch.ones(4, 64),
        ),
        ("not merged", "merge_and_unload"),
    ),
    "a classifier": Case(
        added(MODEL_FILE, "score.weight", torch.ones(2, 64)),
        ("classifier", "give the language model"),
    ),
    "of a vision model": Case(
        renamed(MODEL_FILE, lambda n: n.replace("model.", "model.language_model.", 1)),
        ("images and text", "convert_hf_to_gguf"),
    ),
    "without the inner model's prefix": Case(
        renamed(MODEL_FILE, lambda n: n.removeprefix("model.")),
        ("lack `model.`", "AutoModelForCausalLM", "tie_word_embeddings"),
    ),
    "bitsandbytes": Case(bitsandbytes, (r"\.SCB", "8-bit", "dequantize")),
    "GPTQ": Case(gptq, ("qweight", "GPTQ", "take the model that was quantized")),
    "left over scales": Case(
        added(MODEL_FILE, "model.layers.0.mlp.up_proj.SCB", torch.ones(96)),
        (r"\.SCB", "8-bit"),
    ),
    "a shard without its index": Case(
        one_shard,
        ("model-00001-of-00002", "one part of a model", "get the index"),
    ),
    "a trainer's folder": Case(
        moved("base", "checkpoint-50", "checkpoint-100"),
        ("trainer's folder", "-100 being the last"),
    ),
    "the cache's root": Case(
        main_of_cache("base", "./"),
        ("root of the hub's cache", r"models--who--what/snapshots/aaaa$"),
    ),
    "the folder above the cache": Case(
        main_of_cache("base", "hub/"), ("hub's cache", r"snapshots/aaaa$")
    ),
    "a repository in the cache": Case(
        main_of_cache("base", ""), ("repository's folder", r"snapshots/aaaa$")
    ),
    "a folder above": Case(moved("base", "model"), ("a folder deeper", r"/model$")),
    "Mistral's own form": Case(
        weights_in("consolidated.safetensors"), ("makers' own form", "transformers")
    ),
    "DeepSpeed": Case(
        weights_in("zero_to_fp32.py"), ("DeepSpeed", "--safe_serialization")
    ),
    "FSDP in parts": Case(
        weights_in("pytorch_model_fsdp_0/__0_0.distcp"), ("FSDP", "merge-weights")
    ),
    "TensorFlow": Case(weights_in("tf_model.h5"), ("TensorFlow", "safetensors")),
    "a trainer's pickles": Case(weights_in("optimizer.pt"), ("holds neither",)),
}
GEMMA_3N = (
    "it is a Gemma 3n, .* over n - 1, and transformers over n.* 1e-5.*"
    "convert_hf_to_gguf.py converts it"
)
CLASSES = {
    "LlamaForSequenceClassification": "labels or a score",
    "Qwen2ForRewardModel": "labels or a score",
    "LlavaForConditionalGeneration": "images and text.*mmproj",
    "Qwen3VLForConditionalGeneration": "images and text",
    "T5ForConditionalGeneration": "an encoder",
    "BertForMaskedLM": "does not write",
    "LlamaModel": "the inner model",
    "Qwen2MoeForCausalLM": "experts.*convert_hf_to_gguf",
    "Gemma3nForConditionalGeneration": GEMMA_3N,
    "Gemma3nForCausalLM": GEMMA_3N,
    "Qwen3NextForCausalLM": "none that is written here.*convert_hf_to_gguf",
    "Qwen3_5TextForSequenceClassification": "labels or a score",
    "BioGptForCausalLM": "no code for it.*with transformers",
    "PeftModelForCausalLM": "merge_and_unload",
    "FalconForCausalLM": "knows many more classes; medassist convert quantize takes",
}
