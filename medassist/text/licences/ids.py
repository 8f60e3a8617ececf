"""The Hub's ids of licences, and the addresses of their texts."""

from __future__ import annotations

import re

# The ids of the Hub for licences as people write them; the first that matches.
_IDS: tuple[tuple[str, str], ...] = (
    (r"cc ?0( 1\.0)?|cc-?0-1\.0", "cc0-1.0"),
    (r"public domain|pddl", "pddl"),
    (r"mit( license)?", "mit"),
    (r"apache([ -]?(license )?(version )?2(\.0)?)?", "apache-2.0"),
    (r"cc[ -]by[ -]sa[ -]4\.0", "cc-by-sa-4.0"),
    (r"cc[ -]by[ -]sa[ -]3\.0", "cc-by-sa-3.0"),
    (r"cc[ -]by[ -]nc[ -]nd[ -]4\.0", "cc-by-nc-nd-4.0"),
    (r"cc[ -]by[ -]nc[ -]sa[ -]4\.0", "cc-by-nc-sa-4.0"),
    (r"cc[ -]by[ -]nc[ -]4\.0", "cc-by-nc-4.0"),
    (r"cc[ -]by[ -]4\.0", "cc-by-4.0"),
    (r"cc[ -]by[ -]3\.0", "cc-by-3.0"),
    (r"llama ?2( community license)?", "llama2"),
    (r"llama ?3( community license)?", "llama3"),
    (r"llama ?3\.1( community license)?", "llama3.1"),
    (r"llama ?3\.2( community license)?", "llama3.2"),
    (r"llama ?3\.3( community license)?", "llama3.3"),
    (r"gemma", "gemma"),
)
_FREE = re.compile(r"cc-(by(?:-sa)?)-(\d\.\d)")


def hub_id(licence: str) -> str | None:
    """The Hub's id of a licence, None where it has none or it is not known."""
    plain = " ".join(licence.lower().split())
    for pattern, found in _IDS:
        if re.fullmatch(pattern, plain) or plain == found:
            return found
    return None


def address_of(licence: str) -> str | None:
    """URL of the text of a free Creative Commons licence; None for others."""
    known = hub_id(licence) or ""
    if known == "cc0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    found = _FREE.fullmatch(known)
    return found and f"https://creativecommons.org/licenses/{found[1]}/{found[2]}/"
