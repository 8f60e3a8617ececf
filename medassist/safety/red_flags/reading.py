"""A text as the rules of one language read it."""

from __future__ import annotations

from dataclasses import dataclass

from medassist.safety.letters import Plain
from medassist.safety.red_flags.phrases import Hit
from medassist.safety.red_flags.rules import Rules, rules
from medassist.safety.red_flags.scope import Scope, scope
from medassist.safety.red_flags.tokens import Tokens, tokens


@dataclass(frozen=True, slots=True)
class TextReading:
    """What stands in a text, before it is asked what it means.

    Attributes:
        language: Of the rules.
        seen: The text.
        known: The rules of the language.
        pieces: Its words and numbers.
        hits: Where phrases of the rules stand.
        said: What is denied, over, of others or supposed.
    """

    language: str
    seen: Plain
    known: Rules
    pieces: Tokens
    hits: list[Hit]
    said: Scope


def read_in(language: str, seen: Plain) -> TextReading:
    """`seen` as the rules of `language` read it."""
    known = rules(language)
    pieces = tokens(seen.text, language, known.usual, known.compounds)
    hits = known.phrases.find(pieces)
    here = any(hit.concept == "a-patient-here" for hit in hits)
    said = scope(pieces, known.cues, teaching_overruled=here)
    return TextReading(language, seen, known, pieces, hits, said)
