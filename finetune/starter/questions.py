"""Data sets of questions and answers for the starter pair.

They are read as `finetune prepare` reads them. What is done beside it stands here: a
model of nine million weights learns short answers, and no boilerplate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import QuestionAnswer, whole_sentences
from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.data.sources import (
    aci_bench,
    covid_qa,
    elife_digests,
    medquad,
    meqsum,
    mts_dialog,
    pubmedqa,
)
from finetune.data.sources.data_source import Broken, DataSource, PassedOver
from finetune.errors import FinetuneError

SHORTEST_ANSWER = 40  # characters; below stand remnants such as "See above."
LONGEST_ABSTRACT = 1800  # characters, whole sentences
LONGEST_EXTRACT = 400  # characters of an answer that is a piece of an article
LONGEST_HISTORY, LONGEST_PLAN = 2000, 1200  # characters, whole sentences

_HEADINGS = re.compile(r"\b(?:SUBJECT|MESSAGE):\s*")


Shape = Callable[[DialogueRecord, str, str], QuestionAnswer | str]
"""Function from a record to its question and answer, or to why it is not learned."""


@dataclass(frozen=True)
class QuestionSet:
    """A data set: where it lies, and how it is read."""

    folder: str
    files: tuple[str, ...]
    """All that is read of the folder, for the lineage."""
    source: DataSource
    shape: Shape

    def read(self, folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
        """The questions of the set in `folder`, in a fixed order.

        Args:
            folder: holds `files`.
            dropped: counts the reasons why questions were left out.

        Raises:
            FinetuneError: a file is missing, or something in it cannot be read.
        """
        for record in whole_records(self.source, folder, self.files):
            made: QuestionAnswer | str
            if isinstance(record, PassedOver):
                made = record.reason
            else:
                assert isinstance(record, DialogueRecord)
                question, answer = (each.content for each in record.messages[-2:])
                made = self.shape(record, question, answer)
            if isinstance(made, QuestionAnswer):
                yield made
            else:
                dropped[made] += 1


def whole_records(
    source: DataSource, folder: Path, files: Sequence[str]
) -> Iterator[TextRecord | DialogueRecord | PassedOver]:
    """The records of `files`, where a broken one ends the reading.

    A pair is made of exactly the data that its card names.

    Raises:
        FinetuneError: a file is missing, or something in it cannot be read.
    """
    for file in (folder / name for name in files):
        if not file.is_file():
            raise FinetuneError(f"{file} is not there; the starter pair learns from it")
        for record in source.read(file):
            if isinstance(record, Broken) and not isinstance(record, PassedOver):
                raise FinetuneError(f"{record.file}: {record.id} {record.reason}")
            yield record


def _medquad(
    record: DialogueRecord, question: str, answer: str
) -> QuestionAnswer | str:
    answer = _one_line(answer)
    if not question or not record.title:
        return "without a question or a focus"
    if len(answer) < SHORTEST_ANSWER:
        return "blank, a table or a list of contents"
    if medquad.is_elsewhere(answer):
        return "names other pages or an institute's work"
    return _learned(record, record.meta.get("type", "other"), question, answer)


def _covid_qa(
    record: DialogueRecord, question: str, answer: str
) -> QuestionAnswer | str:
    if not answer:
        return "without an answer, or with one of many lines"
    return _learned(record, "reading", question, answer)


def _pubmedqa(
    record: DialogueRecord, question: str, answer: str
) -> QuestionAnswer | str:
    contexts, _, asked = question.rpartition("\n\n")
    abstract = whole_sentences(contexts.replace("\n\n", " "), LONGEST_ABSTRACT)
    if not abstract or not answer:
        return "without an abstract or an answer"
    return _learned(record, "reading", f"{abstract}\n\n{asked}", answer, record.id)


def _meqsum(record: DialogueRecord, question: str, answer: str) -> QuestionAnswer | str:
    task, _, letter = question.partition("\n\n")
    if not letter or not answer:
        return "without a letter or a question"
    letter = _one_line(_HEADINGS.sub("", letter))
    return _learned(record, "summary", f"{task}\n\n{letter}", answer)


def _mts_dialog(
    record: DialogueRecord, question: str, answer: str
) -> QuestionAnswer | str:
    known = record.meta.get("section") in mts_dialog.PARTS.values()
    if not known or not question or not answer:
        return "of an unknown section, or empty"
    return _learned(record, "note", question, answer)


def _aci_bench(
    record: DialogueRecord, question: str, answer: str
) -> QuestionAnswer | str:
    task, _, history = question.partition("\n\n")
    history = whole_sentences(_one_line(history), LONGEST_HISTORY)
    plan = whole_sentences(_one_line(answer), LONGEST_PLAN)
    if not history or not plan:
        return "a note without a history or a plan"
    return _learned(record, "note", f"{task}\n\n{history}", plan)


def _digest(record: DialogueRecord, question: str, answer: str) -> QuestionAnswer | str:
    if not question or not answer:
        return "an article without a digest"
    return _learned(record, "digest", question, answer.replace("\n\n", "\n"))


def _learned(
    record: DialogueRecord, kind: str, question: str, answer: str, focus: str = ""
) -> QuestionAnswer:
    focus = focus or record.title or record.group
    return QuestionAnswer(record.source, focus, kind, question, answer)


def _one_line(text: str) -> str:
    return " ".join(text.split())


QUESTION_SETS = {
    medquad.SOURCE: QuestionSet(
        "medquad", (medquad.ARCHIVE,), medquad.MedQuad(elsewhere=True), _medquad
    ),
    covid_qa.SOURCE: QuestionSet(
        "covid-qa", covid_qa.FILES, covid_qa.CovidQa(LONGEST_EXTRACT), _covid_qa
    ),
    pubmedqa.SOURCE: QuestionSet(
        "pubmedqa", pubmedqa.FILES, pubmedqa.PubMedQa(), _pubmedqa
    ),
    meqsum.SOURCE: QuestionSet("meqsum", meqsum.FILES, meqsum.MeQSum(), _meqsum),
    mts_dialog.SOURCE: QuestionSet(
        "mts-dialog", mts_dialog.FILES, mts_dialog.MtsDialog(), _mts_dialog
    ),
    aci_bench.SOURCE: QuestionSet(
        "aci-bench", aci_bench.FILES, aci_bench.AciBench("plan"), _aci_bench
    ),
    elife_digests.SOURCE: QuestionSet(
        "elife-articles-jats", elife_digests.FILES, elife_digests.Digests(), _digest
    ),
}
"""By the names that recipes use."""
