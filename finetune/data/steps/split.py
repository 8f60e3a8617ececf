"""Assigns records to splits by a hash of their document or patient."""

from __future__ import annotations

import hashlib

from finetune.data.documents import focus_key
from finetune.data.recipe import Split

SPLITS = ("train", "validation", "test")


def place(group: str, seed: int) -> float:
    """Position of a group between 0 and 1, by its hash.

    The data set's name plays no part, so that an article which is in two of them is
    in one split. Case and punctuation play none either.
    """
    key = focus_key(group) or group
    digest = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_of(group: str, split: Split, seed: int) -> str:
    """`train`, `validation` or `test`."""
    at = place(group, seed)
    if at < split.test:
        return "test"
    if at < split.test + split.validation:
        return "validation"
    return "train"
