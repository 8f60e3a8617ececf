"""The open biomedical corpus: one JSON object a line, {source, licence, text}."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import Document
from finetune.data.records import Licence, TextRecord
from finetune.data.sources.contract import Broken, Read, SourceInfo
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.text_lines import lines
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


@dataclass(frozen=True)
class OpenCorpus:
    """The corpus, or the named parts of it.

    Attributes:
        only: the names of the parts that are wanted; all of them if none is named.
    """

    only: tuple[str, ...] = ()

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".jsonl"), "the open corpus")

    def read(self, file: Path) -> Iterator[Read]:
        for line in lines(file):
            key = f"line {line.number}"
            if line.problem:
                yield Broken(key, str(file), line.problem)
                continue
            if not line.text.strip():
                continue
            try:
                row = json.loads(line.text)
                part, text = str(row["source"]), str(row["text"])
                name = str(row.get("licence") or "unknown")
            except (ValueError, KeyError, TypeError, RecursionError):
                reason = "is no JSON object with `source`, `licence` and `text`"
                yield Broken(key, str(file), reason)
                continue
            if not self.only or part in self.only:
                yield TextRecord(
                    id=key,
                    source=NAME,
                    group=key,
                    licence=Licence(
                        name=name, evidence=f"the line's `licence`: {name}"
                    ),
                    meta={"part": part},
                    text=text,
                )


NAME = "open-corpus"
INFO = SourceInfo(
    name=NAME,
    title="A corpus in JSON lines",
    about="One JSON object a line, {source, licence, text}, compressed or not.",
    licence="per line",
    terms="",
    kind="text",
    open_source=OpenCorpus,
    options=("only",),
)
