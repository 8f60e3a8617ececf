"""Requests in the form of each kind of engine.

All of them speak OpenAI's API; what goes beyond it, and how base and tuned model are
told apart, differs. A value that an engine cannot be told is refused, not left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from medassist.core.values import PaneName, Sampling
from medassist.engine.wire import Question
from medassist.serve.errors import Refusal
from medassist.serve.upstream.options import Kind

REPEAT_LAST: Final = 64
"""Tokens back that a repetition counts, as in our own engine."""
NEUTRAL: Final = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}
"""Neutral values of the parameters that OpenAI's own API does not know."""
MOST_STOPS: Final = 4
"""Most stop texts in OpenAI's own API."""


@dataclass(frozen=True)
class UpstreamModel:
    """A model as an engine serves it.

    Attributes:
        id: its name there.
        label: what a person calls it.
        adapter: the name of its LoRA, where it is known.
        has_parent: it says that it was tuned from the model of the other pane.
        created: seconds since 1970; 0: not known.
        context: tokens that it can hold; `None`: not known.
    """

    id: str
    label: str
    adapter: str = ""
    has_parent: bool = False
    created: int = 0
    context: int | None = None


@dataclass(frozen=True)
class LlamaServer:
    """Set-up of a llama-server.

    Attributes:
        adapters: the numbers of all LoRA that it has loaded.
        tuned: that of the tuned model; `None`: there is none.
        slots: how many questions it keeps apart.
    """

    adapters: Sequence[int] = ()
    tuned: int | None = None
    slots: int = 1


@dataclass(frozen=True)
class Asker:
    """Name of the asker, as far as an engine is told.

    Attributes:
        salt: sets apart what was read for them.
        goes_on: the last question in that pane was theirs, too.
    """

    salt: str
    goes_on: bool


def usual(sampling: Sampling, kind: Kind) -> Sampling:
    """Sampling by an engine of `kind` where a request does not say.

    A penalty on repetition is off where it counts the words of the question, too: a
    patient's own would be avoided.
    """
    if kind == "openai":
        return replace(sampling, **NEUTRAL, thinking="auto")
    return replace(sampling, repeat_penalty=1.0) if kind == "vllm" else sampling


def body_of(
    question: Question,
    pane: PaneName,
    kind: Kind,
    served: UpstreamModel,
    server: LlamaServer,
    asker: Asker,
) -> tuple[str, dict[str, Any]]:
    """The route, and what is sent to it.

    Raises:
        Refusal: the engine cannot be asked this.
    """
    if question.written or question.thought:
        sentence = "An answer that was cut off is not gone on with at another engine."
        raise Refusal(400, "not_supported", sentence)
    sampling = question.sampling
    body: dict[str, Any] = {
        "model": served.id,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
    }
    if sampling.max_tokens is not None:
        most = served.context // 2 if served.context else sampling.max_tokens
        body["max_tokens"] = max(1, min(sampling.max_tokens, most))
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if question.raw:
        body["prompt"] = question.raw
    else:
        body["messages"] = [
            {"role": said.role, "content": said.content} for said in question.messages
        ]
    match kind:
        case "llama-server":
            body |= _of_llama_server(sampling, pane, server, asker)
        case "vllm":
            body |= {
                "top_k": sampling.top_k,
                "min_p": sampling.min_p,
                "repetition_penalty": sampling.repeat_penalty,
                "cache_salt": asker.salt,
            }
        case "openai":
            _expect_plain(sampling)
    if kind != "openai" and sampling.thinking != "auto" and not question.raw:
        body["chat_template_kwargs"] = {"enable_thinking": sampling.thinking == "on"}
    return "/v1/completions" if question.raw else "/v1/chat/completions", body


def _of_llama_server(
    sampling: Sampling, pane: PaneName, server: LlamaServer, asker: Asker
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": REPEAT_LAST,
        "cache_prompt": asker.goes_on,
        "return_progress": True,
    }
    if server.adapters:
        # Said for the base, too: left out, the server's own scale would hold.
        on = server.tuned if pane == "tuned" else None
        found["lora"] = [
            {"id": number, "scale": float(number == on)} for number in server.adapters
        ]
    if server.slots > 1:
        # Another scale would throw out what a slot has read.
        found["id_slot"] = int(pane == "tuned")
    return found


def _expect_plain(sampling: Sampling) -> None:
    names = [name for name, off in NEUTRAL.items() if getattr(sampling, name) != off]
    names += ["thinking"] if sampling.thinking != "auto" else []
    if names:
        raise Refusal(
            400,
            "unsupported_parameter",
            f"The engine behind this server knows no {names[0]!r}. It was not ignored: "
            "nothing was run.",
            names[0],
        )
    if len(sampling.stop) > MOST_STOPS:
        sentence = f"The engine behind this server takes {MOST_STOPS} stop texts."
        raise Refusal(400, "invalid_value", sentence, "stop")
