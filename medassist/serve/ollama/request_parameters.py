"""Parameters of a request in Ollama's form, and their meaning for the engine.

As with OpenAI's form, an option that would change an answer and is not done here is
refused by its name. Options of Ollama's that change its speed and no word are taken:
how the models are loaded was said when the server was started.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import StrictBool

from medassist.core.values import MAX_SEED
from medassist.serve.errors import Refusal
from medassist.serve.limits import MOST_MESSAGES
from medassist.serve.openai.request_parameters import Nothing, Stop, Strict, Text, Zero
from medassist.serve.served_pair import ServedModel

LATEST = ":latest"
"""Tag that Ollama's clients add to a name without one."""
MOST_STOPS = 16
One = Annotated[float, Ge(1), Le(1)]
Name = Annotated[str, MinLen(1), MaxLen(200)]


class OllamaOptions(Strict):
    """Options for choosing tokens."""

    temperature: Annotated[float, Ge(0), Le(10)] | None = None
    top_k: Annotated[int, Ge(0)] | None = None
    top_p: Annotated[float, Gt(0), Le(1)] | None = None
    min_p: Annotated[float, Ge(0), Le(1)] | None = None
    repeat_penalty: Annotated[float, Gt(0), Le(10)] | None = None
    seed: Annotated[int, Ge(-1), Le(MAX_SEED)] | None = None
    """-1: another one each time."""
    num_predict: Annotated[int, Ge(-2)] | None = None
    """The longest answer in tokens; below 0: until it ends."""
    stop: Stop | Annotated[list[Stop], MaxLen(MOST_STOPS)] | None = None
    num_ctx: Annotated[int, Ge(1)] | None = None

    # At what is done anyway.
    repeat_last_n: Literal[64] | None = None
    presence_penalty: Zero | None = None
    frequency_penalty: Zero | None = None
    mirostat: Zero | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    typical_p: One | None = None
    tfs_z: One | None = None
    penalize_newline: Literal[False] | None = None

    # What changes no word: speed, memory, and what is kept where a prompt is cut,
    # which none is here.
    num_keep: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    num_thread: int | None = None
    numa: bool | None = None
    low_vram: bool | None = None
    use_mmap: bool | None = None
    use_mlock: bool | None = None

    def changes(self) -> dict[str, Any]:
        """The values of `Sampling` that it says."""
        names = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty")
        found = {name: getattr(self, name) for name in names}
        found = {name: value for name, value in found.items() if value is not None}
        if self.seed is not None:
            drawn = secrets.randbelow(MAX_SEED + 1)
            found["seed"] = self.seed if self.seed >= 0 else drawn
        if self.num_predict == 0:
            raise _refused("options.num_predict", "An answer of no tokens is none.")
        if self.num_predict is not None:
            found["max_tokens"] = self.num_predict if self.num_predict > 0 else None
        if self.stop is not None:
            stop = self.stop
            found["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
        return found


class OllamaRequest(Strict):
    """Fields that chat and generate share."""

    model: Name
    stream: StrictBool | None = None
    """Unlike elsewhere, an answer is streamed where nothing is said."""
    options: OllamaOptions | None = None
    think: StrictBool | None = None
    format: Literal[""] | None = None
    keep_alive: float | str | None = None
    """The models stay loaded as long as the server runs."""
    truncate: Literal[False] | None = None
    shift: Literal[False] | None = None
    """Nothing is cut here."""
    logprobs: Literal[False] | None = None
    top_logprobs: Annotated[int, Ge(0), Le(0)] | None = None

    @property
    def name(self) -> str:
        """The name of the model, as it stands in the list of models."""
        return self.model.removesuffix(LATEST)

    @property
    def is_streamed(self) -> bool:
        return self.stream is not False

    @property
    def unloads(self) -> bool:
        """Without a question, it asks for the model to be taken out of memory."""
        return self.keep_alive in (0, "0", "0s", "0m")

    def changes(self, model: ServedModel) -> dict[str, Any]:
        """The values of `Sampling` that it says.

        Raises:
            Refusal: `model` cannot do as it says.
        """
        options = self.options or OllamaOptions()
        context = model.info.context if model.info else None
        if options.num_ctx and context and options.num_ctx > context:
            raise _refused(
                "options.num_ctx",
                f"The models are loaded with {context:,} tokens of context. The "
                "operator of this server chooses that with --context.",
            )
        found = options.changes()
        if self.think and not model.thinks:
            raise _refused(
                "think", "This model does not think before it answers. Leave it out."
            )
        if self.think is not None:
            found["thinking"] = "on" if self.think else "off"
        return found


class OllamaMessage(Strict):
    """A message; what an answer of ours holds beside its text may come back."""

    role: Literal["system", "user", "assistant"]
    content: Text = ""
    thinking: Text | None = None
    """Thought of a model, which is not sent back to it."""
    images: Nothing = None
    tool_calls: Nothing = None


class OllamaChatRequest(OllamaRequest):
    """A conversation; without messages, only that the model be loaded."""

    messages: Annotated[list[OllamaMessage], MaxLen(MOST_MESSAGES)] | None = None
    tools: Nothing = None


class GenerateRequest(OllamaRequest):
    """One question; without a prompt, only that the model be loaded."""

    prompt: Text = ""
    system: Text = ""
    raw: StrictBool | None = None
    """The prompt is a text to be gone on with, without the chat template."""
    suffix: Literal[""] | None = None
    template: Literal[""] | None = None
    context: Nothing = None
    images: Nothing = None


class ShowRequest(Strict):
    """Request for a model's details; older clients name it `name`."""

    model: Annotated[str, MaxLen(200)] = ""
    name: Annotated[str, MaxLen(200)] = ""
    verbose: bool | None = None


def _refused(param: str, sentence: str) -> Refusal:
    return Refusal(400, "invalid_value", f"{param!r}: {sentence}", param)
