"""llama.cpp: the very files that the app answers with, on a CPU or a GPU.

SageMaker reaches its chats alone, so that the template in the GGUF makes the prompt.
Base and tuned are one server: each request says how much of the adapter counts. It is
said for the base too, since a request without it gets whatever the server holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.evaluate.answer_ends import ends_of
from finetune.sagemaker import places
from finetune.sagemaker.channel import InputChannel, channel_of
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosting.question import EndpointQuestion, Side
from finetune.sagemaker.hosting.subject import (
    CONTAINER,
    GIB,
    ServedSubject,
    SubjectWish,
    bounded,
    under,
)
from finetune.train.base_model import load_tokenizer
from finetune.train.chat_format import give_template
from medassist.core.errors import ModelFileError
from medassist.core.files import sha256_of_file
from medassist.core.gguf import GgufHeader, require_adapter, require_model, shards
from medassist.core.plain_template import is_plain, plain_stops, plain_template
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import STARTER_ADAPTERS, RunFolder

BASE, ADAPTER = "base.gguf", "adapter.gguf"
ADAPTERS = (ADAPTER, STARTER_ADAPTERS["plain"])
_ITSELF = int(0.6 * GIB)
_OWN_SHARE = 0.85


@dataclass(frozen=True)
class LlamaSubject(ServedSubject):
    """A GGUF and a LoRA on it."""

    gguf: Path
    adapter: Path
    template: str
    """Chat template where the GGUF has none."""

    def environment(self, machine: places.Instance) -> dict[str, str]:
        """llama-server's options, each of which becomes a flag of it."""
        found = {
            "SM_LLAMA_CPP_MODEL": f"{CONTAINER}/model/{BASE}",
            "SM_LLAMA_CPP_LORA": f"{CONTAINER}/model/{ADAPTER}",
            "SM_LLAMA_CPP_CTX_SIZE": str(self.context),
            "SM_LLAMA_CPP_PARALLEL": "1",
            "SM_LLAMA_CPP_REASONING_FORMAT": "none",
            "SM_LLAMA_CPP_OFFLINE": "true",
        }
        if machine.gpus:
            found["SM_LLAMA_CPP_N_GPU_LAYERS"] = "999"
        if self.template:
            found["SM_LLAMA_CPP_CHAT_TEMPLATE"] = self.template
        return found

    def sources(self, addresses: dict[str, str]) -> dict[str, Any]:
        """Addresses of the container's files."""
        return {"ModelDataSource": {"S3DataSource": under(addresses["gguf"])}}

    def channels(
        self, scratch: Path, watcher: Watcher = unwatched
    ) -> list[InputChannel]:
        """Channels of both files."""
        del scratch
        files = {BASE: self.gguf, ADAPTER: self.adapter}
        about = f"{self.gguf.name} and {self.adapter.name} of {self.run.root}"
        return [channel_of("gguf", about, files, watcher)]


def subject(run: RunFolder, wish: SubjectWish) -> LlamaSubject:
    """Models of a run that llama.cpp would serve.

    Raises:
        SageMakerError: a file is missing, or is none that can be served.
    """
    gguf, adapter = base_file(run, wish.gguf), adapter_file(run)
    try:
        header = require_model(gguf)
        plain = require_adapter(adapter, header)
    except ModelFileError as error:
        raise SageMakerError(str(error)) from error
    if plain.invocation_tokens:
        raise SageMakerError(
            f"{adapter} is an activated LoRA, which a server applies from another "
            "token on than the app; a plain one was expected"
        )
    context = bounded(wish.context, header.context_length)
    sizes = gguf.stat().st_size + adapter.stat().st_size
    return LlamaSubject(
        run=run,
        engine="llama-cpp",
        base=gguf.name,
        context=context,
        adapter_sha256=sha256_of_file(adapter),
        needs=sizes + _cache(header) * context + _ITSELF,
        own_share=_OWN_SHARE,
        gguf=gguf,
        adapter=adapter,
        template=_missing_template(header),
    )


def base_file(run: RunFolder, name: str | None = None) -> Path:
    """The base's GGUF of a run: the one named, else the smallest.

    Raises:
        SageMakerError: there is none, or it is one of many parts.
    """
    found = sorted(run.gguf.glob("base-*.gguf"), key=lambda file: file.stat().st_size)
    if name is not None:
        found = [file for file in found if file.name == name]
    if not found:
        wanted = name or "base-*.gguf"
        raise SageMakerError(
            f"{run.gguf / wanted} is not there. Make it with: medassist convert run "
            f"{run.root}"
        )
    if len(shards(found[0])) > 1:
        raise SageMakerError(
            f"{found[0]} is one of several parts of a model; one whole file was "
            "expected. Convert it again, without splitting it"
        )
    return found[0]


def adapter_file(run: RunFolder) -> Path:
    """The adapter's GGUF of a run.

    Raises:
        SageMakerError: there is none.
    """
    found = next(
        (run.gguf / name for name in ADAPTERS if (run.gguf / name).is_file()), None
    )
    if found is None:
        raise SageMakerError(
            f"{run.gguf / ADAPTER} is not there: with a merged model alone base and "
            f"tuned would be two sets of weights. Make it with: medassist convert run "
            f"{run.root}"
        )
    return found


def _cache(header: GgufHeader) -> int:
    """Size of the keys and values of one token in 16 bits, in bytes."""
    of = header.architecture
    heads = header.number(f"{of}.attention.head_count") or 1
    width = header.number(f"{of}.embedding_length") or 4096
    kept = header.number(f"{of}.attention.head_count_kv") or heads
    each = header.number(f"{of}.attention.key_length") or width // heads
    return 2 * 2 * (header.number(f"{of}.block_count") or 32) * kept * each


def _missing_template(header: GgufHeader) -> str:
    """The plain template for a GGUF without one, as the app asks it."""
    if header.chat_template:
        return ""
    begins = header.metadata.get("tokenizer.ggml.add_bos_token") is True
    return plain_template(begins_with_bos=begins)


@dataclass(frozen=True)
class LlamaCpp:
    """Requests to llama.cpp: messages, with the adapter's scale."""

    stops: tuple[str, ...]

    @classmethod
    def of(cls, run: RunFolder, gguf: Path) -> LlamaCpp:
        """Make it with the texts that end an answer; the tokens llama.cpp knows."""
        try:
            template = require_model(gguf).chat_template
        except ModelFileError as error:
            raise SageMakerError(str(error)) from error
        if not is_plain(template) and (run.adapter / "tokenizer_config.json").is_file():
            tokenizer = load_tokenizer(run.adapter)
            give_template(tokenizer)
            return cls(ends_of(tokenizer).texts)
        return cls(plain_stops(template))

    def body(self, side: Side, asked: EndpointQuestion) -> dict[str, Any]:
        """The request that puts a question to one side, as a stream."""
        body: dict[str, Any] = {
            "messages": [message.model_dump() for message in asked.messages],
            "lora": [{"id": 0, "scale": 1.0 if side == "tuned" else 0.0}],
            "max_tokens": asked.max_tokens,
            "temperature": asked.temperature,
            "seed": asked.seed,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "stop": list(self.stops),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        likely = {"logprobs": True, "top_logprobs": 1}
        return body | (likely if asked.likelihoods else {})
