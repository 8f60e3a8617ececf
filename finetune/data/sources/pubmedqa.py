"""PubMedQA: a yes, no or maybe question with the abstract that answers it.

A JSON object by PMID: QUESTION, CONTEXTS, LONG_ANSWER, final_decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.documents import QuestionAnswer, whole_sentences
from finetune.data.records import Licence
from finetune.data.sources.contract import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items
from finetune.data.sources.xz_json import read_xz_json
from finetune.errors import FinetuneError

SOURCE = "pubmedqa"
FILES = ("pqal_train500.json.xz",)
LONGEST_ABSTRACT = 1800  # characters, whole sentences


def read_pubmedqa(folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The labelled questions in `folder`; an answer begins with yes, no or maybe.

    Raises:
        FinetuneError: the file is missing or is not PubMedQA.
    """
    file = folder / FILES[0]
    for key, row in read_xz_json(file, "PubMedQA").items():
        try:
            question, contexts = str(row["QUESTION"]), list(row["CONTEXTS"])
            long_answer, decision = str(row["LONG_ANSWER"]), str(row["final_decision"])
        except (KeyError, TypeError) as error:
            raise FinetuneError(f"{file}: record {key} has no {error}") from error
        abstract = whole_sentences(" ".join(map(str, contexts)), LONGEST_ABSTRACT)
        if not abstract or not long_answer:
            dropped["without an abstract or an answer"] += 1
            continue
        yield QuestionAnswer(
            source=SOURCE,
            focus=key,
            kind="reading",
            question=f"{abstract}\n\n{question}",
            answer=f"{decision.capitalize()}. {long_answer}",
        )


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
