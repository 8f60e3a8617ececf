"""What Ollama is told of a model apart from its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from convert.errors import ConvertError
from convert.go_template.derive import read_turns
from convert.go_template.source import ChatSource, Role, read_source
from convert.go_template.write import go_template
from convert.turns import SystemInQuestion, SystemLeftOut, Turns
from medassist.core.values import Sampling

Value = float | int | bool | str
Kind = Literal["whole", "number", "switch", "text"]
# The options of Ollama's API (api/types.go) that a model can carry; `stop` has its own.
PARAMETERS: dict[str, Kind] = {
    "num_ctx": "whole",
    "num_batch": "whole",
    "num_gpu": "whole",
    "main_gpu": "whole",
    "use_mmap": "switch",
    "num_thread": "whole",
    "num_keep": "whole",
    "seed": "whole",
    "num_predict": "whole",
    "top_k": "whole",
    "top_p": "number",
    "min_p": "number",
    "typical_p": "number",
    "repeat_last_n": "whole",
    "temperature": "number",
    "repeat_penalty": "number",
    "presence_penalty": "number",
    "frequency_penalty": "number",
}
MOST_CONTEXT = 8192
"""Tokens of context that are asked for without the user's word: each costs memory."""


@dataclass(frozen=True)
class Wishes:
    """What the user says of a model; the rest comes from the model's files."""

    system: str | None = None
    parameters: dict[str, Value] = field(default_factory=dict[str, Value])
    stops: tuple[str, ...] = ()
    """Besides those of the model."""
    licences: tuple[str, ...] = ()
    messages: tuple[tuple[Role, str], ...] = ()
    """Turns that stand before every conversation."""
    template: str | None = None
    """A Go TEMPLATE written by hand, in the place of the one that is derived."""
    date: str | None = None
    """What the chat template writes as today's date."""
    context: int | None = None
    """Tokens of context, where the parameters do not say it."""


@dataclass(frozen=True)
class OllamaSettings:
    """What Ollama is told of a model apart from its weights."""

    template: str
    system: str | None
    stops: tuple[str, ...]
    parameters: dict[str, Value]
    licences: tuple[str, ...]
    messages: tuple[tuple[Role, str], ...]
    notes: tuple[str, ...] = ()
    """What a user should know, in sentences."""
    turns: Turns | None = None
    """The template as it was derived; `None` where it was written by hand."""

    def all_parameters(self) -> dict[str, Value | list[str]]:
        """The parameters as Ollama's API takes them, stops and all."""
        stops = {"stop": list(self.stops)} if self.stops else {}
        return {**stops, **self.parameters}


def settings_of(path: Path, wishes: Wishes) -> OllamaSettings:
    """The settings for the model folder or GGUF at `path`.

    Raises:
        ConvertError: its chat template has no exact Go form, or a wish cannot be met.
    """
    source = read_source(path, date=wishes.date)
    return settings_from(source, wishes)


def settings_from(source: ChatSource, wishes: Wishes) -> OllamaSettings:
    """The settings for the model that `source` describes.

    Raises:
        ConvertError: its chat template has no exact Go form, or a wish cannot be met.
    """
    turns = None if wishes.template is not None else read_turns(source)
    template = wishes.template if turns is None else go_template(turns)
    assert template is not None
    if turns and wishes.system and isinstance(turns.system, SystemLeftOut):
        raise ConvertError(
            f"{source.origin}: the chat template leaves out system texts, so a SYSTEM "
            "would not reach the model; leave out --system"
        )
    ends = (*answer_ends(source, turns), *wishes.stops)
    if not ends:
        raise ConvertError(
            f"{source.origin}: neither the tokens nor the chat template say how an "
            "answer ends, so it would never end; name a text with --stop"
        )
    return OllamaSettings(
        template=template,
        system=wishes.system or None,
        stops=tuple(dict.fromkeys(ends)),
        parameters=_parameters(source, wishes),
        licences=wishes.licences,
        messages=wishes.messages,
        notes=tuple(_notes(source, turns, wishes)),
        turns=turns,
    )


def answer_ends(source: ChatSource, turns: Turns | None) -> tuple[str, ...]:
    """The texts that end an answer: the template's, then those of the end tokens."""
    ends: list[str] = []
    if turns and (after := turns.assistant.after.strip()):
        # The first special token in it; among those that begin there, the longest.
        found = [
            (after.find(t), -len(t), t) for t in source.specials if t and t in after
        ]
        ends.append(min(found)[2] if found else after.splitlines()[0])
    return tuple(dict.fromkeys([*ends, *filter(None, source.ends)]))


def read_parameter(text: str) -> tuple[str, Value]:
    """`name=value` as a parameter of Ollama with a value of its kind.

    Raises:
        ConvertError: Ollama knows no such parameter, or it takes another value.
    """
    name, equals, written = text.partition("=")
    name, written = name.strip(), written.strip()
    if name == "stop":
        raise ConvertError("a stop text is given with --stop, not with --parameter")
    kind = PARAMETERS.get(name)
    if not equals or kind is None:
        raise ConvertError(
            f"--parameter {text!r}: expected NAME=VALUE with one of "
            f"{', '.join(PARAMETERS)}"
        )
    try:
        match kind:
            case "whole":
                return name, int(written)
            case "number":
                return name, float(written)
            case "switch":
                return name, {"true": True, "false": False}[written.lower()]
            case "text":
                return name, written
    except (ValueError, KeyError):
        expected = {"whole": "a whole number", "switch": "true or false"}
        raise ConvertError(
            f"--parameter {text!r}: {name} takes {expected.get(kind, 'a number')}"
        ) from None


def read_message(text: str) -> tuple[Role, str]:
    """`role: text` as a turn.

    Raises:
        ConvertError: the role is none that Ollama knows.
    """
    role, colon, said = text.partition(":")
    if not colon or role.strip() not in get_args(Role) or not said.strip():
        raise ConvertError(
            f"--message {text!r}: expected 'user: ...', 'assistant: ...' or "
            "'system: ...'"
        )
    return cast(Role, role.strip()), said.strip()


def _parameters(source: ChatSource, wishes: Wishes) -> dict[str, Value]:
    """The app's own sampling, then what the model's files say, then the user."""
    ours = Sampling()
    found: dict[str, Value] = {}
    context = wishes.context
    if context is None and source.context:
        context = min(source.context, MOST_CONTEXT)
    if context is not None:
        found["num_ctx"] = context
    found |= {
        "num_predict": ours.max_tokens or -1,
        "temperature": ours.temperature,
        "top_k": ours.top_k,
        "top_p": ours.top_p,
        "min_p": ours.min_p,
        "repeat_penalty": ours.repeat_penalty,
    }
    return {**found, **source.sampling, **wishes.parameters}


def _notes(source: ChatSource, turns: Turns | None, wishes: Wishes) -> list[str]:
    notes: list[str] = []
    if source.bos and not source.writes_bos():
        notes.append(
            f"Ollama writes the begin token {source.bos} before the prompt, since the "
            "tokenizer does; the chat template itself writes none."
        )
    if turns and _thinks(source, turns):
        notes.append(
            "The chat template takes <think>...</think> out of earlier answers, and "
            "the TEMPLATE does not; Ollama keeps thinking apart from an answer itself."
        )
    if turns is None:
        notes.append("The TEMPLATE was written by hand and is not proven.")
    elif isinstance(turns.system, SystemInQuestion):
        place = f"in the {turns.system.where} question"
        refused = not source.takes([("system", "s"), ("user", "u")])
        why = "has no system turn" if refused else "puts it there"
        notes.append(f"A system text stands {place}: the chat template {why}.")
    elif isinstance(turns.system, SystemLeftOut):
        notes.append("The chat template leaves out system texts, and so does this one.")
    asked = wishes.context is not None or "num_ctx" in wishes.parameters
    if (source.context or 0) > MOST_CONTEXT and not asked:
        notes.append(
            f"num_ctx is {MOST_CONTEXT} of the {source.context} tokens that the model "
            "can take; more costs memory (--num-ctx)."
        )
    return notes


def _thinks(source: ChatSource, turns: Turns) -> bool:
    """Whether the chat template takes out of an answer what the model thought."""
    talk: list[tuple[Role, str]] = [
        ("user", "a"),
        ("assistant", "<think>\nb\n</think>\n\nc"),
        ("user", "d"),
    ]
    return source.render(talk) != turns.render(talk)
