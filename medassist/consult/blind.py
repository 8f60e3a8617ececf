"""Blind comparison: hides which model wrote an answer.

A model that names itself gives its side away. Where it speaks of itself, any name of
a model is hidden; the names of the pair at hand are hidden wherever they stand. What a
model is recognised by apart from its name (its manner, its language, its mistakes)
stays: this is a mask, not a disguise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from medassist.consult.answer import Source

HIDDEN = "▒▒▒"
LEAST = 4
"""Characters of a part of a name: shorter ones are words of every text."""

# Words of files' names that are no names: hiding them would hole the answer.
_PLAIN_PARTS = re.compile(
    r"base|tuned|starter|adapter|plain|model|merged|lora|gguf|instruct|chat|medical|medicine|"
    r"clinical|health|small|large|tiny|mini|nano|medium|test|final|latest|activated|"
    r"[qf]\d.*|bf16|fp16|iq\d.*|\d+x?\d*[bm]?|v\d+.*",
    re.IGNORECASE,
)
_FAMILIES = (
    r"chat\s?gpt|gpt(?:-?\w+)?|llama(?:-?\w+)?|qwen(?:-?\w+)?|mi[sx]tral(?:-?\w+)?|"
    r"gemma|gemini|phi(?:-?\d\w*)?|claude|deepseek|falcon|medalpaca|meditron|biomistral|"
    r"openbiollm|medgemma|medllama\w*|tinyllama|smollm\w*|vicuna|alpaca|zephyr|yi|"
    r"command[ -]r\+?|granite|olmo|pythia|bloom|bard|copilot|mpt|starling|solar"
)
_MAKERS = (
    r"openai|meta(?:\s+ai)?|anthropic|google(?:\s+deepmind)?|deepmind|mistral(?:\s+ai)?"
    r"|alibaba(?:\s+cloud)?|microsoft|nvidia|cohere|ibm|hugging\s?face|deepseek|xai"
)
_SPEAKS = (
    r"\bI(?:['\u2019]m|\s+am)(?:\s+called|\s+named)?|\bmy\s+name\s+is|\bas"
    r"|\bcall\s+me|\bthis\s+is|\bmodel\s+(?:called|named)"
)
_BETWEEN = r"(?:[,\s*_\"'\u201c(]+(?:an?|the|AI|large|language|model|called|named)\b)*"
_ITSELF = re.compile(
    rf"((?:{_SPEAKS}){_BETWEEN}[,\s*_\"'\u201c(]+)((?:{_FAMILIES})(?:[\s.-]?\d[\w.]*)?)\b",
    re.IGNORECASE,
)
_MADE_BY = re.compile(
    r"((?:trained|developed|created|made|built|released|fine-?tuned)\s+by\s+"
    rf"(?:the\s+team\s+at\s+)?)((?:{_MAKERS})\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Veil:
    """The names that are hidden, and their replacement."""

    names: tuple[str, ...]
    """Names as the user is shown them, and the stems of the files."""

    @cached_property
    def _own(self) -> re.Pattern[str] | None:
        wanted = {part for name in self.names for part in _parts(name)}
        if not wanted:
            return None
        longest = sorted(wanted, key=lambda part: (-len(part), part))
        joined = "|".join(_spelled(part) for part in longest)
        return re.compile(rf"(?<!\w)(?:{joined})(?!\w)", re.IGNORECASE)

    def mask(self, text: str) -> str:
        """`text` with `HIDDEN` in place of what names a model."""
        if self._own is not None:
            text = self._own.sub(HIDDEN, text)
        return _MADE_BY.sub(rf"\1{HIDDEN}", _ITSELF.sub(rf"\1{HIDDEN}", text))


def veil(sources: Iterable[Source]) -> Veil:
    """The veil over the models of `sources`."""
    names: dict[str, None] = {}
    for source in sources:
        found = [source.name, source.adapter, *(f.path.stem for f in source.files)]
        names.update(dict.fromkeys(name for name in found if name))
    return Veil(tuple(names))


def _parts(name: str) -> list[str]:
    """The whole name, and each part of it that could stand for it alone."""
    stem = re.sub(r"\.(?:gguf|safetensors|bin)$", "", name.strip(), flags=re.IGNORECASE)
    parts = [stem, *re.split(r"[\s_.\-/:+()]+", stem)]
    return [
        part
        for part in parts
        if len(part) >= LEAST and not _PLAIN_PARTS.fullmatch(part)
    ]


def _spelled(part: str) -> str:
    """`Tiny-Med 1` is hidden as `tiny med 1` and `Tiny_Med-1` too."""
    words = [re.escape(word) for word in re.split(r"[\s_\-]+", part) if word]
    return r"[\s_\-]?".join(words)
