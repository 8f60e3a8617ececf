"""Weights and adapters in memory: native objects, each with one owner."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from pathlib import Path

import llama_cpp.llama_cpp as llama

from medassist.core.errors import LoadStopped, ModelFileError
from medassist.core.gguf import GgufHeader, require_adapter, require_model
from medassist.engine.native_object import NativeObject
from medassist.engine.vocabulary import Vocabulary

LOG_ERROR = 4
ALL_LAYERS = -1
# Words of llama.cpp's own (llama-adapter.cpp, llama-model.cpp) that tell what to do.
WRONG_BASE = "wrong base model"
# The library's own type for this is incomplete.
_set_adapters = vars(llama)["llama_set_adapters_lora"]
UNKNOWN_ARCHITECTURE = "unknown model architecture"

_complaints: deque[str] = deque(maxlen=12)


@llama.llama_log_callback
def _listen(level: int, text: bytes, _data: object) -> None:
    # Kept for the sentence that a failure becomes; the rest of llama.cpp's talk is
    # dropped, since nobody reads the child's screen.
    if level == LOG_ERROR:
        _complaints.append(text.decode(errors="replace").strip())


def start_llama() -> None:
    """Prepare llama.cpp in this process and take over its log."""
    llama.llama_log_set(_listen, ctypes.c_void_p(0))
    llama.llama_backend_init()


def complaint() -> str:
    """llama.cpp's first complaint, as the end of an error message.

    The later lines only say that what stands above them failed.
    """
    lines = [line for line in _complaints if line]
    _complaints.clear()
    return f" llama.cpp says: {lines[0].rstrip('.')}." if lines else ""


def _with_advice(said: str) -> str:
    """Error text of llama.cpp for a model that it cannot load, with advice."""
    if UNKNOWN_ARCHITECTURE in said:
        return (
            f"{said} Take a later build of llama-cpp-python, or another model: to "
            "convert it again helps nothing."
        )
    return (
        f"{said} The file is damaged or was made wrongly: download or convert it again."
    )


class Weights(NativeObject):
    """One model's weights, mapped from its file, and its vocabulary.

    Args:
        path: a GGUF file that holds a whole model.
        gpu_layers: layers on the GPU; `None` for all, where the build has a GPU.
        progress: is told the fraction that is loaded; its `False` ends the loading.

    Raises:
        ModelFileError: the file is no model, is damaged, or llama.cpp refuses it.
        LoadStopped: `progress` said so.
    """

    def __init__(
        self,
        path: Path,
        gpu_layers: int | None,
        progress: Callable[[float], bool],
    ) -> None:
        self.header: GgufHeader = require_model(path)
        self.path = path
        _complaints.clear()
        stopped = False

        @llama.llama_progress_callback
        def report(fraction: float, _data: object) -> bool:
            nonlocal stopped
            stopped = stopped or not progress(fraction)
            return not stopped

        params = llama.llama_model_default_params()
        self.on_gpu = gpu_layers != 0 and bool(llama.llama_supports_gpu_offload())
        layers = ALL_LAYERS if gpu_layers is None else gpu_layers
        params.n_gpu_layers = layers if self.on_gpu else 0
        params.progress_callback = report
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        if stopped:
            if model:
                llama.llama_model_free(model)
            raise LoadStopped(f"{path}: loading was stopped.")
        if not model:
            raise ModelFileError(
                f"{path}: llama.cpp cannot load this model.{_with_advice(complaint())}",
                path,
            )
        super().__init__(lambda: llama.llama_model_free(model))
        self.model = model
        try:
            self.vocabulary = Vocabulary(model, path)
        except ModelFileError:
            self.close()
            raise

    @property
    def trained_context(self) -> int:
        """Tokens that the model was trained to hold."""
        return llama.llama_model_n_ctx_train(self.model)


class VocabularyAlone(NativeObject):
    """A model's vocabulary and chat template, without its weights.

    Args:
        path: a GGUF file with a vocabulary; it may hold nothing else.

    Raises:
        ModelFileError: llama.cpp cannot load it, or it has no vocabulary.
    """

    def __init__(self, path: Path) -> None:
        _complaints.clear()
        params = llama.llama_model_default_params()
        params.vocab_only = True
        params.n_gpu_layers = 0
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ModelFileError(
                f"{path}: llama.cpp cannot load its vocabulary."
                f"{_with_advice(complaint())}",
                path,
            )
        super().__init__(lambda: llama.llama_model_free(model))
        try:
            self.vocabulary = Vocabulary(model, path)
        except ModelFileError:
            self.close()
            raise
        self.template = template_in(model)


def template_in(model: llama.llama_model_p) -> str | None:
    """The chat template in the file of a loaded model."""
    found = llama.llama_model_chat_template(model, None)
    return None if found is None else found.decode(errors="replace")


class Adapter(NativeObject):
    """A LoRA adapter for one model. It must be closed before its weights are.

    Raises:
        ModelFileError: the file is no adapter, or does not fit these weights.
    """

    def __init__(self, weights: Weights, path: Path) -> None:
        self.path = path
        self.header = require_adapter(path, weights.header)
        self.invocation: tuple[int, ...] = self.header.invocation_tokens
        size = weights.vocabulary.size
        if any(t >= size for t in self.invocation):
            raise ModelFileError(
                f"{path}: the adapter is activated by token {max(self.invocation)}, "
                f"and {weights.path.name} has {size} tokens. Give the base that it "
                "was trained on.",
                path,
            )
        _complaints.clear()
        adapter = llama.llama_adapter_lora_init(weights.model, str(path).encode())
        if not adapter:
            said = complaint()
            if WRONG_BASE in said:
                what = f"this adapter does not fit {weights.path.name}"
                advice = "Give the base that it was trained on."
            else:
                what = "llama.cpp cannot use this adapter"
                advice = "The file is damaged: copy, download or convert it again."
            raise ModelFileError(f"{path}: {what}.{said} {advice}", path)
        super().__init__(lambda: llama.llama_adapter_lora_free(adapter))
        self.adapter = adapter


def use_adapter(context: object, adapter: Adapter | None) -> None:
    """Set or (with `None`) clear the adapter of a native context."""
    if adapter is None:
        _set_adapters(context, None, 0, None)
        return
    adapters = (llama.llama_adapter_lora_p_ctypes * 1)(adapter.adapter)
    _set_adapters(context, adapters, 1, (ctypes.c_float * 1)(1.0))
