"""A row's conversation as messages, in whichever of the usual forms it comes.

Turns of {role, content} (OpenAI, TRL), {from, value} (ShareGPT) and their cousins,
content in parts, turns in columns, pairs of question and answer, bare texts in turn or
under names; TRL's prompt, completion and chosen. https://huggingface.co/docs/trl/dataset_formats
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from finetune.data.prepared_records import RecordMessage
from finetune.data.sources.missing_words import is_missing
from finetune.data.sources.speakers import ROLES, TOOLS, Role
from finetune.data.sources.spoken import spoken_list, spoken_text

_SPEAKER = ("role", "from", "speaker", "sender", "author")
_CONTENT = ("content", "value", "text", "message", "utterance", "parts")
_PAIRS = (
    *(("human", "assistant"), ("user", "assistant"), ("user", "bot")),
    *(("patient", "doctor"), ("input", "output"), ("question", "answer")),
    *(("prompt", "response"), ("instruction", "output")),
)
_TEXT_PARTS = ("text", "input_text", "output_text")
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content")
_TOOL_PARTS = ("tool_use", "tool_result", "tool_call", "function_call")
# As numpy writes a list of objects, which stands in CSV that was made by pandas.
_NUMPY = re.compile(r"\}\s+\{")

TOOL_REASON = (
    "calls tools: each template writes calls in a way of its own, and none is learned "
    "here; leave such rows out, or write what the tool said into a turn"
)
PICTURE_REASON = (
    "holds a picture, a sound or a file beside its text, which no model here sees"
)
SPEAKER_REASON = (
    "has a speaker who is none of system, user and assistant; name their roles so"
)
WEIGHT_REASON = (
    "marks answers that are not to be learned (weight 0), and all are learned here"
)
FORM_REASON = (
    "is no conversation: expected a list of {role, content} with an answer of the "
    "assistant's"
)
CLOSING = "closing turns without an answer cut"
JOINED = "turns of one speaker joined"
THOUGHTS = "thoughts beside an answer left out"


class NoConversation(Exception):
    """A row holds none that can be learned; the message is a reason for the account."""


@dataclass
class ConversationBuilder:
    """A conversation on its way to messages, and what was done on the way."""

    messages: list[RecordMessage] = field(default_factory=list[RecordMessage])
    changed: Counter[str] = field(default_factory=Counter[str])
    missing: int = 0
    """Turns that say in a word that they are missing (NaN, NULL), taken for empty."""

    def add(self, role: Role, content: str) -> None:
        """A turn; what follows a turn of the same speaker goes on with it."""
        if is_missing(content):
            self.missing += 1
            content = ""
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == role:
            self.changed[JOINED] += 1
            both = "\n\n".join(text for text in (last.content, content) if text)
            self.messages[-1] = RecordMessage(role=role, content=both)
        else:
            self.messages.append(RecordMessage(role=role, content=content))

    def ended(self) -> ConversationBuilder:
        """The same, up to its last answer.

        Raises:
            NoConversation: there is no answer, or nothing before it.
        """
        while self.messages and self.messages[-1].role != "assistant":
            self.messages.pop()
            self.changed[CLOSING] = 1
        if len(self.messages) < 2:
            raise NoConversation(FORM_REASON)
        return self


def conversation(turns: Iterable[Any], system: str = "") -> ConversationBuilder:
    """The messages that the turns of a row make.

    Args:
        turns: objects, pairs, or texts of user and assistant in turn.
        system: what stands before them, from a column of its own.

    Raises:
        NoConversation: it calls tools, shows pictures, or is of no known form.
    """
    talk = ConversationBuilder()
    if system:
        talk.add("system", system)
    alternating: tuple[Role, Role] = ("user", "assistant")
    for number, turn in enumerate(turns):
        if isinstance(turn, str):
            talk.add(alternating[number % 2], turn)
        elif isinstance(turn, list):
            for role, text in zip(alternating, cast("list[Any]", turn), strict=False):
                talk.add(role, _text(text, talk))
        elif isinstance(turn, dict):
            _add_object(cast("dict[str, Any]", turn), talk)
        else:
            raise NoConversation(FORM_REASON)
    return talk.ended()


def preferred(question: Any, answer: Any, system: str = "") -> ConversationBuilder:
    """The messages of a prompt and its completion, one of them or both in turns.

    An answer in turns that begin with the user's holds the prompt already.

    Raises:
        NoConversation: as of `conversation`.
    """
    asked = turns_of(question) or [{"role": "user", "content": question}]
    said = turns_of(answer)
    if said is None:
        said = [{"role": "assistant", "content": answer}]
    elif _role(said[0]) != "assistant":
        asked = []
    return conversation([*asked, *said], system)


def turns_of(value: Any) -> list[Any] | None:
    """The turns that a cell holds; none if it holds something else.

    A list of objects that name a speaker, an object with such a list as `messages`, an
    object with a list for each of their keys, or any of them written out as a text.
    """
    if isinstance(value, str):
        value = _written_out(value)
    if isinstance(value, dict):
        columns = cast("dict[str, Any]", value)
        value = columns.get("messages") or _turns_in_columns(columns)
    if not isinstance(value, list) or not value:
        return None
    turns = cast("list[Any]", value)
    return turns if is_turn(turns[0]) else None


def _turns_in_columns(columns: Mapping[str, Any]) -> list[Any] | None:
    """As `datasets` keeps a sequence of objects: {role: [...], content: [...]}."""
    lists = [column for column in columns.values() if isinstance(column, list)]
    lengths = {len(column) for column in lists}
    whole = len(lists) == len(columns) and len(lengths) == 1
    if not whole or not has_turns_names(columns):
        return None
    return [
        dict(zip(columns, cells, strict=True)) for cells in zip(*lists, strict=True)
    ]


def is_turn(value: Any) -> bool:
    """Whether an object names a speaker and says something."""
    if not isinstance(value, dict):
        return False
    speaker = _speaker(cast("dict[str, Any]", value))
    return speaker in ROLES or speaker in TOOLS


def has_turns_names(names: Iterable[str]) -> bool:
    """Whether objects with these keys can be turns; what they say is not known yet."""
    keys = set(names)
    return bool(keys & set(_SPEAKER)) and bool(keys & set(_CONTENT))


def any_turns_of(value: Any) -> list[Any]:
    """The turns of a cell that is known to hold a conversation.

    Raises:
        NoConversation: it holds none.
    """
    if (turns := turns_of(value)) is not None:
        return turns
    if isinstance(value, str) and (spoken := spoken_text(value)) is not None:
        return spoken
    found = _written_out(value) if isinstance(value, str) else value
    if isinstance(found, list) and found:
        listed = cast("list[Any]", found)
        return spoken_list(listed) or listed
    raise NoConversation(FORM_REASON)


def content_text(content: Any) -> str:
    """The text of a message's content: a text, parts of text, or an object with parts.

    Raises:
        NoConversation: parts are no text.
    """
    return _text(content, ConversationBuilder())


def _written_out(text: str) -> Any:
    """A list or an object in a cell that is JSON, or as Python or numpy write it."""
    text = text.strip()
    if not text.startswith(("[", "{")):
        return None
    for read in (json.loads, _literal):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None


def _literal(text: str) -> Any:
    return ast.literal_eval(_NUMPY.sub("}, {", text))


def _speaker(turn: Mapping[str, Any]) -> str:
    found = next((turn[key] for key in _SPEAKER if turn.get(key)), "")
    return found.strip().casefold() if isinstance(found, str) else ""


def _role(turn: Any) -> Role | None:
    return ROLES.get(_speaker(turn)) if isinstance(turn, dict) else None


def _pair(turn: Mapping[str, Any]) -> tuple[str, str] | None:
    return next((pair for pair in _PAIRS if all(key in turn for key in pair)), None)


def _add_object(turn: Mapping[str, Any], talk: ConversationBuilder) -> None:
    speaker = _speaker(turn)
    if speaker in TOOLS or turn.get("tool_calls") or turn.get("function_call"):
        raise NoConversation(TOOL_REASON)
    if not speaker and (pair := _pair(turn)) is not None:
        if turn.get("system"):
            talk.add("system", _text(turn["system"], talk))
        talk.add("user", _text(turn[pair[0]], talk))
        talk.add("assistant", _text(turn[pair[1]], talk))
        return
    role = ROLES.get(speaker)
    if role is None:
        raise NoConversation(SPEAKER_REASON if speaker else FORM_REASON)
    if role == "assistant" and _not_learned(turn):
        raise NoConversation(WEIGHT_REASON)
    talk.changed[THOUGHTS] += any(bool(turn.get(key)) for key in _THOUGHTS)
    found = [turn[key] for key in _CONTENT if key in turn]
    if not found:
        raise NoConversation(FORM_REASON)
    talk.add(role, _text(next((each for each in found if each is not None), ""), talk))


def _not_learned(turn: Mapping[str, Any]) -> bool:
    return any(
        turn.get(key) in (0, False)
        for key in ("weight", "train")
        if key in turn and turn[key] is not None
    )


def _text(content: Any, talk: ConversationBuilder) -> str:
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            texts = [_part(part, talk) for part in cast("list[Any]", content)]
            return "\n".join(text for text in texts if text)
        case dict():
            found = cast("dict[str, Any]", content)
            return (
                _text(found["parts"], talk) if "parts" in found else _part(found, talk)
            )
        case _:
            raise NoConversation(FORM_REASON)


def _part(part: Any, talk: ConversationBuilder) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise NoConversation(FORM_REASON)
    found = cast("dict[str, Any]", part)
    kind = found.get("type")
    if kind in _THOUGHTS:
        talk.changed[THOUGHTS] += 1
        return ""
    if kind in _TOOL_PARTS:
        raise NoConversation(TOOL_REASON)
    text = found.get("text")
    if kind not in (None, *_TEXT_PARTS) or not isinstance(text, str):
        raise NoConversation(PICTURE_REASON)
    return text


def several_texts(value: Any) -> Sequence[str] | None:
    """The texts of a cell that holds several answers; none if it holds one.

    A list of texts or of objects with a `text`, SQuAD's {text: [...]}, or such a list
    written out. Each is there once, in its order.
    """
    if isinstance(value, str):
        value = _written_out(value) if value.strip().startswith(("['", '["')) else None
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("text")
    if not isinstance(value, list):
        return None
    texts: list[str] = []
    for each in cast("list[Any]", value):
        text = (
            cast("dict[str, Any]", each).get("text") if isinstance(each, dict) else each
        )
        if not isinstance(text, str):
            return None
        if text.strip() and not is_missing(text):
            texts.append(text.strip())
    return tuple(dict.fromkeys(texts))
