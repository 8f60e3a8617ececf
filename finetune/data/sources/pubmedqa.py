"""PubMedQA: a yes, no or maybe question with the abstract that answers it.

A JSON object by PMID: QUESTION, CONTEXTS, LONG_ANSWER, final_decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from finetune.data.documents import QuestionAnswer, whole_sentences
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
