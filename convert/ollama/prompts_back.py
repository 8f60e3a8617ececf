"""Compares the prompts that a server renders with those of the model's chat template.

A server renders TEMPLATE, or the chat template in the GGUF itself. That one may write
today's date, by the server's clock, and is asked with `think` on and off, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from convert.errors import ConvertError
from convert.go_template.source import ChatSource, TemplateRefused
from convert.ollama.model_settings import OllamaSettings
from convert.ollama.ollama_server import OllamaServer, ThinkingRefusedError
from convert.ollama.own_template import FIRST, GO_ALONE
from convert.ollama.publish_plan import PublishPlan
from convert.ollama.read_back_check import ReadBackCheck, short
from medassist.core.values import Role, Thinking

Talk = tuple[tuple[Role, str], ...]
TALKS: tuple[Talk, ...] = (
    (("user", "What is iron for?"),),
    (
        ("user", "What is iron for?"),
        ("assistant", "For the blood.\n"),
        ("user", " And zinc?"),
    ),
    (("system", "Be brief."), ("user", "What is iron for?")),
)
OWN_TALKS: tuple[Talk, ...] = (
    *TALKS,
    (
        ("system", "  Be brief.\n"),
        ("user", "\tHb 8,1 g/dL \u2192 anaemia? {{ x }} 'a' \"b\"\n"),
        ("assistant", "<think>\nLow.\n</think>\n\nYes."),
        ("user", "Why?"),
        ("assistant", " Iron.\n\nOr not. "),
        ("user", "\n\nAnd zinc?"),
    ),
)
"""Conversations to ask a chat template that the server renders itself."""
DATE_NAME, DATE_FORM = "date_string", "%d %b %Y"
"""Name and format of today's date in llama-server (common/chat.cpp)."""
CLOCKS = (timedelta(), timedelta(days=-1), timedelta(days=1))
"""Shifts of the server's date against the one here, where its zone is another."""


def prompt_checks(
    server: OllamaServer, plan: PublishPlan, *, own: bool
) -> list[ReadBackCheck]:
    """Render conversations on the server; the model's own template is the measure.

    Args:
        server: has just made the model.
        plan: what was to be made.
        own: whether the server renders the chat template in the GGUF.

    Raises:
        ConvertError: the template fails here.
    """
    settings = plan.settings
    if settings.inexact and not own:
        said = (
            f"the server renders TEMPLATE, and the chat template does more: "
            f"{short(settings.inexact)}. Take Ollama from {FIRST} on, without "
            f"{GO_ALONE}, which renders the one in the GGUF; or fix a date with "
            "--date, or write a TEMPLATE by hand for --template"
        )
        return [ReadBackCheck(what="prompt", equal=False, said=said)]
    # What the server renders itself takes the date from the server's clock.
    source = replace(plan.source, date=None) if own else plan.source
    talks = OWN_TALKS if own else TALKS
    return [
        _prompt(server, plan, source, talks, own=own),
        *_thinking(server, plan, source, own=own),
    ]


def _prompt(
    server: OllamaServer,
    plan: PublishPlan,
    source: ChatSource,
    talks: Sequence[Talk],
    *,
    own: bool,
) -> ReadBackCheck:
    settings = plan.settings
    compared = 0
    more: dict[str, None] = {}
    for talk in talks:
        turns = whole_talk(talk, settings, joined=not own)
        try:
            expected = _expected(source, turns)
        except TemplateRefused:
            continue  # turns of MESSAGE and a system text behind them, for one
        try:
            found = _rendered(server, plan, talk)
        except ConvertError as error:
            return ReadBackCheck(what="prompt", equal=False, said=str(error))
        if found is None:
            said = "this Ollama cannot show a prompt (0.11.5 or later can)"
            return ReadBackCheck(what="prompt", equal=None, said=said)
        compared += 1
        if found in expected:
            continue
        if own and (known := _switched(source, turns, found)):
            more |= dict.fromkeys(known)
            continue
        said = f"it writes {short(found)}; the tokenizer writes {short(expected[0])}"
        if own and settings.turns is not None and not settings.inexact:
            said += f". With {GO_ALONE} the server renders TEMPLATE, which is exact"
        # What was written by hand has no exact form; that it differs is no news.
        by_hand = settings.turns is None and not own
        return ReadBackCheck(what="prompt", equal=None if by_hand else False, said=said)
    if own and source.writes_date():
        kept = " and not that of --date" if plan.source.date is not None else ""
        more[f"today's date is written, by the server's clock{kept}"] = None
    said = "; ".join([f"{compared} conversations rendered by the server", *more])
    return ReadBackCheck(what="prompt", equal=True if compared else None, said=said)


def _thinking(
    server: OllamaServer, plan: PublishPlan, source: ChatSource, *, own: bool
) -> list[ReadBackCheck]:
    """Effect of `think` on a prompt, where the chat template lets it be switched."""
    turns = whole_talk(TALKS[0], plan.settings, joined=not own)
    ways: tuple[Thinking, ...] = ("on", "off")
    try:
        on, off = (
            [*_expected(source, turns, way), *_expected(_of_today(source), turns, way)]
            for way in ways
        )
    except TemplateRefused:
        return []
    if on == off:
        return []
    if not own:
        said = "TEMPLATE has no thinking that `think` could switch"
        return [ReadBackCheck(what="think", equal=None, said=said)]
    idle: list[str] = []
    try:
        plain = _rendered(server, plan, TALKS[0])
        for think, expected in zip((True, False), (on, off), strict=True):
            found = _rendered(server, plan, TALKS[0], think=think)
            if found in expected:
                continue
            word = f"think: {str(think).lower()}"
            if found != plain:
                said = f"with {word} it writes {short(found)}; the tokenizer writes "
                said += short(expected[0])
                return [ReadBackCheck(what="think", equal=False, said=said)]
            idle.append(word)
    except ThinkingRefusedError as error:
        said = "this model has no thinking switch there; asked with think: true, the "
        said += f'server says "{error.said}"'
        return [ReadBackCheck(what="think", equal=None, said=said)]
    except ConvertError as error:
        return [ReadBackCheck(what="think", equal=None, said=str(error))]
    if idle:
        said = f"{' and '.join(idle)} changes nothing here: the template's own name for"
        said += " it is another than the server's"
        return [ReadBackCheck(what="think", equal=None, said=said)]
    said = "true and false as the chat template writes them"
    return [ReadBackCheck(what="think", equal=True, said=said)]


def _expected(
    source: ChatSource, turns: Sequence[tuple[Role, str]], thinking: Thinking = "auto"
) -> list[str]:
    """Prompts by the template, on the days that the server may have."""
    now = datetime.now().astimezone()
    days = CLOCKS if source.writes_date() else CLOCKS[:1]
    return [
        replace(source, today=now + day).render(turns, thinking=thinking)
        for day in days
    ]


def _switched(
    source: ChatSource, turns: Sequence[tuple[Role, str]], found: str
) -> tuple[str, ...]:
    """Names what was switched in the template so that it writes `found`; empty: none.

    A server chooses for what the template leaves open: whether to think, and the date.
    """
    thinks = "it lets the model think unless `think` is false"
    dated = f"it gives the template today's date as {DATE_NAME}"
    ways: tuple[tuple[ChatSource, Thinking, tuple[str, ...]], ...] = (
        (source, "on", (thinks,)),
        (_of_today(source), "auto", (dated,)),
        (_of_today(source), "on", (thinks, dated)),
    )
    for given, thinking, said in ways:
        with suppress(TemplateRefused):
            if found in _expected(given, turns, thinking):
                return said
    return ()


def _of_today(source: ChatSource) -> ChatSource:
    """`source` as llama-server fills it in, which gives every template the date."""
    if DATE_NAME not in source.template:
        return source
    given = f"{{% set {DATE_NAME} = strftime_now('{DATE_FORM}') %}}{{{{ '' }}}}"
    return replace(source, template=given + source.template)


def _rendered(
    server: OllamaServer, plan: PublishPlan, talk: Talk, *, think: bool | None = None
) -> str | None:
    """The server's prompt without the begin token, which the runtime writes."""
    found = server.rendered(str(plan.name), talk, think=think)
    bos = plan.source.bos
    return found.removeprefix(bos) if found is not None and bos else found


def whole_talk(
    talk: Sequence[tuple[Role, str]], settings: OllamaSettings, *, joined: bool
) -> list[tuple[Role, str]]:
    """`talk` with the server's own messages first.

    Args:
        talk: what is sent.
        settings: of the model.
        joined: put turns of one role in a row together, as it is done for TEMPLATE.
    """
    turns = [*settings.messages, *talk]
    if talk[0][0] != "system" and settings.system:
        turns.insert(0, ("system", settings.system))
    if not joined:
        return turns
    rows: list[tuple[Role, str]] = []
    for role, text in turns:
        if rows and rows[-1][0] == role:
            rows[-1] = (role, f"{rows[-1][1]}\n\n{text}")
        else:
            rows.append((role, text))
    return rows
