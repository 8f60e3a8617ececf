"""Texts and conversations for comparing a GGUF with its source's tokenizer.

500 texts, the same each time: written ones, medical sentences put together from parts,
white space, letters from all over Unicode, and the model's own special tokens as a user
might type them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, cast

from medassist.core.values import Role

SIZE = 500
SPECIAL = 90
SEED = 4
BLANKS = ("", " ", "  ", "   ", "\t", "\n", "\n\n", " \n", "\n ", "\r\n", "\u00a0")
MARKERS = (
    "<|user|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "[INST]",
    "[/INST]",
    "<|endoftext|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<think>",
    "<0x0A>",
    "<0x41>",
    "<unused7>",
    "[PAD3]",
)
"""Texts that are control in one model or another, and plain text in the rest."""
AROUND = (
    "{0}",
    "{0}{0}",
    "a{0}b",
    "Give 5 mg {0} now.",
    "{0}The heart",
    "dose{0}",
    "{0}\nIt's",
    "He typed {0}, not {1}.",
    "{0}user\nWhat's this?{1}\n",
    "{0}{1}",
)


@dataclass(frozen=True)
class Conversation:
    """A conversation to render."""

    turns: tuple[tuple[Role, str], ...]
    asks: bool
    """Whether the prompt is to end where an answer begins."""

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": role, "content": text} for role, text in self.turns]


ODD: tuple[tuple[tuple[Role, str], ...], ...] = (
    (("user", ""),),
    (("user", "one"), ("user", "two")),
    (("assistant", "first"), ("user", "then")),
    (("system", "alone"),),
    (("user", "q"), ("system", "late"), ("user", "r")),
    (("user", "q"), ("assistant", ""), ("user", "r")),
)
"""Shapes that a template may refuse; then both sides must."""


def corpus(special: Sequence[str]) -> list[str]:
    """The texts, with `special`, the texts of a model's added tokens, among them."""
    random_ = random.Random(SEED)
    data = _read("texts.json")
    texts = [*data["medical"], *data["languages"], *data["unicode"]]
    texts += _white_space()
    texts += _special(random_, special)
    slots = cast("dict[str, list[str]]", data["slots"])
    found = dict.fromkeys(texts)
    while len(found) < SIZE:
        found[_sentence(random_, slots)] = None
    return list(found)[:SIZE]


def conversations() -> list[Conversation]:
    """Conversations with and without a system turn, of one to four questions."""
    data = _read("conversations.json")
    turns = cast("list[list[str]]", data["turns"])
    systems = cast("list[str | None]", [None, *data["systems"]])
    made: list[Conversation] = []
    for system, count, start, asks in product(
        systems, (1, 2, 3, 4), (0, 3, 6), (True, False)
    ):
        said: list[tuple[Role, str]] = []
        if system:
            said.append(("system", system))
        for number in range(count):
            question, answer = turns[(start + number) % len(turns)]
            said.extend((("user", question), ("assistant", answer)))
        made.append(Conversation(tuple(said[:-1] if asks else said), asks))
    return [*made, *(Conversation(turns, True) for turns in ODD)]


def _white_space() -> Iterator[str]:
    for left, right in product(BLANKS, repeat=2):
        yield f"{left}ab{right}c d" if left != right else f"{left}{right}x"
    for count in (2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64):
        yield f"x{' ' * count}y"
        yield f"{' ' * count}def"
        yield "\n" * count
        yield f"x{chr(9) * count}y\n"


def _special(random_: random.Random, special: Sequence[str]) -> Iterator[str]:
    """The model's own tokens, at most a few dozen of them, and those of others."""
    own = [text for text in special if text]
    if len(own) > SPECIAL // 3:
        first = own[: SPECIAL // 6]
        own = first + random_.sample(own[len(first) :], SPECIAL // 6)
    names = [*own, *MARKERS]
    for number in range(SPECIAL):
        name = names[number % len(names)]
        yield AROUND[number * 7 // 3 % len(AROUND)].format(name, random_.choice(names))


def _sentence(random_: random.Random, slots: dict[str, list[str]]) -> str:
    text = " ".join(random_.choice(slots[part]) for part in ("who", "has"))
    text = f"{text}. {random_.choice(slots['so'])}"
    while "{drug}" in text:
        text = text.replace("{drug}", random_.choice(slots["drug"]), 1)
    while "{n}" in text:
        text = text.replace(
            "{n}", str(random_.randint(1, 10 ** random_.randint(1, 5))), 1
        )
    return text


@cache
def _read(name: str) -> dict[str, Any]:
    text = files("convert.verify.corpus").joinpath(name).read_text("utf-8")
    return cast("dict[str, Any]", json.loads(text))
