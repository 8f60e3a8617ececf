"""HealthQA: questions that consumers might ask, with the paragraph that answers them.

JSON: {paras: [...], ques: [[...], ...], article_range: [[start, length], ...]} in
all_train.json, all_val.json, all_test.json. https://github.com/mingzhu0527/HAR
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items
from finetune.errors import FinetuneError

NAME = "healthqa"
KEYS = ("paras", "ques", "article_range")
LICENCE = Licence(
    name="unknown",
    evidence="text of patient.info, all rights reserved; no licence given",
)


@dataclass(frozen=True)
class HealthQa:
    """The questions, each answered by its paragraph; an article stays together."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".json"), "HealthQA")

    def read(self, file: Path) -> Iterator[Read]:
        # Three lists that belong together: 20 MB in all, so they are held.
        whole: dict[str, Any] = dict(json_items(file, "HealthQA"))
        if missing := [key for key in KEYS if not isinstance(whole.get(key), list)]:
            raise FinetuneError(
                f"{file} has no list {', '.join(missing)}; HealthQA has "
                f"{', '.join(KEYS)}"
            )
        paragraphs, questions = whole["paras"], whole["ques"]
        if len(paragraphs) != len(questions):
            raise FinetuneError(
                f"{file} has {len(paragraphs)} paragraphs and questions for "
                f"{len(questions)}; HealthQA has as many. Copy it anew"
            )
        starts = sorted(
            int(each[0]) for each in whole["article_range"] if _is_range(each)
        )
        for number, (paragraph, asked) in enumerate(
            zip(paragraphs, questions, strict=True)
        ):
            article = bisect_right(starts, number) - 1
            if not isinstance(asked, list):
                reason = "its questions are no list"
                yield Broken(f"{file.stem}:{number}", str(file), reason)
                continue
            for position, question in enumerate(asked):
                yield dialogue(
                    NAME,
                    f"{file.stem}:{number}-{position}",
                    _words(question),
                    _words(paragraph),
                    LICENCE,
                    group=f"{file.stem} article {article}",
                )


def _is_range(each: Any) -> bool:
    return isinstance(each, list) and len(each) == 2 and isinstance(each[0], int)


def _words(found: Any) -> str:
    """Text, or the list of tokens that some copies have."""
    if isinstance(found, list):
        return " ".join(str(word) for word in found).strip()
    return str(found or "").strip()


INFO = SourceInfo(
    name=NAME,
    title="HealthQA",
    about="7,517 questions about 7,355 paragraphs of a health site; JSON.",
    licence=LICENCE.name,
    terms="The text belongs to patient.info, so it is left out unless you allow "
    "`unknown`.",
    kind="dialogue",
    open_source=HealthQa,
)
