"""Finds, checks and loads the base model, from safetensors only.

Nothing that comes with a model is run: no remote code, no pickle. What is asked for by
a hub id is read from the cache of the hub's library; the network is touched only where
the user allowed the download by name.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from finetune.errors import FinetuneError
from medassist.core.errors import told_as
from medassist.core.files import sha256_of_file
from medassist.core.hub import STORAGE, endpoint, hub_host, online, reason
from medassist.core.unpacked import UnpackedError, read_unpacked
from medassist.core.way_out import DIRECT, WayOut

WANTED = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
# Reserved tokens that bases carry without a use, in the order of preference.
PADS = (
    "<|finetune_right_pad_id|>",
    "<|reserved_special_token_0|>",
    "<pad>",
    "[PAD]",
    "<unk>",
)


def find_base(
    name: str,
    revision: str | None = None,
    *,
    download: bool = False,
    way: WayOut = DIRECT,
) -> Path:
    """The folder of the base `name`: itself, or a hub id's snapshot in the cache.

    Args:
        name: a folder, or a hub id (`Qwen/Qwen2.5-1.5B-Instruct`).
        revision: of a hub id.
        download: fetch what the cache lacks; only where the user asked for it.
        way: how the hub is reached.

    Raises:
        FinetuneError: it is not there, or holds no weights in safetensors.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder, name)
    if folder.is_absolute() or name.startswith(".") or name.count("/") != 1:
        raise FinetuneError(
            f"the base {name} is not there: a folder with config.json, tokenizer.json "
            "and *.safetensors was expected, or the id of a model on the hub "
            "(OWNER/NAME)"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        with (
            told_as(FinetuneError),
            online((hub_host(), *STORAGE), way) if download else nullcontext(),
        ):
            found = snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(WANTED),
                endpoint=endpoint() if download else None,
                local_files_only=not download,
            )
    except LocalEntryNotFoundError as error:
        if download:
            raise FinetuneError(
                f"the base {name} could not be downloaded: no connection to "
                f"{hub_host()}{way.told} ({reason(error)})"
            ) from None
        raise FinetuneError(
            f"the base {name} is neither a folder nor in the cache of the hub's "
            "library. Nothing is downloaded unasked: say --download, or give a folder"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise FinetuneError(
            f"the base {name} could not be downloaded: {error}. A model that asks for "
            "its terms to be accepted needs that, and HF_TOKEN"
        ) from error
    return _checked(Path(found), name)


def load_config(folder: Path) -> PretrainedConfig:
    """The base's configuration.

    Raises:
        FinetuneError: it is broken, or of a model that needs code of its own.
    """
    try:
        config = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise FinetuneError(
            f"{folder / 'config.json'} is not of a model that this version of "
            f"transformers knows: {_first_line(error)}"
        ) from error
    return cast("PretrainedConfig", config)


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """The base's tokenizer, with a pad token.

    A base without one pads with a token that it has no other use for, else with its
    end token: padding is never attended to and never in the loss. No token is added,
    which would change the size of the embeddings.

    Raises:
        FinetuneError: there is none, or it gives no positions in the text.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise FinetuneError(
            f"{folder} has no tokenizer that transformers can read "
            f"({_first_line(error)}); tokenizer.json and tokenizer_config.json belong "
            "beside the model"
        ) from error
    tokenizer = cast("PreTrainedTokenizerBase", tokenizer)
    if not tokenizer.is_fast:
        raise FinetuneError(
            f"{folder} has only a slow tokenizer, which cannot say where its tokens "
            "stand in the text; convert it to a tokenizer.json"
        )
    if (legacy := getattr(tokenizer, "legacy", None)) is not None:
        # transformers 5 forgets it when it saves a tokenizer that was read from a
        # tokenizer.model, and what is loaded then reads text behind a begin token
        # otherwise than training did.
        tokenizer.init_kwargs["legacy"] = legacy
    give_pad(tokenizer)
    return tokenizer


def give_pad(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Give a tokenizer without a pad token one; what it is, or None if it had one.

    Raises:
        FinetuneError: it has no end token either.
    """
    if tokenizer.pad_token_id is not None:
        return None
    vocabulary = tokenizer.get_vocab()
    for mark in (*PADS, tokenizer.eos_token):
        if mark is not None and mark in vocabulary:
            tokenizer.pad_token = mark
            return str(mark)
    raise FinetuneError(
        f"the tokenizer in {tokenizer.name_or_path} has neither a pad token nor an end "
        "token; set eos_token in its tokenizer_config.json"
    )


def load_base(
    folder: str | Path,
    dtype: torch.dtype = torch.float32,
    *,
    device: torch.device | None = None,
    nf4: bool = False,
    attention: str | None = None,
) -> PreTrainedModel:
    """The base in `dtype`, or its linear layers in 4 bits.

    Args:
        folder: from `find_base`.
        dtype: of the weights; of the computation with `nf4`.
        device: where to; the CPU by default.
        nf4: QLoRA's NormalFloat with double quantization, by bitsandbytes.
        attention: `sdpa`, `eager` or `flash_attention_2`.

    Raises:
        FinetuneError: the weights do not load, or nf4 is not to be had here.
    """
    options: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    if nf4:
        options["quantization_config"] = _four_bits(dtype)
    if device is not None and device.type != "cpu":
        options["device_map"] = {"": device}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            **options,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise FinetuneError(
            f"the base in {folder} could not be loaded: {_first_line(error)}"
        ) from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise FinetuneError(
            f"the weights in {folder} are not whole safetensors files ({error}); "
            "download them again"
        ) from error
    model = cast("PreTrainedModel", model)
    broken = [n for n, p in model.named_parameters() if p.device.type == "meta"]
    if broken:
        raise FinetuneError(f"the base in {folder} lacks weights: {broken[0]}")
    return model


def context_of(config: PretrainedConfig) -> int | None:
    """Context length of the model; None if its configuration does not say."""
    text = config.get_text_config()
    for key in ("max_position_embeddings", "n_positions", "n_ctx"):
        value = getattr(text, key, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def hash_base(folder: Path) -> dict[str, str]:
    """SHA-256 of the base's files by name; of the GGUF, if it was one.

    Raises:
        FinetuneError: what says which GGUF is broken.
    """
    try:
        unpacked = read_unpacked(folder)
    except UnpackedError as error:
        raise FinetuneError(str(error)) from error
    if unpacked is not None:
        return unpacked.sha256
    files = sorted(
        file for pattern in WANTED for file in folder.glob(pattern) if file.is_file()
    )
    return {file.name: sha256_of_file(file) for file in files}


def _four_bits(dtype: torch.dtype) -> Any:
    if not torch.cuda.is_available():
        raise FinetuneError(
            "method: qlora keeps the base in 4 bits by bitsandbytes, which needs an "
            "NVIDIA GPU, and this PyTorch sees none; use method: lora, or a machine "
            "with one"
        )
    try:
        import bitsandbytes  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise FinetuneError(
            "method: qlora needs bitsandbytes: pip install 'medassist[qlora]'"
        ) from error
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,
    )


def _checked(folder: Path, name: str) -> Path:
    if not (folder / "config.json").is_file():
        raise FinetuneError(
            f"{folder} is not a Hugging Face model: it has no config.json"
        )
    if not any(folder.glob("*.safetensors")):
        pickles = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
        found = (
            f"only {pickles[0].name}, a pickle, which can run code"
            if pickles
            else ("no weights at all")
        )
        raise FinetuneError(
            f"the base {name} has no *.safetensors: there is {found}. Take a revision "
            "that has them"
        )
    return folder


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
