"""The open biomedical corpus: one JSON object a line, {source, licence, text}."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from finetune.data.documents import Document
from finetune.errors import FinetuneError

FILE = "pretrain_corpus.jsonl.xz"
_RELATION = re.compile(r"(?<=[a-z])_(?=[a-z])")
_BLANKS = re.compile(r"[ \t]+")


def read_open_corpus(folder: Path, sources: Collection[str]) -> Iterator[Document]:
    """The documents of the named `sources` in the corpus in `folder`, in file order.

    Raises:
        FinetuneError: the corpus is missing, broken, or has none of a named source.
    """
    file = folder / FILE
    if not file.is_file():
        raise FinetuneError(f"{file} is not there; it holds the text for the base")
    seen: set[str] = set()
    try:
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = json.loads(line)
                    source, text = str(row["source"]), str(row["text"])
                except (ValueError, KeyError, TypeError) as error:
                    raise FinetuneError(
                        f"{file}, line {number}: expected a JSON object with "
                        f"`source` and `text` ({error})"
                    ) from error
                if source in sources:
                    seen.add(source)
                    yield Document(source=source, text=clean_text(text))
    except (lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise FinetuneError(
            f"{file} cannot be read as xz-compressed UTF-8 ({error}); copy it anew"
        ) from error
    if missing := sorted(set(sources) - seen):
        raise FinetuneError(
            f"{file} has no text of {', '.join(missing)}; take the name out of the "
            "recipe, or correct it"
        )


def clean_text(text: str) -> str:
    """`text` with the ontologies' relation_names as words and single blanks."""
    return _BLANKS.sub(" ", _RELATION.sub(" ", text)).strip()
