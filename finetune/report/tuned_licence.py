"""Licence of a tuned model, from its base and data.

An adapter is made of its base and of its data, so both bind it. Where the base's
licence is not known, nothing is claimed.
"""

from __future__ import annotations

from finetune.data.manifest import Manifest
from medassist.text.licences.ids import hub_id
from medassist.text.licences.named_licences import UNKNOWN

# Data under these asks for nothing, or for credit, which the card gives.
_CREDIT_AT_MOST = ("cc0-1.0", "pddl", "mit", "apache-2.0", "cc-by-4.0", "cc-by-3.0")


def data_licences(manifest: Manifest | None) -> tuple[str, ...]:
    """Licences of the used records, the most frequent first."""
    if manifest is None:
        return ()
    found: dict[str, int] = {}
    for licence in manifest.licences:
        if licence.used:
            found[licence.licence] = found.get(licence.licence, 0) + licence.records
    return tuple(sorted(found, key=lambda name: (-found[name], name)))


def licence_in_words(base: str, data: tuple[str, ...]) -> str:
    """The adapter's licence as part of a sentence."""
    of_data = ", ".join(data) if data else UNKNOWN
    of_base = "unknown; see the base model's own card" if base == UNKNOWN else base
    return f"bound by its base ({of_base}) and its data ({of_data})"


def licence_id(base: str, data: tuple[str, ...]) -> str:
    """Licence id for the model card; `other` if none fits."""
    known = hub_id(base)
    if known is None or not data:
        return "other"
    only_credit = all(hub_id(name) in _CREDIT_AT_MOST for name in data)
    return known if only_credit else "other"
