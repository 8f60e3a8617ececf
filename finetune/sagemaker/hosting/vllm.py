"""vLLM: the base once in the GPU's memory, the adapter beside it as a second model.

The questions are made into tokens here, by the tokenizer and the template that the
adapter was trained with, so that the endpoint reads what a local evaluation reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from finetune.errors import FinetuneError
from finetune.evaluate.answer_ends import AnswerEnds, ends_of
from finetune.recipe import TrainRecipe, read_recipe
from finetune.sagemaker import instance_fit, places
from finetune.sagemaker.bundle import base_channel
from finetune.sagemaker.channel import InputChannel, channel_of
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosting.question import (
    EndpointQuestion,
    QuestionDoesNotFit,
    Side,
)
from finetune.sagemaker.hosting.subject import (
    CONTAINER,
    ServedSubject,
    SubjectWish,
    adapter_config,
    bounded,
    under,
)
from finetune.train.base_model import context_of, find_base, load_config, load_tokenizer
from finetune.train.chat_format import CannotRender, give_template, prompt_ids
from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, RunFolder
from medassist.core.unpacked import is_gguf

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM makes room for; a smaller rank fits into the next one."""
ADAPTER = "/opt/ml/additional-model-data-sources/adapter/"
_GPU_ITSELF = 2 * 2**30
"""Bytes for CUDA and what is computed with."""
_OWN_SHARE = 0.9
"""Share of each GPU's memory that vLLM takes."""


@dataclass(frozen=True)
class VllmSubject(ServedSubject):
    """A base in Hugging Face's format, and a plain LoRA on it."""

    recipe: TrainRecipe
    rank: int
    base_from: str | None

    def environment(self, machine: places.Instance) -> dict[str, str]:
        """The options of vLLM, each of which becomes a flag of its command line."""
        module = {"name": "tuned", "path": ADAPTER}
        found = {
            "SM_VLLM_MODEL": f"{CONTAINER}/model",
            "SM_VLLM_SERVED_MODEL_NAME": "base",
            "SM_VLLM_ENABLE_LORA": "true",
            "SM_VLLM_MAX_LORAS": "1",
            "SM_VLLM_MAX_LORA_RANK": str(self.rank),
            # One object and no array: older images pass an array on as one word.
            "SM_VLLM_LORA_MODULES": json.dumps(module, separators=(",", ":")),
            "SM_VLLM_MAX_MODEL_LEN": str(self.context),
            "SM_VLLM_DTYPE": "half" if machine.gpu == "T4" else "bfloat16",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
        if machine.gpus > 1:
            found["SM_VLLM_TENSOR_PARALLEL_SIZE"] = str(machine.gpus)
        return found

    def sources(self, addresses: dict[str, str]) -> dict[str, Any]:
        """Addresses of the container's files, by their place there."""
        return {
            "ModelDataSource": {"S3DataSource": under(addresses["base"])},
            "AdditionalModelDataSources": [
                {
                    "ChannelName": "adapter",
                    "S3DataSource": under(addresses["adapter"]),
                }
            ],
        }

    def channels(
        self, scratch: Path, watcher: Watcher = unwatched
    ) -> list[InputChannel]:
        """Channels of the base, unless it lies in S3 already, and of the adapter."""
        base = base_channel(self.run.root, self.recipe, self.base_from, watcher)
        adapter = self.run.adapter
        # Without the place of the base on this computer, which is nobody's affair.
        config = {**adapter_config(adapter), "base_model_name_or_path": self.base}
        written = scratch / ADAPTER_CONFIG
        written.write_text(json.dumps(config, sort_keys=True), "utf-8")
        files = {
            ADAPTER_WEIGHTS: adapter / ADAPTER_WEIGHTS,
            ADAPTER_CONFIG: written,
        }
        sent = channel_of("adapter", f"the adapter of {self.run.root}", files, watcher)
        return [sent] if base is None else [base, sent]


def subject(run: RunFolder, wish: SubjectWish) -> VllmSubject:
    """Models of a run that vLLM would serve.

    Raises:
        FinetuneError: there is no adapter, or vLLM cannot put it on its base.
    """
    weights = run.adapter / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise SageMakerError(
            f"{weights} is not there: nothing is tuned yet. Train it, or get it with: "
            f"medassist finetune sagemaker fetch {run.root}"
        )
    config = adapter_config(run.adapter)
    rank = _rank(config, run.adapter)
    recipe = read_recipe(run.recipe_file)
    folder = _base_folder(run, recipe, wish.base_from)
    if folder is None and not (run.adapter / "tokenizer_config.json").is_file():
        raise SageMakerError(
            f"no tokenizer of {recipe.base} is on this computer, and questions are "
            f"made into tokens here: put its tokenizer's files into {run.adapter}"
        )
    longest = None if folder is None else context_of(load_config(folder))
    context = bounded(wish.context, longest)
    return VllmSubject(
        run=run,
        engine="vllm",
        base=Path(recipe.base).name or recipe.base,
        context=context,
        adapter_sha256=sha256_of_file(weights),
        needs=_needs(recipe, weights.stat().st_size, context),
        own_share=_OWN_SHARE,
        recipe=recipe,
        rank=rank,
        base_from=wish.base_from,
    )


def _rank(config: dict[str, Any], adapter: Path) -> int:
    refused = next(
        (
            what
            for what, there in (
                ("a DoRA", config.get("use_dora")),
                ("an activated LoRA", config.get("alora_invocation_tokens")),
                ("no LoRA", config.get("peft_type", "LORA") != "LORA"),
                ("more than a LoRA", config.get("modules_to_save")),
            )
            if there
        ),
        None,
    )
    if refused is not None:
        raise SageMakerError(
            f"{adapter} is {refused}, which vLLM cannot put on its base; a plain LoRA "
            "was expected. Merge it and convert it, or train with lora.method: lora"
        )
    ranks = [config.get("r"), *dict(config.get("rank_pattern") or {}).values()]
    most = max((int(r) for r in ranks if isinstance(r, int)), default=0)
    room = next((size for size in RANKS if size >= most), None)
    if not most or room is None:
        raise SageMakerError(
            f"{adapter / ADAPTER_CONFIG} names the rank {most}; from 1 to {RANKS[-1]} "
            "vLLM can serve"
        )
    return room


def _base_folder(run: RunFolder, recipe: TrainRecipe, said: str | None) -> Path | None:
    """The base on this computer; None where it lies in S3 alone."""
    try:
        name = recipe.base if said is None or said.startswith("s3://") else said
        if is_gguf(name):
            return run.base if (run.base / "config.json").is_file() else None
        return find_base(name, recipe.revision)
    except FinetuneError as error:
        if said is not None and said.startswith("s3://"):
            return None
        raise SageMakerError(
            f"{error}. From here it is sent; or say where in S3 it lies by --base-from "
            "s3://BUCKET/PREFIX"
        ) from error


def _needs(recipe: TrainRecipe, adapter: int, context: int) -> int | None:
    """Bytes of the GPU, with a cache for one answer of full length; None: not known."""
    form = instance_fit.form_of(recipe)
    if form is None:
        return None
    # As if each head had keys and values of its own: never too little.
    cache = 2 * form.shape.layers * form.shape.hidden * 2 * context
    return form.bytes_in_bf16 + adapter + cache + _GPU_ITSELF


@dataclass(frozen=True)
class Vllm:
    """Requests to vLLM: tokens, by the name of the model."""

    tokenizer: PreTrainedTokenizerBase
    ends: AnswerEnds
    context: int

    @classmethod
    def of(cls, run: RunFolder, context: int, base_from: str | None = None) -> Vllm:
        """Make it with the tokenizer of a run: the adapter's own, else the base's.

        Raises:
            FinetuneError: neither is here.
        """
        folder = run.adapter
        if not (folder / "tokenizer_config.json").is_file():
            found = _base_folder(run, read_recipe(run.recipe_file), base_from)
            if found is None:
                raise SageMakerError(f"the tokenizer of {run.root} is not here")
            folder = found
        tokenizer = load_tokenizer(folder)
        give_template(tokenizer)
        return cls(tokenizer, ends_of(tokenizer), context)

    def body(self, side: Side, asked: EndpointQuestion) -> dict[str, Any]:
        """The request that puts a question to one side, as a stream.

        Raises:
            QuestionDoesNotFit: the template refuses it, or it has no room.
        """
        try:
            ids = prompt_ids(self.tokenizer, asked.messages)
        except CannotRender as error:
            raise QuestionDoesNotFit(
                f"the question cannot be put to the model: {error}"
            ) from error
        if len(ids) + asked.max_tokens > self.context:
            raise QuestionDoesNotFit(
                f"the question has {len(ids):,} tokens, and {asked.max_tokens:,} are "
                f"kept for the answer: more than the endpoint's {self.context:,}. "
                "Shorten it, or say a smaller --max-tokens"
            )
        body: dict[str, Any] = {
            "model": side,
            "prompt": ids,
            "max_tokens": asked.max_tokens,
            "temperature": asked.temperature,
            "seed": asked.seed,
            # A base's generation_config.json may say otherwise.
            "top_p": 1.0,
            "top_k": -1,
            "repetition_penalty": 1.0,
            "stop_token_ids": sorted(self.ends.tokens),
            "stop": list(self.ends.texts),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return body | ({"logprobs": 1} if asked.likelihoods else {})
