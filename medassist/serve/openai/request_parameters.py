"""Parameters of a request in OpenAI's form, and their meaning for the engine.

What would change an answer and is not done here is refused by its name, so that no
client believes that it was. A value that asks for what is done anyway is taken, since
clients send their defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from medassist.core.values import MAX_SEED, Message
from medassist.serve.errors import Refusal
from medassist.serve.limits import MOST_MESSAGES

MOST_STOPS = 4
NOT_JSON = Refusal(400, "invalid_json", "The body is not JSON as it is wanted here.")


def _is_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character (a lone surrogate)") from None
    return text


Text = Annotated[str, AfterValidator(_is_unicode)]
Stop = Annotated[Text, MinLen(1), MaxLen(256)]
Zero = Annotated[float, Ge(0), Le(0)]
Nothing = Annotated[list[Any], MaxLen(0)] | None


class Strict(BaseModel):
    """A part of a request: a field that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class TextFormat(Strict):
    type: Literal["text"]


class TemplateSettings(Strict):
    enable_thinking: bool | None = None


class StreamOptions(Strict):
    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class Sampled(Strict):
    """Settings for choosing tokens, in the words that the routes share."""

    model: Annotated[str, MinLen(1), MaxLen(200)]
    temperature: Annotated[float, Ge(0), Le(10)] | None = None
    top_p: Annotated[float, Gt(0), Le(1)] | None = None
    top_k: Annotated[int, Ge(0)] | None = None
    min_p: Annotated[float, Ge(0), Le(1)] | None = None
    repeat_penalty: Annotated[float, Gt(0), Le(10)] | None = None
    seed: Annotated[int, Ge(0), Le(MAX_SEED)] | None = None
    stream: bool | None = None

    # Who asks is known by the token, and nothing is kept.
    user: Annotated[str, MaxLen(512)] | None = None
    safety_identifier: Annotated[str, MaxLen(512)] | None = None
    prompt_cache_key: Annotated[str, MaxLen(512)] | None = None
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None

    def changes(self) -> dict[str, Any]:
        """The values of `Sampling` that the request says."""
        names = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed")
        said = {name: getattr(self, name) for name in names}
        return {name: value for name, value in said.items() if value is not None}


class Penalized(Strict):
    """Further fields of chat and completions, each at the value that holds anyway."""

    n: Annotated[int, Ge(1), Le(1)] | None = None
    frequency_penalty: Zero | None = None
    presence_penalty: Zero | None = None
    logit_bias: Annotated[dict[str, float], MaxLen(0)] | None = None
    stop: Stop | Annotated[list[Stop], MaxLen(MOST_STOPS)] | None = None
    stream_options: StreamOptions | None = None

    @property
    def stops(self) -> dict[str, tuple[str, ...]]:
        """The texts that end the answer, if the request says any."""
        if self.stop is None:
            return {}
        said = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        return {"stop": said}

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


class TextContent(Strict):
    type: Literal["text", "input_text", "output_text"]
    text: Text
    annotations: Nothing = None
    logprobs: Nothing = None


Content = Text | Annotated[list[TextContent], MinLen(1), MaxLen(MOST_MESSAGES)]
SAME_ROLE = {"developer": "system"}


def text_of(content: str | Sequence[TextContent]) -> str:
    """The text of a message, whose parts belong together."""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content)


def conversation(said: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """Messages as roles and texts, for the engine.

    Raises:
        Refusal: it does not end with a question.
    """
    messages = tuple(
        Message(SAME_ROLE.get(role, role), text)  # pyright: ignore[reportArgumentType]
        for role, text in said
    )
    if messages[-1].role != "user" or not messages[-1].content.strip():
        raise Refusal(
            400,
            "invalid_messages",
            "The last message has to be the user's, and may not be empty.",
            "messages",
        )
    return messages


def questions_of(messages: Sequence[Message]) -> tuple[str, list[str]]:
    """The question, and what the user asked before it."""
    *earlier, question = (m.content for m in messages if m.role == "user")
    return question, earlier


def refusal_of_invalid(error: ValidationError | Sequence[ErrorDetails]) -> Refusal:
    """Refusal of a request that is not as it has to be.

    Of what it sent nothing is repeated but the names of fields.
    """
    errors = error.errors() if isinstance(error, ValidationError) else error
    if not errors:
        return NOT_JSON
    # In a union each member complains; a field too many says most.
    extra = [e for e in errors if e["type"] == "extra_forbidden"]
    problem = (extra or list(errors))[0]
    place = [str(part) for part in problem["loc"] if part != "body"]
    param = ".".join(place)[:200] or None
    if problem["type"] == "json_invalid" or param is None:
        return NOT_JSON
    # A list that may only be empty is a field of the protocol that nothing here heeds.
    unheeded = problem.get("ctx", {}).get("max_length") == 0
    if problem["type"] == "extra_forbidden" or unheeded:
        return Refusal(
            400,
            "unsupported_parameter",
            f"{param!r} is not supported here. It was not ignored: nothing was run.",
            param,
        )
    said = problem["msg"].replace(" after validation", "")
    return Refusal(400, "invalid_value", f"{param!r}: {said}.", param)
