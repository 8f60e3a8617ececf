"""The sets of questions and answers, by the names that recipes use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import QuestionAnswer
from finetune.data.sources import (
    aci_bench,
    covid_qa,
    elife_digests,
    medquad,
    meqsum,
    mts_dialog,
    pubmedqa,
)


@dataclass(frozen=True)
class QuestionSet:
    """Where a set lies in a data folder, and who reads it."""

    folder: str
    files: tuple[str, ...]
    """All that is read of the folder, for the lineage."""
    read: Callable[[Path, Counter[str]], Iterator[QuestionAnswer]]
    """Reads the folder; counts what it leaves out."""


QUESTION_SETS = {
    medquad.SOURCE: QuestionSet("medquad", (medquad.ARCHIVE,), medquad.read_medquad),
    covid_qa.SOURCE: QuestionSet("covid-qa", covid_qa.FILES, covid_qa.read_covid_qa),
    pubmedqa.SOURCE: QuestionSet("pubmedqa", pubmedqa.FILES, pubmedqa.read_pubmedqa),
    meqsum.SOURCE: QuestionSet("meqsum", meqsum.FILES, meqsum.read_meqsum),
    mts_dialog.SOURCE: QuestionSet(
        "mts-dialog", mts_dialog.FILES, mts_dialog.read_mts_dialog
    ),
    aci_bench.SOURCE: QuestionSet(
        "aci-bench", aci_bench.FILES, aci_bench.read_aci_bench
    ),
    elife_digests.SOURCE: QuestionSet(
        "elife-articles-jats", elife_digests.FILES, elife_digests.read_elife_digests
    ),
}
