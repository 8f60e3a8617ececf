"""Table of model and adapter formats of other tools that aren't supported.

One table of what is seen, what it is, and what to do. Where something is refused, it is
asked first: "give the base that the adapter was trained on" helps nobody whose adapter
is of that base and only wears a wrapper's prefix in its names. What is supported one
day goes out of this table, and what reads it stays as it is.

`{found}` is what was seen, `{wanted}` the file that makes a folder the right one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from convert.supported_models import TAKEN


class Sight(StrEnum):
    """Sign by which a foreign format is recognised."""

    ADAPTER_TENSOR = "a name in the weights of an adapter"
    MODEL_TENSOR = "a name in the weights of a model"
    ADAPTER_KEY = "a key of an adapter_config.json"
    CLASS = "the class that a config.json names"
    IN_FOLDER = "a file or folder in the one that was given"
    OTHER_FRAMEWORK = "a file there in the place of the weights"


@dataclass(frozen=True)
class ForeignForm:
    """An entry of the table.

    Attributes:
        where: it shows.
        seen: a regular expression for names, keys and classes, whose first group (else
            all of it) is what was found; a glob pattern in a folder.
        what: it is.
        to_do: in the imperative.
    """

    where: tuple[Sight, ...]
    seen: str
    what: str
    to_do: str


_TENSORS = (Sight.ADAPTER_TENSOR, Sight.MODEL_TENSOR)
_ADAPTER, _MODEL = (Sight.ADAPTER_TENSOR,), (Sight.MODEL_TENSOR,)
_FOLDER, _CLASS = (Sight.IN_FOLDER,), (Sight.CLASS,)


def _rename(change: str) -> str:
    """The line of Python that writes a file's tensors under other names.

    No path stands in it: file names come from outside, and the line is to be copied.
    """
    return (
        'python -c "import sys; from safetensors.torch import load_file, save_file; '
        f"save_file({{{{{change}: t for k, t in load_file(sys.argv[1]).items()}}}}, "
        "sys.argv[2], {{'format': 'pt'}})\" FILE NEW (in a model of several files in "
        "each, and in the index too), and put NEW in the place of FILE"
    )


_TAKE_OUT = (
    "save it again from the model inside of the wrapper, or take `{found}` out of the "
    "names: " + _rename("k.replace('{found}', '')")
)
LLAMA_CPP = (
    "llama.cpp's own convert_hf_to_gguf.py knows many more classes; medassist convert "
    "quantize takes the GGUF that it writes"
)
_UNMERGED = (
    "load model and adapter with PEFT, and save what merge_and_unload gives; where the "
    "adapter lies in a folder of its own: medassist convert merge BASE ADAPTER OUT"
)
_UNQUANTIZED = (
    "take the model that was quantized; from bitsandbytes, load it with transformers, "
    "dequantize() it and save it in bfloat16"
)
_MLX_FUSE = (
    "fuse it where it was trained, mlx_lm.fuse --model BASE --adapter-path DIR "
    "--save-path OUT --dequantize, and give that: medassist convert gguf OUT MODEL.gguf"
)

FORMS: tuple[ForeignForm, ...] = (
    # What wrappers of training put into the names.
    ForeignForm(
        _MODEL,
        r"(?:^|\.)(_orig_mod\.)",
        "torch.compile puts `_orig_mod.` before the names of what it compiled",
        _TAKE_OUT,
    ),
    ForeignForm(
        _MODEL,
        r"(?:^|\.)(_fsdp_wrapped_module\.)",
        "FSDP puts `_fsdp_wrapped_module.` before the names of what it wraps",
        _TAKE_OUT,
    ),
    ForeignForm(
        _MODEL,
        r"(?:^|\.)(_checkpoint_wrapped_module\.)",
        "activation checkpointing puts `_checkpoint_wrapped_module.` before the names "
        "of what it wraps",
        _TAKE_OUT,
    ),
    ForeignForm(
        _MODEL,
        r"(?:^|\.)(_forward_module\.)",
        "Lightning puts `_forward_module.` before the names of what it wraps",
        _TAKE_OUT,
    ),
    ForeignForm(
        _TENSORS,
        r"(?:^|\.)(_flat_param)",
        "it is FSDP's own storage, in which the parameters of a layer lie in one row",
        "save with FSDP's state dict type FULL_STATE_DICT, or join the parts with "
        "accelerate merge-weights",
    ),
    ForeignForm(
        _MODEL,
        r"(?:^|\.)(module\.)",
        "DistributedDataParallel, DataParallel and DeepSpeed put `module.` before the "
        "names of what they wrap",
        _TAKE_OUT,
    ),
    # Of other libraries and other kinds of models.
    ForeignForm(
        _ADAPTER,
        r"(\.lora_[ab])$",
        "names that end in lora_a and lora_b are those of MLX",
        _MLX_FUSE,
    ),
    ForeignForm(
        _ADAPTER,
        r"(^lora_unet_|^lora_te\d?_|^unet\.|^text_encoder\.|\.lora_up\.|\.lora_down\.)",
        "it is an adapter of a model that draws pictures",
        "give an adapter of a language model, as PEFT saves it",
    ),
    ForeignForm(
        _TENSORS,
        r"(?:^|\.)(language_model\.|vision_tower\.|vision_model\.|visual\."
        r"|multi_modal_projector\.)",
        "it is of a model of images and text, of which `language_model.` is the part "
        "that writes",
        "use llama.cpp's own convert_hf_to_gguf.py, which knows many of these models "
        "(an adapter is merged into its own base first: PEFT's merge_and_unload), or "
        "train on the base of text alone",
    ),
    ForeignForm(
        _ADAPTER,
        r"(?:^|\.)((?:score|classifier|qa_outputs|v_head|pre_classifier)\.)",
        "it is the head of a classifier (or of a reward model), which gives labels or "
        "a score and no text; a language model has no place for it",
        "train with task_type CAUSAL_LM for a model that writes; a classifier stays "
        "with transformers",
    ),
    ForeignForm(
        _MODEL,
        r"(?:^|\.)((?:score|classifier|qa_outputs|v_head|pre_classifier)\.)",
        "it is the head of a classifier (or of a reward model), which gives labels or "
        "a score and no text",
        "give the language model that it was made from; a classifier stays with "
        "transformers",
    ),
    ForeignForm(
        _MODEL,
        r"(?:^|\.)(lora_[AB]\.|base_layer\.)",
        "an adapter lies in the model's weights, not merged",
        _UNMERGED,
    ),
    ForeignForm(
        _MODEL,
        r"^(base_model\.model\.)",
        "the weights were saved from a PeftModel, with its prefix in the names",
        "save them from its get_base_model(), or take `{found}` out of the names: "
        + _rename("k.removeprefix('{found}')"),
    ),
    # What quantizing leaves.
    ForeignForm(
        _MODEL,
        r"(\.SCB|\.weight_format)$",
        "it is a scale of the 8-bit numbers of bitsandbytes",
        _UNQUANTIZED,
    ),
    ForeignForm(
        _MODEL,
        r"(\.absmax|\.nested_absmax|\.quant_map|\.nested_quant_map|\.quant_state\.\w+)$",
        "it is a part of the 4-bit numbers of bitsandbytes",
        _UNQUANTIZED,
    ),
    ForeignForm(
        _MODEL,
        r"(\.qweight|\.qzeros|\.g_idx)$",
        "it is a part of the numbers of GPTQ or AWQ",
        "take the model that was quantized",
    ),
    ForeignForm(
        _MODEL,
        r"(\.weight_scale(?:_inv)?|\.input_scale|\.weight_packed|\.weight_zero_point)$",
        "it is a part of numbers in FP8 or of compressed-tensors",
        "take the model in bfloat16 that was quantized",
    ),
    ForeignForm(
        _MODEL,
        r"(\.scales|\.biases)$",
        "it is a part of the numbers of a model that MLX (or AWQ) quantized",
        "take the model that was quantized; from MLX: mlx_lm.convert --hf-path DIR "
        "--mlx-path OUT --dequantize",
    ),
    # Models of other saves.
    ForeignForm(
        _MODEL,
        r"^(tok_embeddings\.|layers\.\d+\.attention\.w[qkvo]\.)",
        "these are the names of the makers' own files (Meta's or Mistral's), not of "
        "transformers",
        "take the model in the form of transformers, with model.safetensors",
    ),
    ForeignForm(
        _MODEL,
        r"^(layers\.\d+\.|embed_tokens\.|norm\.)",
        "the names lack `model.`: the inner model was saved by itself, without an "
        "output layer",
        "where config.json says `tie_word_embeddings` true, load it with transformers' "
        "AutoModelForCausalLM and save_pretrained it; else its output layer is in no "
        "file here: take the model that has lm_head.weight",
    ),
    # Adapters of others, by their config.
    ForeignForm(
        (Sight.ADAPTER_KEY,),
        r"^(fine_tune_type|lora_parameters)$",
        "it is the config of an MLX adapter",
        _MLX_FUSE,
    ),
    # Folders.
    ForeignForm(
        _FOLDER,
        "adapters.safetensors",
        "it is the adapter of an MLX training",
        _MLX_FUSE,
    ),
    ForeignForm(
        _FOLDER,
        "checkpoint-*/{wanted}",
        "it is a trainer's folder, in which each checkpoint is a folder of its own",
        "give one of them, {found} being the last",
    ),
    ForeignForm(
        _FOLDER,
        "snapshots/*/{wanted}",
        "it is a repository's folder in the hub's cache, which holds the files of each "
        "version under snapshots/",
        "give {found}",
    ),
    ForeignForm(
        _FOLDER,
        "models--*/snapshots/*/{wanted}",
        "it is the root of the hub's cache, and models lie in it by name and version",
        "give the folder of the one that you mean, such as {found}",
    ),
    ForeignForm(
        _FOLDER,
        "hub/models--*/snapshots/*/{wanted}",
        "it holds the hub's cache, and models lie in it by name and version",
        "give the folder of the one that you mean, such as {found}",
    ),
    ForeignForm(
        _FOLDER,
        "model-*-of-*.safetensors",
        "it is one part of a model that was saved in several, and the index that says "
        "which tensor is where, model.safetensors.index.json, is missing",
        "get the index from where the part came from, with all parts beside it",
    ),
    ForeignForm(
        _FOLDER,
        "zero_to_fp32.py",
        "it is a checkpoint of DeepSpeed, with the weights in parts",
        "join them, in that folder: python zero_to_fp32.py . OUT --safe_serialization",
    ),
    ForeignForm(
        _FOLDER,
        "global_step*/",
        "it is a checkpoint of DeepSpeed, with the weights in parts",
        "join them with the zero_to_fp32.py that DeepSpeed puts beside them, with "
        "--safe_serialization",
    ),
    ForeignForm(
        _FOLDER,
        "pytorch_model_fsdp*/",
        "it is a sharded checkpoint of FSDP",
        "join it: accelerate merge-weights DIR OUT",
    ),
    ForeignForm(
        _FOLDER,
        "*.distcp",
        "it is a sharded checkpoint of torch",
        "join it: accelerate merge-weights DIR OUT",
    ),
    ForeignForm(
        _FOLDER,
        "consolidated*",
        "it is the makers' own form of the weights (Meta's or Mistral's), not that of "
        "transformers",
        "take the model in the form of transformers, with model.safetensors",
    ),
    ForeignForm(
        (Sight.OTHER_FRAMEWORK,),
        "*.onnx",
        "it is a model for ONNX, whose weights are compiled into a graph",
        "take the model in the form of transformers, with model.safetensors",
    ),
    ForeignForm(
        (Sight.OTHER_FRAMEWORK,),
        "tf_model.h5",
        "it is a model for TensorFlow",
        "take the model in the form of transformers, with model.safetensors",
    ),
    ForeignForm(
        (Sight.OTHER_FRAMEWORK,),
        "flax_model.msgpack",
        "it is a model for Flax",
        "take the model in the form of transformers, with model.safetensors",
    ),
    ForeignForm(
        _FOLDER,
        "*/{wanted}",
        "what is looked for lies a folder deeper",
        "give the folder of the one that you mean, such as {found}",
    ),
    # Classes, whose own words are before the last one, which is for all others.
    ForeignForm(
        _CLASS,
        r".*For(?:Sequence|Token)Classification|.*ForQuestionAnswering"
        r"|.*ForMultipleChoice|.*RewardModel",
        "it gives labels or a score, and no text",
        "give the language model that it was made from; a classifier stays with "
        "transformers",
    ),
    ForeignForm(
        _CLASS,
        r"(?:M?T5|UM?T5|Bart|MBart|BigBird|Pegasus|Led|LED|Whisper|Marian|M2M100"
        r"|Blenderbot|Switch).*",
        "it reads with an encoder and writes with a decoder",
        "use it with transformers, or take a model that is a decoder alone: "
        + ", ".join(TAKEN),
    ),
    ForeignForm(
        _CLASS,
        r"Gemma3nFor(?:CausalLM|ConditionalGeneration)",
        "it is a Gemma 3n, whose sparse gates llama.cpp computes otherwise than "
        "transformers: it takes the spread of n values over n - 1, and transformers "
        "over n. What a GGUF of it computes differs by an NMSE of about 1e-5, ten "
        "times what medassist convert verify lets a float32 file differ",
        "llama.cpp's own convert_hf_to_gguf.py converts it, unproven; medassist "
        "convert quantize takes the GGUF that it writes",
    ),
    ForeignForm(
        _CLASS,
        r".*ForConditionalGeneration|.*ForImageTextToText|.*ForVision2Seq|Llava.*"
        r"|.*VL.*",
        "it is a model of images and text",
        "use llama.cpp's own convert_hf_to_gguf.py, which knows many of these (with "
        "--mmproj for the images), or take the model of text alone",
    ),
    ForeignForm(
        _CLASS,
        r".*ForMaskedLM|.*Bert.*",
        "it fills gaps or turns texts into vectors, and does not write",
        "take a model of the kind that ends in ForCausalLM",
    ),
    ForeignForm(
        _CLASS,
        r"Peft.*",
        "it is the wrapper in which PEFT trains, saved as a model",
        _UNMERGED,
    ),
    ForeignForm(
        _CLASS,
        r"\w+Model(?<!HeadModel)(?<!HeadsModel)",
        "it is the inner model, saved by itself, without the layer that makes words",
        "where config.json says `tie_word_embeddings` true, load it with transformers' "
        "AutoModelForCausalLM and save_pretrained it; else take the model whose class "
        "ends in ForCausalLM",
    ),
    ForeignForm(
        _CLASS,
        r"BioGpt.*",
        "llama.cpp, and so Ollama, has no code for it",
        "use it with transformers, or train one of the models that are taken",
    ),
    ForeignForm(
        _CLASS,
        r".*Moe.*|Dbrx.*|Deepseek.*|Jamba.*",
        "it is a model of experts",
        LLAMA_CPP,
    ),
    ForeignForm(
        _CLASS,
        "not named",
        "nothing says what the weights are",
        "put the name of the class under `architectures`, as transformers saves it",
    ),
    ForeignForm(_CLASS, r".*", "it is none that is written here", LLAMA_CPP),
)

NO_TOKENIZER = ForeignForm(
    _FOLDER,
    "",
    "it holds no tokenizer (tokenizer.json, tokenizer.model, or vocab.json with "
    "merges.txt): weights were saved alone",
    "copy the tokenizer's files from the base, or save_pretrained the tokenizer into "
    "the folder",
)
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tekken.json",
    "tiktoken.model",
)
