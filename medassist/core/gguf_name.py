"""A model's display name, from its metadata or its file name.

Converters write `general.name` from the folder that they were given, which may be a
trainer's own (`Smollm2 135M 8k Lc100K Mix1 Ep2`, or `Model`). Who publishes a file
names it for people: BASENAME-SIZE-FINETUNE-ENCODING.gguf, as ggml's convention has it.
"""

from __future__ import annotations

import re
from pathlib import Path

from medassist.core.gguf_kinds import SHARD

SIZE = re.compile(r"(?<![^-_. ])(?:\d+x)?\d+(?:\.\d+)?[bm](?![^-_. ])", re.IGNORECASE)
ENCODING = re.compile(
    r"[-_.](?:(?:ud|i1)[-_])?(?:i?q\d\w*|b?f(?:p)?(?:16|32)|tq\d\w*|mxfp4\w*)$",
    re.IGNORECASE,
)
SAYS_NOTHING = re.compile(
    r"(?:\W|_)*(?:(?:ggml|hf|my|the|new|final|output|merged|converted)(?:\W|_)*)*"
    r"(?:models?|gguf|ggml|hf|output|merged|converted|checkpoint(?:\W|_)*\d*|tmp\w*)?"
    r"(?:\W|_)*",
    re.IGNORECASE,
)
"""Names that any model could have."""
WORDS = re.compile(r"[^\s_-]+")


def model_name(within: str | None, file: Path) -> str:
    """The name of the model in the GGUF `file`.

    Args:
        within: `general.name`.
        file: of a split model any part.
    """
    stem = SHARD.sub("", file.name).removesuffix(".gguf")
    if not within or SAYS_NOTHING.fullmatch(within):
        # A blob's name is a hash, and says still less.
        return within if within and stem.startswith("sha256-") else stem
    called = ENCODING.sub("", stem)
    theirs, ours = _words(called), _words(within)
    family = bool(theirs and ours) and theirs[0] == ours[0]
    if family and SIZE.search(called) and not {*theirs} <= {*ours}:
        return called
    return within


def _words(name: str) -> list[str]:
    return WORDS.findall(name.lower())
