"""A model's settings for Ollama: template, parameters, messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import cast, get_args

from convert.errors import ConvertError
from convert.go_template.derive import nearest_turns, read_turns
from convert.go_template.source import (
    ChatSource,
    Role,
    TemplateRefused,
    read_source,
)
from convert.go_template.write import go_template
from convert.ollama.own_template import FIRST, GO_ALONE, renders_own
from convert.ollama.parameters import (
    MOST_CONTEXT,
    REPEAT_PENALTY,
    Parameter,
    Recommended,
    Value,
    recommended,
)
from convert.turns import SystemInQuestion, SystemLeftOut, TurnTemplate
from medassist.core.plain_template import plain_stops
from medassist.text.answer_end import AnswerEnd, Turn, answer_end


@dataclass(frozen=True)
class OllamaWishes:
    """The user's settings for a model; the rest comes from its files."""

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
    """Date that the chat template writes as today's."""
    context: int | None = None
    """Tokens of context, where the parameters do not say it."""
    card_context: int | None = None
    """Tokens of context that the model's card names."""
    card_stops: tuple[str, ...] = ()
    """Texts that end an answer by the model's card."""


@dataclass(frozen=True)
class OllamaSettings:
    """Ollama's settings of a model, apart from its weights."""

    template: str
    system: str | None
    stops: tuple[str, ...]
    parameters: dict[str, Value]
    licences: tuple[str, ...]
    messages: tuple[tuple[Role, str], ...]
    notes: tuple[str, ...] = ()
    """Notes for the user, in sentences."""
    turns: TurnTemplate | None = None
    """The template as it was derived; `None` where it was written by hand."""
    inexact: str = ""
    """Difference between the chat template and TEMPLATE; empty: none is known."""
    origins: tuple[Parameter, ...] = ()
    """All parameters, stops and all, with who named them."""

    def all_parameters(self) -> dict[str, Value | list[str]]:
        """The parameters as Ollama's API takes them, stops and all."""
        stops = {"stop": list(self.stops)} if self.stops else {}
        return {**stops, **self.parameters}


def settings_of(path: Path, wishes: OllamaWishes) -> OllamaSettings:
    """The settings for the model folder or GGUF at `path`.

    Raises:
        ConvertError: its chat template has no exact Go form, or a wish cannot be met.
    """
    source = read_source(path, date=wishes.date)
    return settings_from(source, wishes)


def settings_from(source: ChatSource, wishes: OllamaWishes) -> OllamaSettings:
    """The settings for the model that `source` describes.

    A chat template that Ollama renders itself needs no exact Go form: there TEMPLATE
    is the nearest one, for servers that are older.

    Raises:
        ConvertError: its chat template has no exact Go form, and Ollama would not
            render it itself; or a wish cannot be met.
    """
    turns, inexact = (None, "") if wishes.template is not None else _turns(source)
    source = replace(source, today=datetime.now().astimezone())
    template = wishes.template if turns is None else go_template(turns)
    assert template is not None
    left_out = turns and not inexact and isinstance(turns.system, SystemLeftOut)
    if left_out and wishes.system:
        raise ConvertError(
            f"{source.origin}: the chat template leaves out system texts, so a SYSTEM "
            "would not reach the model; leave out --system"
        )
    end = template_end(source) if turns else AnswerEnd()
    stops = _stops(source, end, wishes, derived=turns is not None)
    if not stops:
        raise ConvertError(
            f"{source.origin}: neither the tokens nor the chat template say how an "
            "answer ends, so it would never end; name a text with --stop"
        )
    advice = recommended(source.advice, source.advice_from)
    parameters = _parameters(source, advice, wishes)
    return OllamaSettings(
        template=template,
        system=wishes.system or None,
        stops=tuple(str(stop.value) for stop in stops),
        parameters={found.name: found.value for found in parameters},
        licences=wishes.licences,
        messages=wishes.messages,
        notes=(
            *_notes(source, turns, inexact),
            *(_of_end(source, end) if turns else ()),
            *_of_context(source, parameters, wishes),
            *advice.notes,
            REPEAT_PENALTY,
        ),
        turns=turns,
        inexact=inexact,
        origins=(*stops, *parameters),
    )


def _turns(source: ChatSource) -> tuple[TurnTemplate, str]:
    """Turns for TEMPLATE, and what else the chat template does."""
    if source.stands_in or not renders_own(source.template):
        return read_turns(source), ""
    if source.date is not None or not source.writes_date():
        return nearest_turns(source)
    today = datetime.now().astimezone()
    turns, odd = nearest_turns(replace(source, today=today))
    dated = (
        f"it writes today's date, and in TEMPLATE that of {today:%d %B %Y} stays "
        "(--date names another)"
    )
    return turns, f"{dated}; {odd}" if odd else dated


def template_end(source: ChatSource) -> AnswerEnd:
    """Finds the text by which the chat template of `source` ends an answer.

    Raises:
        ConvertError: the template fails.
    """

    def render(turns: Sequence[Turn], ask: bool) -> str | None:
        try:
            return source.render(turns, ask=ask)
        except TemplateRefused:
            return None

    return answer_end(render, source.specials)


def _stops(
    source: ChatSource, end: AnswerEnd, wishes: OllamaWishes, *, derived: bool
) -> list[Parameter]:
    """The texts that end an answer: the template's, the end tokens', the user's."""
    texts = {
        "the chat template": (end.text,),
        "the plain chat template": plain_stops(source.template) if derived else (),
        "the model's end tokens": source.ends,
        "the card": wishes.card_stops,
        "--stop": wishes.stops,
    }
    found: dict[str, Parameter] = {}
    for origin, stops in texts.items():
        for text in filter(None, stops):
            found.setdefault(text, Parameter(name="stop", value=text, source=origin))
    return list(found.values())


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


def _parameters(
    source: ChatSource, advice: Recommended, wishes: OllamaWishes
) -> list[Parameter]:
    """Parameters from the user, else from the card, else from the model's files."""
    context = [
        (source.context, source.context_from),
        (wishes.card_context, "the card (context)"),
    ]
    told = [
        Parameter(name="num_ctx", value=tokens, source=origin)
        for tokens, origin in context
        if tokens and tokens <= MOST_CONTEXT
    ]
    if wishes.context is not None:
        told.append(Parameter(name="num_ctx", value=wishes.context, source="--num-ctx"))
    told += [
        Parameter(name=name, value=value, source="--parameter")
        for name, value in wishes.parameters.items()
    ]
    # The last one that names it has it; a dictionary keeps the place of the first one.
    return list(
        {said.name: said for said in (*told, *advice.parameters, *told)}.values()
    )


def _of_context(
    source: ChatSource, parameters: Sequence[Parameter], wishes: OllamaWishes
) -> list[str]:
    longest = wishes.card_context or source.context
    if not longest or any(said.name == "num_ctx" for said in parameters):
        return []
    return [
        f"The model can take {longest:,} tokens, which costs memory: how many it gets "
        "is left to Ollama, which may take few (--num-ctx names them)."
    ]


def _notes(source: ChatSource, turns: TurnTemplate | None, inexact: str) -> list[str]:
    notes: list[str] = []
    if inexact:
        notes.append(
            f"The chat template has no exact Go form: {inexact}. Ollama from {FIRST} "
            f"on renders the one in the GGUF itself, unless {GO_ALONE} is set where it "
            "runs; an older one takes TEMPLATE, which comes nearest."
        )
    if source.bos and not source.writes_bos():
        notes.append(
            f"Ollama writes the begin token {source.bos} before the prompt, since the "
            "tokenizer does; the chat template itself writes none."
        )
    if turns and source.stands_in:
        notes.append(
            f"{source.origin.name} has no chat template; it is asked in the plain "
            'form, "Question: ... Answer:", as medassist asks it too.'
        )
    if turns and not inexact and _thinks(source, turns):
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
    elif isinstance(turns.system, SystemLeftOut) and not inexact:
        notes.append("The chat template leaves out system texts, and so does this one.")
    return notes


def _of_end(source: ChatSource, end: AnswerEnd) -> list[str]:
    """Notes on an end that is no token."""
    if end.is_token:
        return []
    if end.text:
        return [
            f"The chat template ends an answer with the text {end.text!r}, which is no "
            "token of this model: it is a stop text."
        ]
    return [
        f"The chat template ends an answer with {end.after[:30]!r}, which tells no "
        f"end: answers end at {', '.join(map(repr, source.ends)) or 'the stops'} "
        "alone; --stop adds a text."
    ]


def _thinks(source: ChatSource, turns: TurnTemplate) -> bool:
    """Whether the chat template takes out of an answer what the model thought."""
    talk: list[tuple[Role, str]] = [
        ("user", "a"),
        ("assistant", "<think>\nb\n</think>\n\nc"),
        ("user", "d"),
    ]
    return source.render(talk) != turns.render(talk)
