"""CliCR: gaps in the learning points of case reports, to be filled from the report.

JSON: {version, data: [{source, document: {title, context, qas: [{id, query with
@placeholder, answers: [{text, cui, sem_type, origin}]}]}}]}.
https://github.com/clips/clicr
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import Broken, Read, SourceInfo, unlike
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items

NAME = "clicr"
GAP = "@placeholder"
TASK = f"Which words belong in the place of {GAP}?"
LICENCE = Licence(
    name="unknown", evidence="BMJ Case Reports, all rights reserved; given on request"
)
_MARKS = re.compile(r"\bBEG__(.*?)__END\b", re.DOTALL)


@dataclass(frozen=True)
class CliCr:
    """Each gap under its case report, with the answer in the report's own words."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".json"), "CliCR")

    def read(self, file: Path) -> Iterator[Read]:
        for number, item in json_items(file, "CliCR", "data"):
            try:
                document = item["document"]
                title, context = str(document["title"]), str(document["context"])
                asked = document["qas"]
                source = str(item.get("source") or title or number)
            except (KeyError, TypeError, AttributeError) as error:
                reason = unlike("report of CliCR", error)
                yield Broken(f"report {number}", str(file), reason)
                continue
            for position, each in enumerate(asked or ()):
                yield _record(source, title, context, each, position, file)


def _record(
    source: str, title: str, context: str, asked: Any, position: int, file: Path
) -> Read:
    try:
        key = str(asked.get("id") or f"{source}-{position}")
        query = str(asked["query"])
        answers = list(asked["answers"])
        # The report's own spelling comes first; the others are a thesaurus's.
        own = [a for a in answers if a.get("origin") == "dataset"] or answers
        answer = str(own[0]["text"]) if own else ""
    except (KeyError, TypeError, AttributeError) as error:
        reason = unlike("question of CliCR", error)
        return Broken(f"{source}-{position}", str(file), reason)
    return dialogue(
        NAME,
        key,
        f"{_plain(context)}\n\n{_plain(query)}\n\n{TASK}" if context and query else "",
        _plain(answer),
        LICENCE,
        group=source,
        title=_plain(title),
        meta={"cui": str(own[0].get("cui") or "") if own else ""},
    )


def _plain(text: str) -> str:
    """`text` without the marks around medical terms."""
    return _MARKS.sub(lambda found: found[1], text).replace("_", " ").strip()


INFO = SourceInfo(
    name=NAME,
    title="CliCR",
    about="100,000 gaps in the learning points of 12,000 case reports; JSON.",
    licence=LICENCE.name,
    terms="The case reports belong to BMJ; the set is given to researchers on request, "
    "and is left out unless you allow `unknown`.",
    kind="dialogue",
    open_source=CliCr,
)
