"""Finds llama.cpp's name of a byte-level tokenizer's splitting rules.

Upstream's converter reads one fixed text and looks the hash of its ids up in a table,
so that it knows published vocabularies and nothing that was trained since. Here the
rules themselves are compared, which stand in tokenizer.json: those of every name in
pre_tokenizers.json, where each was tried against llama.cpp (tests/convert).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

from convert.errors import ConvertError
from convert.vocabulary.backend import Backend

DATA = "pre_tokenizers.json"
# llama.cpp writes the same out, since its engine has no (?i:...).
SPELLINGS = {
    "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])": (
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    ),
    "\r": r"\r",
    "\n": r"\n",
}
NORMALIZERS = ({"type": "NFC"},)
"""Changes to text that llama.cpp leaves out, and that leave most text as it is."""


@dataclass(frozen=True)
class PreTokenizer:
    """One of llama.cpp's ways to split text.

    Attributes:
        name: what the GGUF says.
        splits: regular expressions, each applied to what the one before left.
        ignores_merges: whether a word that is a token is not taken apart.
        exact: whether llama.cpp splits all text as these rules do.
    """

    name: str
    splits: tuple[str, ...]
    ignores_merges: bool
    exact: bool


@cache
def known() -> tuple[PreTokenizer, ...]:
    """The names whose rules this converter recognises."""
    return tuple(
        PreTokenizer(
            row["name"], tuple(row["splits"]), row["ignores_merges"], row["exact"]
        )
        for row in _data()["recognised"]
    )


def named(name: str) -> str:
    """`name`, if llama.cpp knows it.

    Raises:
        ConvertError: it does not.
    """
    names = cast("list[str]", _data()["names"])
    if name not in names:
        raise ConvertError(
            f"llama.cpp knows no pre-tokenizer {name!r}; it knows {', '.join(names)}"
        )
    return name


def rules_named(name: str) -> PreTokenizer | None:
    """The rules that llama.cpp calls `name`; `None` where they are not known here."""
    alike = cast("dict[str, str]", _data()["alike"])
    usual = alike.get(name, name)
    return next((rules for rules in known() if rules.name == usual), None)


def pre_tokenizer_of(backend: Backend) -> str:
    """The name of the rules of a byte-level tokenizer.

    Raises:
        ConvertError: llama.cpp has no such rules, or none that is known to.
    """
    if backend.normalizer is not None and backend.normalizer not in NORMALIZERS:
        raise ConvertError(
            f"{backend.file}: a normalizer ({backend.normalizer.get('type')}) changes "
            "text before it is split, which llama.cpp does not do"
        )
    splits = _splits(backend)
    alike = [found for found in known() if found.splits == splits]
    for found in alike:
        if found.ignores_merges != backend.ignores_merges:
            continue
        if found.exact:
            return found.name
        raise ConvertError(
            f"{backend.file}: the pre-tokenizer is the one that llama.cpp calls "
            f"{found.name}, but llama.cpp splits scripts with combining marks (Hindi, "
            "Thai) in another way. To convert it all the same, say so with `convert "
            f"gguf --pre {found.name}`; `convert verify` will name those texts"
        )
    if alike:
        raise ConvertError(
            f"{backend.file}: text is split as llama.cpp's {alike[0].name} does, but "
            f"`ignore_merges` is {backend.ignores_merges}; llama.cpp would join "
            f"letters in another way. If `convert gguf --pre {alike[0].name}` is "
            "given, only `convert verify` can tell whether it matters"
        )
    raise ConvertError(
        f"{backend.file}: the pre-tokenizer is {str(backend.pre_tokenizer)[:300]}; "
        "this converter knows it under no name of llama.cpp's, which would split text "
        "in another way. If you know the name (it is `tokenizer.ggml.pre` in a GGUF of "
        "the same family), give it with `convert gguf --pre`; `convert verify` then "
        "proves or disproves it"
    )


def _splits(backend: Backend) -> tuple[str, ...]:
    """The rules as a list of regular expressions in one spelling."""
    rules = backend.pre_tokenizer or {}
    sequence = rules.get("type") == "Sequence"
    steps = cast(
        "list[dict[str, Any]]", rules["pretokenizers"] if sequence else [rules]
    )
    if not steps or steps[-1].get("type") != "ByteLevel":
        return ()
    splits = [_split(step) for step in steps]
    if any(split is None for split in splits):
        return ()
    return tuple(_spelled(split) for split in splits if split)


def _split(step: dict[str, Any]) -> str | None:
    """A step as an expression; empty for none, `None` for what cannot be one."""
    match step:
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return _gpt_2() if step.get("use_regex", True) else ""
        case {"type": "Digits", "individual_digits": bool(each)}:
            return r"\p{N}" if each else r"\p{N}+"
        case {"type": "Split", "pattern": {"Regex": str(regex)}}:
            manner = (step.get("behavior"), bool(step.get("invert")))
            # What is matched is kept and the rest dropped; these leave no rest.
            whole = regex.endswith(r"|\s+") and manner == ("Removed", True)
            return regex if whole or manner == ("Isolated", False) else None
        case _:
            return None


def _spelled(regex: str) -> str:
    for found, instead in SPELLINGS.items():
        regex = regex.replace(found, instead)
    return regex


def _gpt_2() -> str:
    return known()[0].splits[0]


@cache
def _data() -> dict[str, Any]:
    text = files("convert.vocabulary").joinpath(DATA).read_text("utf-8")
    return cast("dict[str, Any]", json.loads(text))
