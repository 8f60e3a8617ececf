"""PubMedQA: a yes, no or maybe question with the abstract that answers it.

A JSON object by PMID: QUESTION, CONTEXTS, LONG_ANSWER, final_decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items

SOURCE = "pubmedqa"
FILES = ("pqal_train500.json.xz",)


@dataclass(frozen=True)
class PubMedQa:
    """The questions, each under its whole abstract; labelled or not."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".json"), "PubMedQA")

    def read(self, file: Path) -> Iterator[Read]:
        for key, row in json_items(file, "PubMedQA"):
            yield _record(key, row, file)


def _record(key: str, row: Any, file: Path) -> Read:
    try:
        question, contexts = str(row["QUESTION"]), [str(c) for c in row["CONTEXTS"]]
        answer = str(row["LONG_ANSWER"] or "")
    except (KeyError, TypeError) as error:
        return Broken(key, str(file), f"is no question of PubMedQA: no {error}")
    # The artificial and the unlabelled part have no decision, or one that was guessed.
    decision = str(row.get("final_decision") or "")
    if decision and answer:
        answer = f"{decision.capitalize()}. {answer}"
    abstract = "\n\n".join(contexts)
    return dialogue(
        SOURCE,
        key,
        f"{abstract}\n\n{question}" if abstract and question else "",
        answer,
        LICENCE,
        title=question,
        meta={"decision": decision, "year": str(row.get("YEAR") or ""), "pmid": key},
    )


LICENCE = Licence(name="MIT", evidence="the set's LICENSE: MIT")
INFO = SourceInfo(
    name=SOURCE,
    title="PubMedQA",
    about="Yes, no or maybe questions with the abstracts that answer them; JSON by "
    "PMID (ori_pqal, ori_pqaa, ori_pqau).",
    licence=LICENCE.name,
    terms="The abstracts are PubMed's. The 500 questions of its test set are an exam: "
    "name the exam's file as an overlap, or leave them out.",
    kind="dialogue",
    open_source=PubMedQa,
    fetch="web",
)
