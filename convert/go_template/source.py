"""The chat template of a model, with its begin and end tokens.

From a model folder (transformers renders) or from a GGUF (the engine's sandbox does).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, cast

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts, read_facts
from medassist.core.plain_template import plain_template
from medassist.core.values import Role, Thinking

Conversation = Sequence[tuple[Role, str]]


class RawRender(Protocol):
    """Renders turns with a Jinja text."""

    def __call__(
        self, template: str, turns: Conversation, ask: bool, thinking: Thinking
    ) -> str:
        """The prompt, which ends where an answer begins if one is asked for."""
        ...


MARK = "\N{SYMBOL FOR SUBSTITUTE}"
DATED = re.compile(f"{MARK}date:(.*?):date{MARK}", re.DOTALL)
# A macro of that name hides the function that would write today's date.
MARKED_DATE = (
    "{% macro strftime_now(form) %}{{ '"
    + f"{MARK}date:' ~ form ~ ':date{MARK}"
    + "' }}{% endmacro %}{{ '' }}"
)
LONGEST_DATE_FORM = 100
ENDS_IN_CONFIG = ("config.json", "generation_config.json")


class TemplateRefused(Exception):
    """The chat template refuses a conversation."""


@dataclass(frozen=True)
class ChatSource:
    """A model's chat template, with the tokens that matter for it."""

    origin: Path
    """The file or folder, for messages."""
    template: str
    specials: tuple[str, ...]
    """Texts of the tokens that stand for one thing each, such as `<|im_end|>`."""
    ends: tuple[str, ...]
    """Texts of the tokens that end an answer, as the model's files name them."""
    bos: str | None
    """The begin token that the runtime writes by itself; `None` where it does not."""
    context: int | None
    """Tokens that the model was made for, where it says so."""
    raw: RawRender = field(repr=False)
    date: str | None = None
    """Date that the template writes as today's; `None`: it may write none."""
    today: datetime | None = None
    """The moment of which it writes the date, where `date` does not say what."""
    context_from: str = ""
    """File that says so."""
    advice: Mapping[str, object] = field(default_factory=dict[str, object])
    """What its files say of writing answers, temperature and all: the content of
    generation_config.json, or the GGUF's keys of sampling."""
    advice_from: str = ""
    """Name of that file or of that part of the GGUF."""
    stands_in: bool = False
    """Whether `template` is the plain one, since the model brings none."""

    def render(
        self, turns: Conversation, *, ask: bool = True, thinking: Thinking = "auto"
    ) -> str:
        """The prompt for `turns` without the begin token that the runtime writes.

        A template that refuses a system turn gets its text before the first question,
        as its makers advise and as the consult screen does.

        Raises:
            TemplateRefused: the template does not take this conversation.
            ConvertError: the template fails.
        """
        try:
            text = self._written(turns, ask, thinking)
        except TemplateRefused:
            folded = without_system(turns)
            if folded == list(turns):
                raise
            text = self._written(folded, ask, thinking)
        return text.removeprefix(self.bos) if self.bos else text

    def takes(self, turns: Conversation) -> bool:
        """Whether the template accepts `turns`."""
        try:
            self._written(turns, True)
        except TemplateRefused:
            return False
        return True

    def writes_bos(self) -> bool:
        """Whether the template itself writes the begin token first."""
        return self.bos is not None and self._written([("user", "?")], True).startswith(
            self.bos
        )

    def writes_date(self) -> bool:
        """Whether the template writes today's date."""
        return (
            "strftime_now" in self.template
            and DATED.search(self._marked([("user", "?")], True, "auto")) is not None
        )

    def _written(
        self, turns: Conversation, ask: bool, thinking: Thinking = "auto"
    ) -> str:
        text = self._marked(turns, ask, thinking)
        if self.date is not None or self.today is not None:
            return DATED.sub(self._date, text)
        if DATED.search(text):
            raise ConvertError(
                f"{self.origin}: the chat template writes today's date, which a Go "
                "template of Ollama cannot in that form. Fix one with --date, such as "
                '--date "26 Jul 2024"'
            )
        return text

    def _date(self, mark: re.Match[str]) -> str:
        if self.date is not None or self.today is None:
            return self.date or ""
        return self.today.strftime(mark[1][:LONGEST_DATE_FORM])

    def _marked(self, turns: Conversation, ask: bool, thinking: Thinking) -> str:
        """The prompt with its dates as marks, which hold the form of each."""
        dated = "strftime_now" in self.template
        template = MARKED_DATE + self.template if dated else self.template
        return self.raw(template, turns, ask, thinking)


def without_system(turns: Conversation) -> list[tuple[Role, str]]:
    """`turns` with each system text before the question that follows it."""
    folded: list[tuple[Role, str]] = []
    pending = ""
    for role, text in turns:
        if role == "system":
            pending += text + "\n\n"
        elif role == "user" and pending:
            folded.append(("user", pending + text))
            pending = ""
        else:
            folded.append((role, text))
    if pending:
        folded.append(("user", pending.strip()))
    return folded


def read_source(path: Path, *, date: str | None = None) -> ChatSource:
    """The chat template of the model folder or GGUF at `path`.

    Args:
        path: a folder as transformers saves it, or a GGUF of a model.
        date: what a template shall write as today's date.

    Raises:
        ConvertError: it is neither.
    """
    if path.is_dir():
        return _of_folder(path, date)
    if path.is_file():
        return source_of_gguf(read_facts(path), date=date)
    raise ConvertError(
        f"{path} is not there; a GGUF or a model folder with a tokenizer is expected"
    )


def source_of_gguf(facts: GgufFacts, *, date: str | None = None) -> ChatSource:
    """The chat template of a GGUF that was read.

    Raises:
        ConvertError: it is an adapter.
    """
    from medassist.engine.template import ChatTemplate, TemplateError, TemplateRefusal

    if facts.kind != "model":
        raise ConvertError(
            f"{facts.file} is a GGUF of the kind {facts.kind!r}; a model is expected "
            "(an adapter goes behind --adapter)"
        )
    template = facts.template or plain_template(begins_with_bos=facts.adds_bos)
    compiled: dict[str, ChatTemplate] = {}

    def raw(template: str, turns: Conversation, ask: bool, thinking: Thinking) -> str:
        from medassist.core.values import Message

        messages = [Message(role=role, content=text) for role, text in turns]
        try:
            if template not in compiled:
                bos, eos = facts.text(facts.bos), facts.text(facts.eos)
                compiled[template] = ChatTemplate(template, str(facts.file), bos, eos)
            return compiled[template].render(
                messages, ask=ask, fold=False, thinking=thinking
            )
        except TemplateRefusal as error:
            raise TemplateRefused(str(error)) from error
        except TemplateError as error:
            raise ConvertError(str(error)) from error

    return ChatSource(
        origin=facts.file,
        template=template,
        specials=facts.specials,
        ends=facts.ends,
        bos=facts.text(facts.bos) or None if facts.adds_bos else None,
        context=facts.context,
        context_from=f"the GGUF ({facts.architecture}.context_length)",
        raw=raw,
        date=date,
        advice=facts.sampling,
        advice_from="the GGUF",
        stands_in=facts.template is None,
    )


def _of_folder(folder: Path, date: str | None) -> ChatSource:
    from jinja2 import TemplateError

    from convert.hf_folder import JsonFile
    from convert.vocabulary import load_tokenizer
    from convert.vocabulary.templates import (
        asked_template,
        begins_with_bos,
        chat_templates,
    )
    from medassist.engine.template import THINKING_NAMES

    tokenizer = load_tokenizer(folder)
    template = asked_template(tokenizer)

    def raw(template: str, turns: Conversation, ask: bool, thinking: Thinking) -> str:
        messages = [{"role": role, "content": text} for role, text in turns]
        switch: dict[str, Any] = {}
        if thinking != "auto":
            switch = dict.fromkeys(THINKING_NAMES, thinking == "on")
        try:
            return cast(
                str,
                tokenizer.apply_chat_template(
                    messages,
                    chat_template=template,
                    tokenize=False,
                    add_generation_prompt=ask,
                    **switch,
                ),
            )
        except TemplateError as error:
            raise TemplateRefused(str(error)) from error
        except (TypeError, ValueError, KeyError) as error:
            raise ConvertError(
                f"{folder}: the chat template does not work: {error}"
            ) from error

    ids: list[int] = []
    context, context_key, advice = None, "", dict[str, object]()
    for name in ENDS_IN_CONFIG:
        if not (folder / name).is_file():
            continue
        config = JsonFile.read(folder / name).of_text
        value = config.values.get("eos_token_id")
        ids += [value] if isinstance(value, int) else list(value or [])
        if name == "config.json":
            for said in ("n_positions", "max_position_embeddings"):
                if isinstance(length := config.values.get(said), int):
                    context, context_key = length, said
        else:
            advice = config.values
    ends = [tokenizer.eos_token, *tokenizer.convert_ids_to_tokens(ids)]
    added = tokenizer.added_tokens_decoder.values()
    return ChatSource(
        origin=folder,
        template=template,
        specials=tuple(str(token) for token in added),
        ends=tuple(dict.fromkeys(str(end) for end in ends if end)),
        bos=str(tokenizer.bos_token) if begins_with_bos(tokenizer) else None,
        context=context,
        context_from=f"config.json ({context_key})",
        raw=raw,
        date=date,
        advice=advice,
        advice_from="generation_config.json",
        stands_in=not chat_templates(tokenizer).default,
    )
