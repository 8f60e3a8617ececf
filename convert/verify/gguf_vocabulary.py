"""The vocabulary of a GGUF as llama.cpp reads it, without the weights."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import llama_cpp.llama_cpp as llama

from convert.errors import ConvertError
from medassist.engine.vocabulary import CONTROL, UNKNOWN, Vocabulary
from medassist.engine.weights import complaint, start_llama


class GgufVocabulary:
    """The tokens and the chat template of a GGUF; a context manager.

    Args:
        path: a GGUF with a vocabulary; it may hold nothing else.

    Raises:
        ConvertError: llama.cpp cannot load it.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConvertError(f"{path} is not there; a GGUF file is expected")
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ConvertError(f"{path} is no GGUF file; convert the model to one")
        start_llama()
        complaint()
        params = llama.llama_model_default_params()
        params.vocab_only = True
        params.n_gpu_layers = 0
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ConvertError(
                f"{path}: llama.cpp cannot load its vocabulary.{complaint()} Convert "
                "the model again"
            )
        self.path = path
        self._model = model
        self.tokens = Vocabulary(model, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        llama.llama_model_free(self._model)

    def whole(self, text: str) -> list[int]:
        """The ids of `text` with BOS and EOS where the GGUF says so."""
        data = text.encode()
        room = (llama.llama_token * (len(data) + 16))()
        count = llama.llama_tokenize(
            self.tokens.vocab, data, len(data), room, len(room), True, True
        )
        return list(room[:count])

    def is_control(self, token: int) -> bool:
        """Whether llama.cpp takes `token` for control, whatever the file says."""
        attributes = llama.llama_vocab_get_attr(self.tokens.vocab, token)
        return bool(attributes & (CONTROL | UNKNOWN))

    @cached_property
    def adds_blank(self) -> bool:
        """Whether llama.cpp puts a blank before text."""
        ids = self.tokens.tokenize("a", special=False)
        return bool(ids) and self.tokens.text(ids[0]).startswith("\u2581")

    @cached_property
    def pads(self) -> bool:
        """Whether a beginning blank of a text gets another one in front."""
        ids = self.tokens.tokenize(" a", special=False)
        return "".join(map(self.tokens.text, ids)).count("\u2581") > 1

    @cached_property
    def template(self) -> str | None:
        """The chat template."""
        found = llama.llama_model_chat_template(self._model, None)
        return None if found is None else found.decode()
