"""The open biomedical corpus: one JSON object a line, {source, licence, text}."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.prepared_records import Licence, TextRecord
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.text_lines import lines

FILE = "pretrain_corpus.jsonl.xz"


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
