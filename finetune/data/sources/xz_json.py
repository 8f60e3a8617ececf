"""JSON files under xz, as several data sets come."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

from finetune.errors import FinetuneError


def read_xz_json(file: Path, what: str) -> dict[str, Any]:
    """The JSON object in `file`; `what` names the data set in errors.

    Raises:
        FinetuneError: it is missing or broken.
    """
    try:
        with lzma.open(file, "rt", encoding="utf-8") as opened:
            found = json.load(opened)
    except FileNotFoundError as error:
        raise FinetuneError(f"{file} is not there; {what} is expected in it") from error
    except (lzma.LZMAError, EOFError, OSError, ValueError) as error:
        raise FinetuneError(
            f"{file} cannot be read as xz-compressed JSON ({error}); copy it anew"
        ) from error
    if not isinstance(found, dict):
        raise FinetuneError(f"{file}: {what} is a JSON object; this is another file")
    return found
