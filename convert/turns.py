"""What a chat template writes around each turn, found by asking it.

Ollama's templates are Go, a model's is Jinja. A template that puts fixed text before
and after every turn can be carried over exactly; for any other one this is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")


@dataclass(frozen=True)
class Around:
    """The text before and after a turn."""

    before: str
    after: str


@dataclass(frozen=True)
class Turns:
    """A chat template as fixed texts around turns."""

    around: dict[Role, Around]
    asks: str
    """What stands after the last turn, where the answer is to begin."""

    def render(self, turns: Sequence[tuple[Role, str]]) -> str:
        """A conversation, without the begin token."""
        parts = [
            f"{self.around[role].before}{text}{self.around[role].after}"
            for role, text in turns
        ]
        return "".join(parts) + self.asks


def read_turns(tokenizer: PreTrainedTokenizerFast) -> Turns:
    """Find what the tokenizer's chat template writes around turns.

    Raises:
        ConvertError: it has none, or writes something that depends on more than the
            role of a turn.
    """
    if not tokenizer.chat_template:
        raise ConvertError("the tokenizer has no chat template")
    single: dict[Role, str] = {
        role: _render(tokenizer, [(role, "one")]) for role in ROLES
    }
    asks = _render(tokenizer, [("user", "one")], ask=True).removeprefix(single["user"])
    around: dict[Role, Around] = {}
    for role, text in single.items():
        before, found, after = text.partition("one")
        if not found:
            raise ConvertError(f"the chat template leaves out turns of the {role}")
        around[role] = Around(before, after)
    turns = Turns(around, asks)
    _check(tokenizer, turns)
    return turns


def _check(tokenizer: PreTrainedTokenizerFast, turns: Turns) -> None:
    """Compare `turns` with the template itself over conversations of many shapes."""
    for system, count in product((True, False), (1, 2, 3)):
        conversation: list[tuple[Role, str]] = [("system", "Sys.")] if system else []
        for number in range(count):
            if number:
                conversation.append(("assistant", f"Answer {number}."))
            conversation.append(("user", f"Question {number}?"))
        expected = _render(tokenizer, conversation, ask=True)
        if (found := turns.render(conversation)) != expected:
            raise ConvertError(
                "the chat template writes more than fixed text around each turn, so "
                f"it has no exact Go form: {expected!r} against {found!r}. Write the "
                "TEMPLATE of the Modelfile by hand"
            )


def _render(
    tokenizer: PreTrainedTokenizerFast,
    turns: Sequence[tuple[Role, str]],
    ask: bool = False,
) -> str:
    """What the template writes, without the begin token, which Ollama adds."""
    try:
        text = cast(
            str,
            tokenizer.apply_chat_template(
                [{"role": role, "content": text} for role, text in turns],
                tokenize=False,
                add_generation_prompt=ask,
            ),
        )
    except TemplateError as error:
        raise ConvertError(f"the chat template refuses a conversation: {error}") from (
            error
        )
    bos = tokenizer.bos_token
    return text.removeprefix(bos) if isinstance(bos, str) else text
