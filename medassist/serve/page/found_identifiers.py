"""Identifiers that were found, as the page shows them before a text goes out."""

from __future__ import annotations

from typing import Any, Final

from medassist.core.clean import clean_line
from medassist.session import wording
from medassist.session.identifier_check import LookedFor

AROUND: Final = 32
"""Characters of the text before and after what was found."""
MOST: Final = 200
"""Findings that are sent; beyond them they are counted."""


def as_shown(looked: LookedFor, done: str) -> dict[str, Any] | None:
    """The findings by kind; `None`: nothing was found in a text that can be read.

    Args:
        looked: what was found.
        done: what happens to the text next: saved, exported, sent.
    """
    if not looked.found and not looked.foreign:
        return None
    from medassist.safety.identifiers import KINDS
    from medassist.safety.language import IDENTIFIERS_NOTICE

    count = len(looked.found)
    shown = looked.found[:MOST]
    kinds: list[dict[str, Any]] = []
    for kind, name in KINDS.items():
        of_kind = [one for one in shown if one.kind == kind]
        if of_kind:
            places = [_place(looked.whole, one.span, one.sure) for one in of_kind]
            kinds.append(
                {
                    "name": name[:1].upper() + name[1:],
                    "kind": kind,
                    "mark": f"[{kind}]",
                    "count": looked.counts[kind],
                    "places": places,
                }
            )
    return {
        "title": wording.MAY_TELL.format(count=count) if count else wording.CANNOT_READ,
        "about": wording.about_identifiers(done, bool(count)),
        "language": IDENTIFIERS_NOTICE if looked.foreign else None,
        "kinds": kinds,
        "more": count - len(shown),
    }


def _place(whole: str, span: tuple[int, int], sure: bool) -> dict[str, Any]:
    start, end = span
    before, after = whole[max(0, start - AROUND) : start], whole[end : end + AROUND]
    return {
        "before": clean_line(before) + " " * before[-1:].isspace(),
        "text": clean_line(whole[start:end]),
        "after": " " * after[:1].isspace() + clean_line(after),
        "note": "" if sure else wording.LOOKS_LIKE_ONE,
    }
