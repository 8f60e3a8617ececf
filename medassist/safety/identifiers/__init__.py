"""Identifiers of a patient in a text, told before saving and exporting.

The eighteen kinds are those of the Safe Harbor method of the US privacy rule, as the
authors know it (no source was opened). That nothing is found is no proof: a text is
never called de-identified here.
"""

from __future__ import annotations

from medassist.safety.identifiers.find import (
    KINDS,
    Identifier,
    find_identifiers,
    replace,
)

__all__ = ["KINDS", "Identifier", "find_identifiers", "replace"]
