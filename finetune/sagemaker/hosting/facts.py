"""Facts about the models of an endpoint, as an evaluation states them."""

from __future__ import annotations

from math import prod
from pathlib import Path

from safetensors import safe_open

from finetune.evaluate.result import AdapterFacts, ComparedModels, ModelFacts
from finetune.recipe import read_recipe
from finetune.sagemaker import instance_fit, places
from finetune.sagemaker.hosting import llama_cpp
from finetune.sagemaker.hosting.endpoint import OpenEndpoint
from finetune.sagemaker.hosting.subject import adapter_config
from finetune.sagemaker.hosting.vllm import Vllm
from finetune.train.base_model import find_base, hash_base
from finetune.train.result import read_training
from medassist.core.files import sha256_of_file
from medassist.core.gguf import read_header
from medassist.core.plain_template import is_plain
from medassist.core.run_folder import ADAPTER_WEIGHTS, TRAINING, RunFolder


def models_of(run: RunFolder, found: OpenEndpoint) -> ComparedModels:
    """Model files of the endpoint, as the run states them.

    Raises:
        FinetuneError: it does not tell.
    """
    served = found.served
    if served.engine == "llama-cpp":
        gguf = llama_cpp.base_file(run, served.base)
        file = llama_cpp.adapter_file(run)
        header = read_header(gguf)
        base = ModelFacts(
            name=gguf.name,
            sha256={gguf.name: sha256_of_file(gguf)},
            parameters=header.parameters,
        )
        parameters = read_header(file).parameters
        adapter = next(iter(run.adapters), run.adapter)
    else:
        file, adapter = run.adapter / ADAPTER_WEIGHTS, run.adapter
        base = _base_facts(run)
        with safe_open(file, "pt") as tensors:
            names = list(tensors.keys())
            shapes = [tensors.get_slice(name).get_shape() for name in names]
        parameters = sum(prod(shape) for shape in shapes)
    rank = adapter_config(adapter).get("r")
    return ComparedModels(
        base=base,
        tuned=AdapterFacts(
            name=run.root.resolve().name,
            sha256={file.name: served.adapter_sha256},
            kind="plain",
            rank=rank if isinstance(rank, int) else 0,
            parameters=parameters,
        ),
    )


def _base_facts(run: RunFolder) -> ModelFacts:
    recipe = read_recipe(run.recipe_file)
    name = Path(recipe.base).name or recipe.base
    if (run.root / TRAINING).is_file():
        base = read_training(run.root).base
        hashes, parameters = base.files, base.parameters
    else:
        form = instance_fit.form_of(recipe)
        hashes = hash_base(find_base(recipe.base, recipe.revision))
        parameters = form.shape.parameters if form else 0
    weights = {
        n: sha for n, sha in hashes.items() if n.endswith((".safetensors", ".gguf"))
    }
    return ModelFacts(name=name, sha256=weights, parameters=parameters)


def numbers_of(run: RunFolder, found: OpenEndpoint) -> str:
    """Number format that the endpoint computes in."""
    if found.served.engine == "llama-cpp":
        return read_header(llama_cpp.base_file(run, found.served.base)).quantization
    half = places.instance(found.served.instance).gpu == "T4"
    return "float16" if half else "bfloat16"


def has_template(run: RunFolder, found: OpenEndpoint) -> bool:
    """Whether prompts are made by a template that came with the base."""
    engine = found.endpoint.engine
    if isinstance(engine, Vllm):
        template: object = engine.tokenizer.chat_template
    else:
        file = llama_cpp.base_file(run, found.served.base)
        template = read_header(file).chat_template
    return not is_plain(template)
