"""Child process that examines the chat template of a model file.

A template is a program from outside. It is rendered here in its sandbox, with no
network and no files but the model's, and what it wrote is the only answer. Started by
`template_check` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from medassist.core.end_tokens import END_KEYS, known_ends
from medassist.core.errors import EngineError, file_of
from medassist.core.gguf import GgufHeader, read_header, shards
from medassist.core.values import Message
from medassist.engine.frames import Refused
from medassist.engine.template import ChatTemplate
from medassist.frozen_model import FrozenModel

if TYPE_CHECKING:
    from medassist.engine.child_startup import Confined

TOKENS = "tokenizer.ggml.tokens"
KINDS = "tokenizer.ggml.token_type"
UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4
MAX_RENDERED = 20_000

_USER = Message(role="user", content="a-question-of-the-probe")
_ANSWER = Message(role="assistant", content="an-answer-of-the-probe")
_SYSTEM = Message(role="system", content="a-system-prompt-of-the-probe")
PROBES = (
    ((_USER,), True),
    ((_SYSTEM, _USER, _ANSWER, _USER), True),
    ((_USER, _ANSWER), False),
)
"""Conversations, and whether the prompt ends where the answer begins."""


class Probe(FrozenModel):
    """The only command: examine the template of this model."""

    file: Path


class ProbedTemplate(FrozenModel):
    """Findings about the template of one model file."""

    template: Literal["own", "none", "broken"]
    trouble: str = ""
    """Why it is broken."""
    rendered: tuple[str, ...] = ()
    """The probes as the template writes them."""
    tokens: int = 0
    bos: str = ""
    """The text of the BOS token; empty: there is none."""
    adds_bos: bool = False
    """Whether the tokenizer puts BOS before a text by itself."""
    ends: tuple[str, ...] = ()
    """The texts of the tokens at which llama.cpp ends an answer."""
    after_answer: str = ""
    """Text that the template writes after an answer, up to 80 characters of it."""
    stop: str = ""
    """The text of it that ends an answer, where no token does; empty: there is none."""
    turn_end: str = ""
    """The token that ends an answer; empty: no single token does."""
    turn_end_id: int | None = None
    writes_date: bool = False


COMMAND: TypeAdapter[Probe] = TypeAdapter(Probe)
REPLIES: TypeAdapter[ProbedTemplate | Refused] = TypeAdapter(ProbedTemplate | Refused)


def probe(path: Path) -> ProbedTemplate:
    """Examine the template of the model at `path`, in this process.

    Raises:
        ModelFileError: the file is no GGUF.
    """
    header = read_header(path, keep=(TOKENS, KINDS))
    texts = header.metadata.get(TOKENS, ())
    tokens = [str(t) for t in texts] if isinstance(texts, tuple) else []
    bos, eos = _token(header, tokens, "bos"), _token(header, tokens, "eos")
    found = ProbedTemplate(
        template="own" if header.chat_template else "none",
        tokens=len(tokens),
        bos=bos,
        adds_bos=_adds_bos(header),
        ends=_ends(header, tokens),
    )
    if not header.chat_template:
        return found
    try:
        template = ChatTemplate(header.chat_template, str(path), bos, eos)
        rendered = [template.render(turns, ask=ask) for turns, ask in PROBES]
    except EngineError as error:
        return found.model_copy(update={"template": "broken", "trouble": str(error)})
    end = template.answer_end(_specials(header, tokens))
    return found.model_copy(
        update={
            "rendered": tuple(text[:MAX_RENDERED] for text in rendered),
            "after_answer": end.after.strip()[:80],
            "stop": "" if end.is_token else end.text,
            "turn_end": end.text if end.is_token else "",
            "turn_end_id": tokens.index(end.text) if end.is_token else None,
            "writes_date": "strftime_now" in header.chat_template,
        }
    )


def _token(header: GgufHeader, tokens: list[str], which: str) -> str:
    number = header.number(f"tokenizer.ggml.{which}_token_id")
    if number is None:
        known = known_ends()
        defaults = known.default_bos if which == "bos" else known.default_eos
        number = defaults.get(header.text("tokenizer.ggml.model") or "", -1)
    return tokens[number] if 0 <= number < len(tokens) else ""


def _adds_bos(header: GgufHeader) -> bool:
    said = header.metadata.get("tokenizer.ggml.add_bos_token")
    if isinstance(said, bool):
        return said
    known = known_ends()
    return (
        header.text("tokenizer.ggml.model") in known.models_that_add_bos
        or header.text("tokenizer.ggml.pre") in known.pre_tokenizers_that_add_bos
    )


def _ends(header: GgufHeader, tokens: list[str]) -> tuple[str, ...]:
    named = {header.number(f"tokenizer.ggml.{key}") for key in END_KEYS}
    found = {tokens[n] for n in named if n is not None and 0 <= n < len(tokens)}
    by_heart = known_ends().ends_by_heart
    return tuple(sorted(found | (by_heart & set(tokens))))


def _specials(header: GgufHeader, tokens: list[str]) -> list[str]:
    """The texts of the tokens that stand for one thing each."""
    kinds = header.metadata.get(KINDS, ())
    special = (UNKNOWN, CONTROL, USER_DEFINED)
    typed = zip(tokens, kinds if isinstance(kinds, tuple) else (), strict=False)
    by_heart = known_ends().ends_by_heart & set(tokens)
    return [*by_heart, *(token for token, kind in typed if kind in special)]


def serve(process: Confined) -> None:
    """Probe the file that the app names, and send the findings."""
    command = process.channel.receive(COMMAND)
    if command is None:
        return
    process.end_with_the_app()
    process.keep_files(shards(command.file))
    try:
        process.channel.send(probe(command.file))
    except EngineError as error:
        process.channel.send(Refused(message=str(error), file=file_of(error)))
