"""Reads the chat template in a model folder, without loading anything.

An adapter was taught in the template that lies beside it. Its base may have another, or
none; what is made of both has to be asked in the adapter's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from convert.hf_folder import JsonFile

TEMPLATE = "chat_template.jinja"
TEMPLATES = "additional_chat_templates"
_IN_JSON = ("chat_template.json", "tokenizer_config.json")


def template_in(folder: Path) -> str | None:
    """The chat template that belongs to the tokenizer in `folder`.

    Raises:
        ConvertError: a file that may hold it is not JSON.
    """
    names = (TEMPLATE, *_IN_JSON)
    return template_of({n: folder / n for n in names if (folder / n).is_file()})


def template_of(files: Mapping[str, Path]) -> str | None:
    """The chat template in a tokenizer's `files`, which are given by name."""
    if TEMPLATE in files:
        return files[TEMPLATE].read_text("utf-8") or None
    for name in _IN_JSON:
        if name in files:
            found = JsonFile.read(files[name]).values.get("chat_template")
            if isinstance(found, list):  # by name, as transformers 4 saved several
                found = next(
                    (
                        one.get("template")
                        for one in found
                        if isinstance(one, dict) and one.get("name") == "default"
                    ),
                    None,
                )
            if isinstance(found, str) and found:
                return found
    return None
