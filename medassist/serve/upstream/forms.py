"""Forms of what an engine sends, as far as it is read: it comes from outside.

Fields that are not known are skipped; texts and lists have bounds.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from annotated_types import Ge, MaxLen
from pydantic import ValidationError

from medassist.frozen_model import ForeignModel

Count = Annotated[int, Ge(0)]
Short = Annotated[str, MaxLen(1000)]


Form = TypeVar("Form", bound=ForeignModel)


class Meta(ForeignModel):
    """Facts that llama-server tells of a model."""

    n_ctx: Count | None = None


class ModelEntry(ForeignModel):
    """A model in the list; `parent` and `max_model_len` are vLLM's."""

    id: Short
    created: int = 0
    owned_by: Short = ""
    parent: Short | None = None
    max_model_len: Count | None = None
    meta: Meta | None = None

    @property
    def context(self) -> int | None:
        """Tokens that it can hold."""
        return self.max_model_len or (self.meta.n_ctx if self.meta else None)


class Models(ForeignModel):
    data: Annotated[list[ModelEntry], MaxLen(1000)] = []


class LoadedLora(ForeignModel):
    """A LoRA that llama-server has loaded."""

    id: Count
    path: Annotated[str, MaxLen(5000)] = ""


class Adapters(ForeignModel):
    adapters: Annotated[list[LoadedLora], MaxLen(100)] = []


class Properties(ForeignModel):
    """Properties of a llama-server."""

    total_slots: Count = 1


class Error(ForeignModel):
    """Why something was not answered; llama-server has numbers beside."""

    message: str = ""
    type: str | None = None
    code: Any = None
    n_prompt_tokens: Count | None = None
    n_ctx: Count | None = None


class ErrorForm(ForeignModel):
    """An answer that is an error, in one of the forms that are about."""

    error: Error | str | None = None
    message: str | None = None
    detail: Any = None

    @property
    def told(self) -> Error | None:
        """The error; `None`: it is none."""
        if isinstance(self.error, Error):
            return self.error
        said = self.error or self.message
        if said is None and isinstance(self.detail, str):
            said = self.detail
        return Error(message=said) if said is not None else None


class Delta(ForeignModel):
    """A piece of an answer; a thought has one name or the other."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @property
    def thought(self) -> str:
        return self.reasoning_content or self.reasoning or ""


class StreamChoice(ForeignModel):
    delta: Delta = Delta()
    text: str | None = None
    finish_reason: str | None = None

    @property
    def said(self) -> str:
        """The piece, of chat or of completions."""
        return self.delta.content or self.text or ""


class PromptDetails(ForeignModel):
    cached_tokens: Count | None = None


class CompletionDetails(ForeignModel):
    reasoning_tokens: Count | None = None


class TokenUsage(ForeignModel):
    prompt_tokens: Count = 0
    completion_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None

    @property
    def cached(self) -> int:
        """Tokens of the prompt that it had read before."""
        details = self.prompt_tokens_details
        found = (details.cached_tokens if details else None) or 0
        return min(found, self.prompt_tokens)


class PromptProgress(ForeignModel):
    """Progress of a llama-server's reading."""

    total: Count = 0
    cache: Count = 0
    processed: Count = 0


class StreamEvent(ErrorForm):
    """An event of a stream."""

    choices: Annotated[list[StreamChoice], MaxLen(100)] = []
    usage: TokenUsage | None = None
    prompt_progress: PromptProgress | None = None


def read(form: type[Form], text: str | bytes) -> Form | None:
    """`text` as `form`; `None`: it is none."""
    try:
        return form.model_validate_json(text)
    except ValidationError:
        return None
